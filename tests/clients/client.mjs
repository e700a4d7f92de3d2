// One SSE client of others, as an application would use it: node client.mjs PACKAGES NAME URL. Prints what the
// application is given, a line of JSON each: {open}, {data, event, id}, {closed} for an end that the client doesn't come
// back from by itself. PACKAGES is the folder in which `npm ci` was run.
import { createRequire } from 'node:module';

const [packages, name, url] = process.argv.slice(2);
const require = createRequire(`${packages}/`);
const say = (words) => console.log(JSON.stringify(words));
const open = () => say({ open: true });
const message = (event) => say({ data: event.data, event: event.type ?? event.event ?? 'message', id: event.lastEventId ?? event.id });

/** The interface of a browser: what an application that knows nothing of zcast does with it. */
function plain(EventSource, options) {
  const source = new EventSource(url, options);
  source.onopen = open;
  source.onmessage = message;
  source.onerror = () => source.readyState === 2 && say({ closed: true });
}

const clients = {
  'eventsource'() {
    plain(require('eventsource').EventSource);
  },
  'eventsource3'() {
    plain(require('eventsource3').EventSource);
  },
  'eventsource2'() {
    plain(require('eventsource2'));
  },
  'eventsource1'() {
    plain(require('eventsource1'));
  },
  'launchdarkly-eventsource'() {
    plain(require('launchdarkly-eventsource').EventSource);
  },
  'event-source-polyfill'() {
    plain(require('event-source-polyfill').EventSourcePolyfill);
  },
  'reconnecting-eventsource'() {
    const { EventSource } = require('eventsource');
    const { default: ReconnectingEventSource } = require('reconnecting-eventsource');
    plain(ReconnectingEventSource, { eventSourceClass: EventSource, max_retry_time: 1000 });
  },
  'reconnecting-eventsource2'() {
    const { default: ReconnectingEventSource } = require('reconnecting-eventsource');
    plain(ReconnectingEventSource, { eventSourceClass: require('eventsource2'), max_retry_time: 1000 });
  },
  'eventsource-client'() {
    const { createEventSource } = require('eventsource-client');
    createEventSource({ url, onConnect: open, onMessage: message });
  },
  async 'fetch-event-source'() {
    globalThis.window = globalThis;
    globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
    const { fetchEventSource } = require('@microsoft/fetch-event-source');
    await fetchEventSource(url, {
      openWhenHidden: true,
      async onopen(response) {
        if (response.ok && response.headers.get('content-type') === 'text/event-stream') return open();
        throw new Error(`status ${response.status}`);
      },
      onmessage(event) {
        JSON.parse(event.data); // throws where that isn't JSON, as an application's code does
        message(event);
      },
      // An end in order is an end for good to this client, unless this throws: its manual says so.
      onclose() {
        throw new Error('come back');
      },
    });
    say({ closed: true });
  },
};

await clients[name]();
