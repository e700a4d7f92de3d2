/*  The console: figures of the whole installation, and subscribing and publishing by hand.
 *
 *  Whatever is shown was written by others: it gets into the page as text, never as markup. All lists are bounded, so that the
 *  page can stay open for days. */
import { subscribe } from './zcast.js';

const PERIOD = 2000; // ms between two looks
const SAMPLES = 300; // ten minutes
const WINDOW = 10000; // ms that a rate is of: programs report every few seconds
const SHOWN = 200; // messages in the log
const ROWS = 200; // of a table
const LONGEST = 4000; // characters of a message that are shown
const KEPT = 'zcast.console.token';
const AGAIN = 10000; // ms until the stream of figures is tried again
const PUSHED = 4000000; // characters of one message of figures, at most
const PAGE = 50; // messages of a page of history
const LATER = `${2 ** 44 - 1}-0`; // the last position that there can be, nearly
const WHOLE = 100000; // characters that are shown of one message

/** Upper bounds of a histogram's buckets in seconds, as in lib/base/histogram.c; the last bucket has none. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const say = (value) => (Number.isFinite(value) ? number.format(value) : '–');

function milliseconds(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  return seconds < 1 ? `${say(seconds * 1000)} ms` : `${say(seconds)} s`;
}

function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; count >= 1024 && unit < units.length - 1; unit++) count /= 1024;
  return Number.isFinite(count) ? `${say(count)} ${units[unit]}` : '–';
}

/** @param {string} tag @param {string} text @param {string} [className] */
function make(tag, text, className) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

/** Rows are lists of texts or elements; a column is a heading, and whether it is prose. */
function fill(table, caption, columns, rows, none) {
  const head = make('tr', '');
  for (const [title, prose] of columns) {
    const cell = make('th', title, prose ? 'text' : '');
    cell.scope = 'col';
    head.append(cell);
  }
  const lines = rows.slice(0, ROWS).map((row) => {
    const line = make('tr', '');
    row.forEach((value, i) => {
      const cell = make('td', value instanceof Node ? '' : value, i === 0 ? 'name' : columns[i][1] ? 'text' : '');
      if (value instanceof Node) cell.append(value);
      line.append(cell);
    });
    return line;
  });
  if (!lines.length) {
    const cell = make('td', none, 'text');
    cell.colSpan = columns.length;
    lines.push(make('tr', ''));
    lines[0].append(cell);
  }
  const top = make('thead', '');
  const body = make('tbody', '');
  top.append(head);
  body.append(...lines);
  table.setAttribute('aria-label', caption);
  const key = table.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  table.replaceChildren(top, body);
  // who has reached a button by keyboard stays on it, though the table is a new one
  if (key !== undefined) [...table.querySelectorAll('button')].find((one) => one.dataset.key === key)?.focus();
}

/** @param {string} text @param {string} label that says it all @param {string} key that is the same in the next table @param {() => void} act */
function button(text, label, key, act) {
  const element = make('button', text);
  element.setAttribute('aria-label', label);
  element.dataset.key = key;
  element.addEventListener('click', act);
  return element;
}

function several(...elements) {
  const box = make('span', '', 'buttons');
  box.append(...elements);
  return box;
}

/*  ---------------------------------------------------------------- figures */

let token = sessionStorage.getItem(KEPT) ?? '';
let timer = 0;
const samples = []; // { received, delivered, p50, p99, clients }
const minute = []; // the states of the last minute, for what is new in it

const entries = (object) => Object.entries(object ?? {});
const workersOf = (state) => entries(state.workers).filter(([, report]) => !report.redis);
const bridgesOf = (state) => entries(state.workers).filter(([, report]) => report.redis);
const at = (object, path) => path.split('.').reduce((value, name) => value?.[name], object) ?? 0;

/** The difference of a counter, for a report that may have begun again. */
const gained = (now, then, path) => Math.max(0, at(now, path) - at(then, path));

/** By how much a counter of all workers has grown since the state before. A worker that is new, or has begun again, counts from 0 on. */
function grown(state, then, path) {
  let sum = 0;
  for (const [name, report] of workersOf(state)) {
    const old = then.workers?.[name];
    const same = old?.pid === report.pid && at(report, path) >= at(old, path);
    sum += same ? at(report, path) - at(old, path) : at(report, path);
  }
  return sum;
}

