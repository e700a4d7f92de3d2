/** Event streams that are read with `fetch`: where there is no EventSource, and where a token has to be brought, which that can't. */
import { extras, fetchOptions, readRefusal } from './frames.js';
import { readEvent } from './transports.js';

/**
 * Reads until the stream ends, or gives why there is none.
 * @param {string} url @param {Settings} settings @param {(frame: Frame) => void} heard @param {string} token @param {AbortSignal} signal
 */
async function readStream(url, settings, heard, token, signal) {
  const response = await fetch(url, { ...fetchOptions('text/event-stream', settings, token), signal });
  const refusal = await readRefusal(response, 'sse');
  if (refusal || !response.body) return refusal;
  heard({ kind: 'open' });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let type = '';
  let id = '';
  /** @type {string[]} */
  let data = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return undefined;
    const lines = (text + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    text = lines.pop() ?? '';
    for (const line of lines) {
      const [, name, said] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (name === 'event') type = said;
      else if (name === 'id') id = said;
      else if (name === 'data') data.push(said);
      else if (!line) {
        if (data.length) heard(readEvent(type, data.join('\n'), id));
        type = '';
        data = [];
      }
    }
  }
}

extras.stream = (url, settings, heard, token) => {
  const abort = new AbortController();
  readStream(url, settings, heard, token, abort.signal)
    .catch(() => undefined)
    .then((refusal) => heard({ kind: 'end', refusal }));
  return { close: () => abort.abort() };
};
