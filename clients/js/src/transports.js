/** How messages come: by an event stream, or by a WebSocket. */
import { extras, parseFrame, readFrame, refusalOf } from './frames.js';

/** @param {string} event @param {string} data @param {string} id @returns {Frame} of zcast's own */
export const readOwn = (event, data, id) => readFrame({ topic: '', event, data, id });

const EVENTS = ['zcast.continuity', 'zcast.heartbeat', 'zcast.stale', 'zcast.end'];

/** @typedef {{close: () => void, send?: (words: object) => void}} Opened */

/**
 * Each transport opens an address, calls `heard`, and returns how to close it, and where that can be, how to say something. It may go
 * on calling after it was closed.
 * @type {Record<'sse' | 'ws', (url: string, settings: Settings, heard: (frame: Frame) => void, token: string) => Opened>}
 */
export const TRANSPORTS = {
  sse(url, settings, heard, token) {
    if (extras.fetch && (token || !globalThis.EventSource)) return extras.fetch(url, settings, heard, token);
    const source = new EventSource(url, { withCredentials: settings.credentials });
    for (const type of EVENTS) source.addEventListener(type, (event) => heard(readOwn(type, event.data, event.lastEventId)));
    // The browser would come back by itself: with the id in a header, which service workers and proxies lose.
    return listen(source, heard, 'onerror', () => undefined);
  },

  ws(url, settings, heard, token) {
    const socket = new WebSocket(url, token ? ['zcast.v1', `zcast.token.${token}`] : 'zcast.v1');
    // 4000 + the status that was refused with
    const refusal = ({ code = 0, reason = '' }) => (code >= 4400 && code < 4600 ? refusalOf(code - 4000, reason) : undefined);
    return { ...listen(socket, heard, 'onclose', refusal), send: (words) => socket.send(JSON.stringify(words)) };
  },
};

/**
 * @param {any} source @param {(frame: Frame) => void} heard @param {string} end @param {(event: any) => Refusal | undefined} refusal
 * @returns {Opened}
 */
function listen(source, heard, end, refusal) {
  source.onopen = () => heard({ kind: 'open' });
  source.onmessage = (/** @type {MessageEvent} */ event) => heard(parseFrame(event.data));
  source[end] = (/** @type {any} */ event) => heard({ kind: 'end', said: refusal(event) });
  return { close: () => source.close() };
}