/** A quantile of what came between two states, as the upper bound of its bucket; NaN where nothing came. */
function quantile(state, then, name, part) {
  const counts = BOUNDS.map(() => 0);
  counts.push(0);
  for (const [worker, report] of workersOf(state)) {
    const now = report.histograms?.[name]?.counts ?? [];
    const old = (then?.workers?.[worker]?.pid === report.pid && then.workers[worker].histograms?.[name]?.counts) || [];
    if (now.length !== counts.length) continue;
    now.forEach((count, i) => (counts[i] += Math.max(0, count - (old[i] ?? 0))));
  }
  const all = counts.reduce((sum, count) => sum + count, 0);
  let below = 0;
  const index = counts.findIndex((count) => (below += count) >= all * part);
  return all ? (BOUNDS[index] ?? Infinity) : NaN;
}

const totalOf = (state, path) => workersOf(state).reduce((sum, [, report]) => sum + at(report, path), 0);

/** The state that rates are counted from. */
const baseOf = (state) => minute.findLast((one) => state.at - one.at >= WINDOW) ?? minute[0];

function measure(state, before) {
  const seconds = before ? (state.at - before.at) / 1000 : NaN;
  samples.push({
    received: before ? gained(state, before, 'received') / seconds : NaN,
    delivered: before ? grown(state, before, 'delivered') / seconds : NaN,
    clients: totalOf(state, 'clients'),
    p50: quantile(state, minute[0], 'publish_to_send', 0.5),
    p99: quantile(state, minute[0], 'publish_to_send', 0.99),
    acknowledged: quantile(state, minute[0], 'publish_acknowledged', 0.99),
  });
  minute.push(state);
  if (minute.length > 60000 / PERIOD) minute.shift();
  if (samples.length > SAMPLES) samples.shift();
  return samples.at(-1);
}

function showTiles(state, sample) {
  const gaps = minute.length ? grown(state, minute[0], 'gaps') : 0;
  const tiles = [
    ['clients', say(sample.clients)],
    ['messages published a second', say(sample.received)],
    ['deliveries a second', say(sample.delivered)],
    ['publish to send, median', milliseconds(sample.p50)],
    ['publish to send, 99 of 100', milliseconds(sample.p99)],
    ['HTTP publish, 99 of 100', milliseconds(sample.acknowledged)],
    ['gaps told in the last minute', say(gaps), gaps > 0],
  ];
  $('tiles').replaceChildren(
    ...tiles.map(([label, value, alarm]) => {
      const tile = make('div', '', alarm ? 'tile alarm' : 'tile');
      tile.append(make('p', value, 'value'), make('p', label, 'label'));
      return tile;
    }),
  );
}

const SVG = 'http://www.w3.org/2000/svg';

