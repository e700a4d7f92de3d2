/** How messages come: by an event stream, or by a WebSocket. */
import { extras, parseFrame, readStale, refusalOf } from './frames.js';

/** What a token says; nothing, where it isn't a JSON Web Token. @param {string} token */
export function claimsOf(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))) ?? {};
  } catch {
    return {};
  }
}

/** When a token ends, in ms; Infinity where it doesn't say. @param {string} token */
export const endOf = (token) => claimsOf(token).exp * 1000 || Infinity;

/** @param {string} type @param {string} data @param {string} id @returns {Frame} of an event */
export function readEvent(type, data, id) {
  if (type === EVENTS[0]) return { kind: 'verdict', id, verdict: JSON.parse(data) };
  if (type === EVENTS[1]) return { kind: 'heartbeat', id };
  if (type === EVENTS[2]) return readStale(data);
  if (type !== EVENTS[3]) return parseFrame(data);
  const { code, message } = JSON.parse(data);
  return { kind: 'end', refusal: refusalOf(401, message, code) };
}
const EVENTS = ['zcast.continuity', 'zcast.heartbeat', 'zcast.stale', 'zcast.end'];

/** @typedef {{close: () => void, send?: (words: object) => void}} Opened */

/**
 * Each transport opens an address, calls `heard`, and returns how to close it, and where that can be, how to say something. It may go
 * on calling after it was closed.
 * @type {Record<'sse' | 'ws', (url: string, settings: Settings, heard: (frame: Frame) => void, token: string) => Opened>}
 */
export const TRANSPORTS = {
  sse(url, settings, heard, token) {
    if (extras.stream && (token || !globalThis.EventSource)) return extras.stream(url, settings, heard, token);
    const source = new EventSource(url, { withCredentials: settings.credentials });
    source.onopen = () => heard({ kind: 'open' });
    source.onmessage = (event) => heard(parseFrame(event.data));
    for (const type of EVENTS) source.addEventListener(type, (event) => heard(readEvent(type, event.data, event.lastEventId)));
    // After a cut the browser comes back by itself, when the server's retry: says. After an answer that is no
    // event stream it never does.
    source.onerror = () => heard({ kind: source.readyState === EventSource.CLOSED ? 'end' : 'lost' });
    return { close: () => source.close() };
  },

  ws(url, settings, heard, token) {
    const socket = new WebSocket(url, token ? ['zcast.v1', `zcast.token.${token}`] : 'zcast.v1');
    socket.onopen = () => heard({ kind: 'open' });
    socket.onmessage = (event) => heard(parseFrame(event.data));
    // 4000 + the status that was refused with
    socket.onclose = ({ code = 0, reason = '' }) =>
      heard({ kind: 'end', refusal: code >= 4400 && code < 4600 ? refusalOf(code - 4000, reason) : undefined });
    return { close: () => socket.close(), send: (/** @type {object} */ words) => socket.send(JSON.stringify(words)) };
  },
};

