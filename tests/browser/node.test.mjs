/** zcast.js in node itself, where there is neither EventSource nor page: over HTTP, from a server of the test's. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { describe, test } from 'node:test';
import { once, publish, subscribe } from '../../www/zcast.js';

describe('node', () => {
  test('an event stream by fetch: refused, cut anywhere, resumed; publish', async () => {
    const seen = [];
    let part = 0;
    const server = createServer((request, response) => {
      const url = new URL(request.url, 'http://x');
      seen.push([request.method, url, request.headers.authorization]);
      if (url.pathname === '/publish') {
        response.writeHead(url.searchParams.get('topic') === 'no' ? 403 : 200, { 'content-type': 'application/json' });
        return response.end(url.searchParams.get('topic') === 'no' ? '{"code":"forbidden","message":"not you"}' : '{"id":"9-0"}');
      }
      if (url.searchParams.get('topic') === 'no') return response.writeHead(403, { 'content-type': 'text/plain' }).end('not you\n');
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const since = url.searchParams.get('last-event-id');
      const greeting = since
        ? `event: zcast.continuity\ndata: {"status":"continued","since":"${since}","replayed":0}\nid: ${since}\n\n`
        : 'retry: 10\n\nevent: zcast.heartbeat\ndata:{}\nid: 1-0\n\n';
      const text = `${greeting}data: {"id":"${++part + 1}-0","topic":"a","event":"message","data":"ü ${part}"}\r\nid: ${part + 1}-0\r\n\r\n`;
      const bytes = Buffer.from(text);
      const at = bytes.length - 30 * part;
      response.write(bytes.subarray(0, at));
      setTimeout(() => (response.write(bytes.subarray(at)), part < 3 && setTimeout(() => response.destroy(), 20)), 20);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const base = `http://127.0.0.1:${server.address().port}`;
    const [socket, source] = [globalThis.WebSocket, globalThis.EventSource];
    delete globalThis.WebSocket;
    delete globalThis.EventSource;
    const heard = [];
    const verdicts = [];
    for await (const message of subscribe('a', undefined, { base, backoff: 5, token: 'secret', onContinuity: (verdict) => verdicts.push(verdict.since) }))
      if (heard.push(message.data) === 3) break;
    assert.deepEqual([heard, verdicts], [['ü 1', 'ü 2', 'ü 3'], ['2-0', '3-0']]);
    assert.ok(seen.every(([, , authorization]) => authorization === 'Bearer secret'));
    const refused = await once('no', { base }).catch((error) => error);
    assert.deepEqual([refused.status, refused.code, refused.message], [403, 'forbidden', 'not you']);
    assert.deepEqual(await publish('a/b c', 'text', { base, event: 'e', key: 'k', token: () => 't' }), { id: '9-0' });
    assert.deepEqual([seen.at(-1)[0], seen.at(-1)[1].search, seen.at(-1)[2]], ['POST', '?topic=a%2Fb+c&event=e&key=k', 'Bearer t']);
    const no = await publish('no', 'text', { base }).catch((error) => error);
    assert.deepEqual([no.status, no.code, no.message], [403, 'forbidden', 'not you']);
    await assert.rejects(publish('', 'x', { base }), TypeError);
    Object.assign(globalThis, socket && { WebSocket: socket }, source && { EventSource: source });
    server.closeAllConnections();
    server.close();
  });
});