function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** One chart of the last ten minutes; the second line is dashed. */
function chart(title, members, format) {
  const top = Math.max(1e-6, ...samples.flatMap((sample) => members.map((name) => sample[name])).filter(Number.isFinite));
  const svg = draw('svg', { viewBox: '0 0 300 100', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  for (const y of [1, 50, 99]) svg.append(draw('line', { x1: 0, x2: 300, y1: y, y2: y, class: 'grid' }));
  for (const name of members) {
    const points = samples
      .map((sample, i) => [SAMPLES - samples.length + i, 98 - (sample[name] / top) * 95])
      .filter(([, y]) => Number.isFinite(y));
    svg.append(draw('polyline', { points: points.map(([x, y]) => `${x},${y.toFixed(1)}`).join(' ') }));
  }
  const card = make('div', '', 'card chart');
  card.append(make('h2', title), svg, make('p', `ten minutes; the highest is ${format(top)}`, 'hint'));
  return card;
}

function showCharts() {
  $('charts').replaceChildren(
    chart('Published, and delivered (dashed), a second', ['received', 'delivered'], say),
    chart('Publish to send: median, and 99 of 100 (dashed)', ['p50', 'p99'], milliseconds),
    chart('Clients', ['clients'], say),
  );
}

function showPrograms(state, then) {
  const seconds = then ? (state.at - then.at) / 1000 : NaN;
  const rate = (report, name, path) => {
    const old = then?.workers?.[name];
    return old?.pid === report.pid ? gained(report, old, path) / seconds : NaN;
  };
  const columns = [['program'], ['clients'], ['topics'], ['deliveries/s'], ['sent/s'], ['requests/s'], ['held'], ['p99'], ['broker']];
  const rows = workersOf(state).map(([name, report]) => [
    name,
    say(at(report, 'clients')),
    say(at(report, 'topics')),
    say(rate(report, name, 'delivered')),
    bytes(rate(report, name, 'bytes')),
    say(rate(report, name, 'http.requests')),
    bytes(at(report, 'held_bytes')),
    milliseconds(quantile({ workers: { [name]: report } }, minute[0], 'publish_to_send', 0.99)),
    report.stale ? 'cut off' : 'connected',
  ]);
  fill($('programs'), 'Programs', columns, rows, 'No worker has reported yet.');
}

/** What the name of an encoding says. Chunks are HTTP's, and say nothing of the client. */
const transportOf = (encoding) => {
  const [first, ...rest] = encoding.split('+').filter((word) => word !== 'chunked');
  const name = { sse: 'SSE', ws: 'WebSocket' }[first] ?? first;
  return [name, ...rest.map((word) => (word === 'json' ? 'zcast.v1' : word))].join(', ');
};

/** Counts by transport, of one report or several. */
function transportsOf(reports) {
  const sums = {};
  for (const report of reports)
    for (const [name, count] of entries(report.encodings)) sums[transportOf(name)] = (sums[transportOf(name)] ?? 0) + (Number(count) || 0);
  return sums;
}

function showClients(state) {
  const workers = workersOf(state);
  const sums = transportsOf(workers.map(([, report]) => report));
  const names = Object.keys(sums).filter((name) => sums[name] > 0).sort();
  const row = (title, counts, all) => [title, ...names.map((name) => say(counts[name] ?? 0)), say(all)];
  const rows = workers.map(([name, report]) => row(name, transportsOf([report]), at(report, 'clients')));
  if (rows.length > 1) rows.unshift(row('all', sums, totalOf(state, 'clients')));
  fill($('clients'), 'Clients by transport', [['program'], ...names.map((name) => [name]), ['all']], rows, 'No worker has reported yet.');
}

/** What can be done with a topic in a table. `where` makes its keys unlike those of other tables. */
const topicButtons = (where, topic) =>
  several(
    button('Subscribe', `Subscribe to ${topic}`, `${where} subscribe ${topic}`, () => watch(topic)),
    button('History', `History of ${topic}`, `${where} history ${topic}`, () => browse(topic)),
  );

/** Of zcast's own: the console's figures, and the test messages of /ready. */
const isOwn = (topic) => String(topic).startsWith('$zcast/');

function showBusy(state) {
  const busy = (state.busy ?? []).filter(({ topic }) => !isOwn(topic));
  const rows = busy.map(({ topic, rate }) => [String(topic), say(rate), topicButtons('busy', String(topic))]);
  fill($('busy'), 'Topics by rate', [['topic'], ['messages/s'], ['by hand']], rows, 'Nothing was published.');
}

function showPopular(state) {
  const sums = new Map();
  for (const [, report] of workersOf(state)) {
    for (const { topic, clients, selector } of report.popular ?? []) {
      if (isOwn(topic)) continue;
      const key = `${selector ? 'selector' : 'topic'} ${topic}`;
      const one = sums.get(key) ?? { topic: String(topic), selector, clients: 0 };
      one.clients += Number(clients) || 0;
      sums.set(key, one);
    }
  }
  const all = [...sums.values()].sort((a, b) => b.clients - a.clients).slice(0, PAGE);
  const rows = all.map((one) => [one.topic, say(one.clients), one.selector ? 'selector' : topicButtons('popular', one.topic)]);
  fill($('popular'), 'Topics by clients', [['topic'], ['clients'], ['by hand']], rows, 'No client has a topic.');
}

/** Why a client didn't get something, by the word in a report (lib/engine/incidents.h). */
const REASONS = {
  slow: 'disconnected: it was further behind than max-lag',
  ended: 'disconnected: an operator wanted it',
  held: 'disconnected: max-held was reached, and it was further behind than others',
  skipped: 'gap: it was slow, and was led to the newest message',
  history: 'gap: history no longer had the messages',
  unknown: 'gap: it came with an id that history does not know',
  ahead: 'gap: it had a position that the broker has not given, or no longer knows',
  line: "gap: the broker's positions went back",
};

const reasonOf = (word) => REASONS[word] ?? String(word);

function showIncidents(state) {
  const all = workersOf(state).flatMap(([name, report]) => (report.incidents ?? []).map((one) => ({ ...one, name })));
  all.sort((a, b) => b.at - a.at);
  const rows = all.slice(0, PAGE).map((one) => [
    new Date(Number(one.at)).toLocaleTimeString(),
    one.name,
    one.count > 1 ? `${say(one.count)} times` : 'once',
    reasonOf(one.reason),
    String(one.topic || '–'),
    String(one.client || 'all that had it'),
  ]);
  fill($('incidents'), 'Gaps and drops', [['when'], ['program'], ['how often'], ['why', true], ['topic'], ['client, the first of them']], rows, 'None since the programs began.');
}

/** [member, what it says] of the log's part in the broker's figures. */
const LOG_FIGURES = [
  ['number', 'entries up to here'],
  ['waiting', 'messages that wait for their place in the log'],
  ['failed', 'messages that were refused, for the log took nothing'],
  ['epochs', 'times that the log went on after a failover'],
  ['restored', 'entries that this broker has put back'],
  ['jumps', 'times that entries were missing'],
  ['foreign', 'entries that are not of zcast'],
];

function showLog(state) {
  const log = state.log;
  $('log-card').hidden = !log;
  if (!log) return;
  const rows = [['state', log.error ? `${log.state}: ${log.error}` : String(log.state)]];
  for (const [member, what] of LOG_FIGURES) if (member in log) rows.push([what, say(at(log, member))]);
  fill($('log-state'), 'State of the log', [['what', true], ['now', true]], rows, '');
}

let leaving; // the client that the dialog asks about

function dropButton(one) {
  if (!/^[0-9a-f]{16}$/.test(one.id ?? '')) return '–'; // a worker of an earlier version
  const name = `${one.client}, connection ${one.id}`;
  return button('Disconnect', `Disconnect ${name}`, `drop ${one.id}`, () => {
    leaving = { id: one.id, name };
    $('drop-what').textContent = name;
    $('drop').returnValue = 'no';
    $('drop').showModal();
  });
}

/** The worker that has the client is told by the broker. */
async function drop() {
  const { id, name } = leaving;
  const note = $('slow-note');
  if ($('drop').returnValue !== 'yes') return;
  try {
    await send('POST', `/console/drop?client=${id}`);
    note.textContent = `Told to disconnect: ${name}`;
    note.className = 'hint';
  } catch (error) {
    note.textContent = error.message;
    note.className = 'hint bad';
  }
}

function showSlow(state) {
  const rows = workersOf(state).flatMap(([name, report]) =>
    (report.slow ?? []).map((one) => [String(one.client), name, String(one.transport), bytes(one.lag), one.blocked ? 'blocked' : 'takes bytes', String(one.topic ?? '–'), dropButton(one)]),
  );
  fill($('slow'), 'Slow clients', [['client'], ['program'], ['transport'], ['behind'], ['socket'], ['topic'], ['by hand']], rows, 'No client is behind.');
}

/** Each counter that says that somebody didn't get something, and what it means. */
const LOSSES = [
  ['holes', 'losses on the way from the broker, mended from history where it had them'],
  ['malformed', 'messages from the broker that made no sense'],
  ['http.errors', 'requests answered with 400 to 499'],
  ['http.refused', 'requests told to come back, for want of room'],
  ['http.conflicts', 'publishes refused as conflicts'],
  ['ws.violations', 'WebSockets closed for breaking the protocol'],
  ['ws.silent', 'WebSockets closed for giving no sign of life'],
  ['ws.slow', 'connections dropped since they took too little'],
];

function showLosses(state) {
  const rows = [];
  for (const [name, report] of workersOf(state)) {
    const old = minute[0]?.workers?.[name];
    const then = old?.pid === report.pid ? old : undefined;
    const add = (what, path) => {
      if (at(report, path) > 0) rows.push([name, say(at(report, path)), then ? say(gained(report, then, path)) : '–', what]);
    };
    for (const [word] of entries(report.losses)) add(reasonOf(word), `losses.${word}`);
    for (const [path, what] of LOSSES) add(what, path);
    for (const [limit] of entries(report.http?.limits)) add(`refused for the limit of ${limit}`, `http.limits.${limit}`);
  }
  fill($('losses'), 'Gaps, drops and refusals', [['program'], ['in all'], ['last minute'], ['what', true]], rows, 'None since the programs began.');
}

function showRedis(state) {
  const bridges = bridgesOf(state);
  $('redis-card').hidden = !bridges.length;
  const columns = [['bridge'], ['subscribed'], ['received'], ['published'], ['waiting'], ['refused'], ['lost'], ['gaps']];
  const members = ['subscribed', 'received', 'published', 'waiting', 'refused', 'dropped', 'redis_gaps'];
  fill($('redis'), 'Bridges to Redis', columns, bridges.map(([name, report]) => [name, ...members.map((member) => say(at(report, member)))]), '');
}

function show(state) {
  const then = baseOf(state);
  const sample = measure(state, then);
  showTiles(state, sample);
  showCharts();
  showPrograms(state, then);
  showClients(state);
  showSlow(state);
  showBusy(state);
  showPopular(state);
  showIncidents(state);
  showLog(state);
  showLosses(state);
  showRedis(state);
}

/*  ---------------------------------------------------------------- requests */

/** @param {string} method @param {string} path */
async function send(method, path) {
  const response = await fetch(path, { method, headers: { authorization: `Bearer ${token}`, accept: 'application/json' }, cache: 'no-store', signal: AbortSignal.timeout(10000) });
  if (response.ok) return response.json();
  const said = await response.json().catch(() => ({}));
  throw Object.assign(new Error(said.message ?? `the server says ${response.status}`), { status: response.status });
}

const get = (path) => send('GET', path);

function status(text, bad) {
  if ($('status').textContent !== text) $('status').textContent = text;
  $('status').className = bad ? 'bad' : '';
}

function close(reason) {
  clearTimeout(timer);
  hush();
  token = '';
  sessionStorage.removeItem(KEPT);
  samples.length = minute.length = 0;
  stop();
  $('log').replaceChildren();
  for (const id of ['tiles', 'charts', 'programs', 'clients', 'slow', 'busy', 'popular', 'incidents', 'losses', 'log-state', 'redis', 'topics', 'messages']) $(id).replaceChildren();
  closeMessage();
  $('console').hidden = $('forget').hidden = true;
  $('ask').hidden = false;
  $('refusal').textContent = reason;
  status('Give a token');
  $('token').focus();
}

function open() {
  $('ask').hidden = true;
  $('console').hidden = $('forget').hidden = false;
  sessionStorage.setItem(KEPT, token);
  listTopics();
}

function take(state) {
  if ($('console').hidden) open();
  show(Object.assign(state, { at: Date.now() }));
  const how = Date.now() - pushed < 3 * PERIOD ? 'live' : 'asked every 2 s';
  status(`Broker ${state.version ?? ''}, ${workersOf(state).length === 1 ? 'one worker' : `${workersOf(state).length} workers`}, ${how}`);
}

/** One look, and the next one after a while: nothing is asked while figures come by themselves. A token that isn't taken ends it. */
async function look() {
  const mine = token;
  clearTimeout(timer);
  try {
    if (Date.now() - pushed > 3 * PERIOD) {
      const state = await get('/console/state');
      if (mine !== token) return;
      take(state);
      listen();
    }
  } catch (error) {
    if (mine !== token) return;
    if ([401, 403, 404].includes(error.status)) return void close(error.message);
    if ($('console').hidden) $('refusal').textContent = error.message;
    status(`No figures: ${error.message}`, true);
  }
  if (!$('console').hidden) timer = setTimeout(look, PERIOD);
}

/*  ---------------------------------------------------------------- figures that come by themselves */

let pushed = 0; // when figures last came so
let tried = 0; // when the stream was last asked for
let stream; // its AbortController

/** No more of the stream. */
function hush() {
  stream?.abort();
  stream = undefined;
  pushed = tried = 0;
}

/** One block of an event stream. */
function hear(block) {
  const lines = block.split('\n');
  const event = lines.find((line) => line.startsWith('event:'))?.slice(6).trim() ?? '';
  const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5)).join('\n');
  if (event === 'zcast.end') {
    const { code, message } = JSON.parse(data);
    if (code !== 'dropped') close(message); // who was disconnected by hand may come back as it is
    return;
  }
  if (!data || event.startsWith('zcast.')) return;
  pushed = Date.now();
  take(JSON.parse(data));
}

