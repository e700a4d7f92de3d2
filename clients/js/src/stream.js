/** Event streams that are read with `fetch`: where there is no EventSource, and where a token has to be brought, which that can't. */
import { extras, fetchOptions, parseFrame, readRefusal } from './frames.js';
import { readOwn } from './transports.js';

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
        if (data.length) heard(type.startsWith('zcast.') ? readOwn(type, data.join('\n'), id) : parseFrame(data.join('\n')));
        type = '';
        data = [];
      }
    }
  }
}

extras.fetch = (url, settings, heard, token) => {
  const abort = new AbortController();
  readStream(url, settings, heard, token, abort.signal)
    .catch(() => undefined)
    .then((said) => heard({ kind: 'end', said }));
  return { close: () => abort.abort() };
};
