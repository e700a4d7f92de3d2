/**
 * Makes www/zcast.js, the one file that pages load, of the modules in src/: node clients/js/join.mjs
 * With --check it only says whether the file is what they make.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const ORDER = ['frames', 'transports', 'stream', 'claims', 'token', 'line', 'share', 'base', 'trunk', 'lone', 'subscription', 'iterate', 'publish'];
const PUBLIC = ['backoffDelay', 'streamAddress', 'parseFrame', 'subscribe', 'once', 'publish'];
const file = new URL('../../www/zcast.js', import.meta.url);

const HEAD = `/**
 * zcast.js - events from zcast in a browser, over Server-Sent Events or WebSocket.
 *
 *     import { subscribe } from './zcast.js';
 *     const events = subscribe(['news', 'host/metrics'], (message) => console.log(message.topic, message.data));
 *     events.close();
 *
 * Whatever happens to the connection, the handler gets every message of its topics once and in order, or
 * \`onContinuity\` says what is missing. All subscriptions of a page have one connection.
 *
 * Made by clients/js/join.mjs of the modules in clients/js/src/: change those.
 */
`;

/** A module without its imports, and with those exports only that are for pages. @param {string} name */
function read(name) {
  const text = readFileSync(new URL(`src/${name}.js`, import.meta.url), 'utf8');
  const body = text.replace(/^import [^;]*;\n+/gm, '').replace(/^export ((?:async )?(?:function|class|const) (\w+))/gm, (all, rest, word) => (PUBLIC.includes(word) ? all : rest));
  return `\n// ${name}\n\n${body}`;
}

const made = HEAD + ORDER.map(read).join('');
if (!process.argv.includes('--check')) writeFileSync(file, made);
else if (readFileSync(file, 'utf8') !== made) {
  console.error('www/zcast.js is not what clients/js/src makes: node clients/js/join.mjs');
  process.exit(1);
}