async function readStream(response, mine) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (let from = 0; mine === stream && text.length < PUSHED; ) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end; mine === stream && (end = text.indexOf('\n\n', from)) >= 0; from = 0) {
      hear(text.slice(0, end));
      text = text.slice(end + 2);
    }
    from = Math.max(0, text.length - 1);
  }
}

/** Opens the stream, unless it was tried a moment ago. Whatever goes wrong: the figures are asked for. */
async function listen() {
  if (Date.now() - tried < AGAIN) return;
  hush();
  tried = Date.now();
  const mine = new AbortController();
  stream = mine;
  try {
    const response = await fetch('/console/live', { headers: { authorization: `Bearer ${token}` }, cache: 'no-store', signal: mine.signal });
    if (response.ok && response.body) await readStream(response, mine);
  } catch {}
  mine.abort();
}

/*  ---------------------------------------------------------------- topics */

let topics = { topics: [], more: false };

const ageOf = (position) => Math.max(0, (Date.now() - Number(position.split('-')[0])) / 1000);

function age(seconds) {
  if (seconds < 120) return `${say(Math.round(seconds))} s`;
  return seconds < 7200 ? `${say(Math.round(seconds / 60))} min` : `${say(Math.round(seconds / 3600))} h`;
}

function watch(topic) {
  $('names').value = topic;
  start([topic]);
  $('names').focus();
}

