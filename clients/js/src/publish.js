/** Publishing, by HTTP. */
import { DEFAULTS, failure, fetchOptions, readRefusal, streamAddress } from './frames.js';
import { checkTopic } from './base.js';

/**
 * Publishes a message, and resolves to its id once the broker has it. What is refused is thrown, with `status` and `code`. Under a
 * `key` a message that is sent again is published once.
 * @param {string} topic
 * @param {string | Uint8Array} data
 * @param {{event?: string, id?: string, key?: string, ttl?: number, address?: string, base?: string, credentials?: boolean,
 *   token?: Options['token'], signal?: AbortSignal}} [options]
 * @returns {Promise<{id: string}>}
 */
export async function publish(topic, data, options = {}) {
  const { address = '/publish', token = '', signal, base = '', credentials = false, ...about } = options;
  const settings = { ...DEFAULTS, base, credentials, sse: address };
  checkTopic(topic);
  const url = new URL(streamAddress('sse', [topic], '', settings));
  url.searchParams.delete('format');
  for (const name of /** @type {const} */ (['event', 'id', 'key', 'ttl']))
    if (about[name] !== undefined) url.searchParams.set(name, String(about[name]));
  const given = typeof token === 'function' ? await token() : token;
  const { headers, ...rest } = fetchOptions('application/json', settings, given);
  const type = typeof data === 'string' ? 'text/plain' : 'application/octet-stream';
  const body = /** @type {BodyInit} */ (data);
  const response = await fetch(url, { ...rest, method: 'POST', body, signal, headers: { ...headers, 'content-type': type } });
  if (response.ok) return response.json();
  throw failure((await readRefusal(response, '')) ?? { message: 'no answer' });
}