function showTopics() {
  const text = $('topic-filter').value;
  const found = topics.topics.filter((one) => one.topic.includes(text)).sort((a, b) => ageOf(a.last) - ageOf(b.last));
  const rows = found.slice(0, ROWS).map((one) => [one.topic, say(one.messages), bytes(one.bytes), age(ageOf(one.last)), topicButtons('kept', one.topic)]);
  fill($('topics'), 'Topics', [['topic'], ['messages kept'], ['bytes kept'], ['last message'], ['by hand']], rows, 'No topic.');
  const some = found.length > ROWS ? `; the ${ROWS} of the latest messages are shown` : '';
  $('topics-note').textContent = `${found.length} topics${topics.more ? ' of the first 1000' : ''}${some}`;
}

async function listTopics() {
  try {
    topics = await get('/console/topics');
    showTopics();
  } catch (error) {
    $('topics-note').textContent = error.message;
  }
}

/*  ---------------------------------------------------------------- history
 *
 *  The server gives pages from a position on, and says how many messages follow. So the last page, or the one before another, is
 *  found by halving: it begins at a position with so many messages after it. */

let browsed = { topic: '', since: 'earliest', messages: [] };
let opened; // the message that is shown
let from; // the button that opened it

const packed = (id) => {
  const [milliseconds, counter] = id.split('-').map(BigInt);
  return (milliseconds << 20n) | counter;
};
const positionOf = (number) => `${number >> 20n}-${number & 0xfffffn}`;

async function fetchPage(topic, since, count, cut) {
  const page = await get(`/console/history?topic=${encodeURIComponent(topic)}&since=${since}&count=${count}&cut=${cut}`);
  return Object.assign(page, { after: page.messages.length + page.remaining });
}

/** A position with `least` to `most` messages after it, of those from `first` to `head`. */
async function locate(topic, least, most, first, head) {
  let low = packed(first);
  let high = packed(head);
  for (;;) {
    const middle = (low + high) / 2n;
    const { after } = await fetchPage(topic, positionOf(middle), 1, 0);
    if ((after >= least && after <= most) || high - low < 2n) return { since: positionOf(middle), after };
    if (after > most) low = middle;
    else high = middle;
  }
}

/** The page that ends before the last `skipped` messages. */
async function pageBefore(topic, skipped) {
  const all = await fetchPage(topic, 'earliest', 1, 0);
  const wanted = all.after - skipped;
  if (wanted <= PAGE) return { since: 'earliest', count: Math.max(wanted, 0) };
  const { head } = await fetchPage(topic, LATER, 1, 0); // of the broker
  const { since, after } = await locate(topic, skipped + PAGE / 2, skipped + PAGE, all.messages[0].id, head);
  return { since, count: Math.min(after - skipped, PAGE) };
}

function sayHistory(text, bad) {
  $('history-note').textContent = text;
  $('history-note').className = bad ? 'hint bad' : 'hint';
}

const timeOf = (id) => new Date(Number(id.split('-')[0]));

function showPage(page) {
  const rows = page.messages.toReversed().map((one) => [
    timeOf(one.id).toLocaleString(),
    one.id,
    String(one.headers.event ?? ''),
    bytes(one.bytes),
    one.base64 === undefined ? one.data.slice(0, 200) : 'not text',
    button('Look', `Look at ${one.id}`, `look ${one.id}`, (event) => openMessage(one.id, event.currentTarget)),
  ]);
  fill($('messages'), `Messages of ${browsed.topic}`, [['published'], ['id'], ['event'], ['size'], ['message', true], ['by hand']], rows, 'History has no message here.');
  const oldest = page.messages[0];
  $('older').disabled = !oldest;
  $('newer').disabled = page.remaining === 0;
  const more = page.remaining ? `, and ${say(page.remaining)} newer ones` : ', and no newer ones';
  sayHistory(oldest ? `${page.messages.length} messages, the newest first${more}` : 'No message');
}

/** Shows the page that `which` finds. */
async function turn(topic, which) {
  sayHistory('Reading');
  closeMessage();
  try {
    const { since, count } = await which();
    if (count === 0) {
      $('older').disabled = true;
      return void sayHistory(browsed.messages.length && browsed.topic === topic ? 'There are no older ones' : 'History has no message of this topic');
    }
    const page = await fetchPage(topic, since, count, 400);
    browsed = { topic, since, messages: page.messages };
    showPage(page);
  } catch (error) {
    sayHistory(error.message, true);
  }
}

const newest = () => {
  const topic = $('history-topic').value;
  return turn(topic, () => pageBefore(topic, 0));
};

const older = () =>
  turn(browsed.topic, async () => {
    const { after } = await fetchPage(browsed.topic, browsed.since, 1, 0);
    return browsed.since === 'earliest' ? { count: 0 } : pageBefore(browsed.topic, after);
  });

const newer = () => turn(browsed.topic, async () => ({ since: browsed.messages.at(-1)?.id ?? browsed.since, count: PAGE }));

function fromTime() {
  const topic = $('history-topic').value;
  const time = new Date($('history-time').value).getTime();
  if (!topic || !Number.isFinite(time)) return void sayHistory('A topic and a time are needed', true);
  turn(topic, async () => ({ since: `${Math.max(0, time)}-0`, count: PAGE }));
}

function browse(topic) {
  $('history-topic').value = topic;
  $('history-title').focus();
  newest();
}

/** All of one message. */
async function openMessage(id, opener) {
  try {
    const { messages } = await fetchPage(browsed.topic, positionOf(packed(id) - 1n), 1, 2 ** 32 - 1);
    if (messages[0]?.id !== id) return void sayHistory('History no longer has it', true);
    opened = messages[0];
    from = opener;
    const text = opened.data ?? opened.base64;
    const cut = text.length > WHOLE ? `; the first ${say(WHOLE)} characters are shown` : '';
    $('message-title').textContent = `Message ${id}, ${bytes(opened.bytes)}${opened.base64 === undefined ? '' : ', in base64'}${cut}`;
    $('message-headers').textContent = entries(opened.headers).map(([name, value]) => `${name}: ${value}`).join('\n');
    $('message-text').textContent = text.slice(0, WHOLE);
    $('message').hidden = false;
    $('message-title').focus();
  } catch (error) {
    sayHistory(error.message, true);
  }
}

function closeMessage() {
  const had = !$('message').hidden;
  opened = undefined;
  $('message').hidden = true;
  $('message-text').textContent = $('message-headers').textContent = '';
  if (had) from?.focus();
}

/** A message that is published again is another message, so it gets no id or key of the first one. */
function curlAgain() {
  const event = opened.headers.event ? ` -H ${quote(`Zcast-Event: ${opened.headers.event}`)}` : '';
  const address = quote(`${location.origin}/publish?topic=${encodeURIComponent(browsed.topic)}`);
  const rest = `${bearer} -H 'Content-Type: ${opened.base64 === undefined ? 'text/plain' : 'application/octet-stream'}'${event}`;
  if (opened.base64 !== undefined) return `echo ${quote(opened.base64)} | base64 -d | curl ${rest} --data-binary @- ${address}`;
  return `curl ${rest} --data-raw ${quote(opened.data)} ${address}`;
}

function curlFrom() {
  const before = positionOf(packed(opened.id) - 1n);
  return `curl -N ${bearer} ${quote(`${location.origin}/events?topic=${encodeURIComponent(browsed.topic)}&last-event-id=${before}`)}`;
}

/*  ---------------------------------------------------------------- by hand */

let subscription;
let paused = false;
const waiting = []; // while paused
let passed = 0; // messages that came while the log was paused, and are gone

const shown = (item) => !$('filter').value || item.textContent.includes($('filter').value);

function add(head, text) {
  const item = make('li', '');
  item.append(make('div', head, 'head'), make('div', text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${say(text.length)} characters)` : text));
  if (paused) {
    waiting.push(item);
    if (waiting.length > SHOWN) passed += waiting.splice(0, waiting.length - SHOWN).length;
    $('pause').textContent = `Go on (${waiting.length + passed})`;
    return;
  }
  item.hidden = !shown(item);
  $('log').prepend(item);
  while ($('log').childElementCount > SHOWN) $('log').lastElementChild.remove();
}

function stop() {
  subscription?.close();
  subscription = undefined;
}

function tell(text, bad) {
  $('listen-state').textContent = text;
  $('listen-state').className = bad ? 'hint bad' : 'hint';
}

const textOf = (data) => (typeof data === 'string' ? data : JSON.stringify(data));

function start(names) {
  stop();
  try {
    subscription = subscribe(names, (message) => add(`${message.topic}  ${message.id}`, textOf(message.data)), {
      token,
      transport: 'sse',
      onState: (now) => tell(now.error ? `${now.state}: ${now.error.message}` : now.state, now.state === 'refused'),
      onContinuity: (verdict) => verdict.status === 'gap' && add('gap', `messages are missing${verdict.topic ? ` on ${verdict.topic}` : ''}`),
      onError: (error) => tell(error.message, true),
    });
  } catch (error) {
    tell(error.message, true);
  }
}

const namesGiven = () => $('names').value.split(/\s+/).filter(Boolean);

/** A word of a shell, whatever it holds. */
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const bearer = `-H "Authorization: Bearer $ZCAST_TOKEN"`;

function curlListen() {
  const query = namesGiven().map((name) => `topic=${encodeURIComponent(name)}`).join('&');
  return `curl -N ${bearer} ${quote(`${location.origin}/events?${query}`)}`;
}

const publishAddress = () => `/publish?topic=${encodeURIComponent($('where').value)}`;

const curlPublish = () => `curl ${bearer} -H 'Content-Type: text/plain' --data-raw ${quote($('what').value)} ${quote(location.origin + publishAddress())}`;

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    $('copied').textContent = `Copied: ${text}`;
  } catch {
    $('copied').textContent = `Copy it from here: ${text}`;
  }
}

async function publish() {
  const answer = $('published');
  try {
    const response = await fetch(publishAddress(), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, accept: 'application/json', 'content-type': 'text/plain' },
      body: $('what').value,
      signal: AbortSignal.timeout(20000),
    });
    const said = await response.json().catch(() => ({}));
    answer.textContent = response.ok ? `Published: ${said.id ?? ''}` : `${response.status}: ${said.message ?? ''}`;
    answer.className = response.ok ? 'hint' : 'hint bad';
  } catch (error) {
    answer.textContent = error.message;
    answer.className = 'hint bad';
  }
}

function pause() {
  paused = !paused;
  $('pause').setAttribute('aria-pressed', String(paused));
  $('pause').textContent = paused ? 'Go on' : 'Pause';
  if (paused) return;
  const items = waiting.splice(0);
  const lost = passed;
  passed = 0;
  if (lost) add('', `${say(lost)} messages came while the log was paused, and aren't shown`);
  for (const item of items) {
    item.hidden = !shown(item);
    $('log').prepend(item);
  }
  while ($('log').childElementCount > SHOWN) $('log').lastElementChild.remove();
}

/*  ---------------------------------------------------------------- the page */

function on(id, event, handler) {
  $(id).addEventListener(event, (happened) => {
    if (event === 'submit') happened.preventDefault();
    handler();
  });
}

on('ask', 'submit', () => {
  token = $('token').value.trim();
  $('token').value = '';
  $('refusal').textContent = '';
  look();
});
on('forget', 'click', () => close(''));
on('listen', 'submit', () => start(namesGiven()));
on('publish', 'submit', publish);
on('pause', 'click', pause);
on('clear', 'click', () => $('log').replaceChildren());
on('filter', 'input', () => {
  for (const item of $('log').children) item.hidden = !shown(item);
});
on('topic-filter', 'input', showTopics);
on('refresh', 'click', listTopics);
on('drop', 'close', drop);
on('browse', 'submit', newest);
on('older', 'click', older);
on('newer', 'click', newer);
on('from-time', 'click', fromTime);
on('close-message', 'click', closeMessage);
on('curl-again', 'click', () => copy(curlAgain()));
on('curl-from', 'click', () => copy(curlFrom()));
on('curl-listen', 'click', () => copy(curlListen()));
on('curl-publish', 'click', () => copy(curlPublish()));
if (token) look();
