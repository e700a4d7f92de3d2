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
  table.replaceChildren(top, body);
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

function showSlow(state) {
  const rows = workersOf(state).flatMap(([name, report]) =>
    (report.slow ?? []).map((one) => [String(one.client), name, String(one.transport), bytes(one.lag), one.blocked ? 'blocked' : 'takes bytes', String(one.topic ?? '–')]),
  );
  fill($('slow'), 'Slow clients', [['client'], ['program'], ['transport'], ['behind'], ['socket'], ['topic']], rows, 'No client is behind.');
}

/** Each counter that says that somebody didn't get something, and what it means. */
const LOSSES = [
  ['holes', 'losses on the way from the broker, mended from history where it had them'],
  ['gaps', 'gaps that clients were told of'],
  ['slow_dropped', 'slow clients that were disconnected'],
  ['slow_skipped', 'slow clients that were led to the newest message'],
  ['held_dropped', 'clients disconnected since too much was held for all'],
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
  showSlow(state);
  showLosses(state);
  showRedis(state);
}

/*  ---------------------------------------------------------------- requests */

/** @param {string} path */
async function get(path) {
  const response = await fetch(path, { headers: { authorization: `Bearer ${token}`, accept: 'application/json' }, cache: 'no-store', signal: AbortSignal.timeout(10000) });
  if (response.ok) return response.json();
  const said = await response.json().catch(() => ({}));
  throw Object.assign(new Error(said.message ?? `the server says ${response.status}`), { status: response.status });
}

function status(text, bad) {
  if ($('status').textContent !== text) $('status').textContent = text;
  $('status').className = bad ? 'bad' : '';
}

function close(reason) {
  clearTimeout(timer);
  token = '';
  sessionStorage.removeItem(KEPT);
  samples.length = minute.length = 0;
  stop();
  $('log').replaceChildren();
  for (const id of ['tiles', 'charts', 'programs', 'slow', 'losses', 'redis', 'topics']) $(id).replaceChildren();
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

/** One look, and the next one after a while. A token that isn't taken ends it. */
async function look() {
  const mine = token;
  clearTimeout(timer);
  try {
    const state = await get('/console/state');
    if (mine !== token) return;
    if ($('console').hidden) open();
    show(Object.assign(state, { at: Date.now() }));
    status(`Broker ${state.version ?? ''}, ${workersOf(state).length} workers`);
  } catch (error) {
    if (mine !== token) return;
    if ([401, 403, 404].includes(error.status)) return void close(error.message);
    if ($('console').hidden) $('refusal').textContent = error.message;
    status(`No figures: ${error.message}`, true);
  }
  if (!$('console').hidden) timer = setTimeout(look, PERIOD);
}

/*  ---------------------------------------------------------------- topics */

let topics = { topics: [], more: false };

const ageOf = (position) => Math.max(0, (Date.now() - Number(position.split('-')[0])) / 1000);

function age(seconds) {
  if (seconds < 120) return `${say(Math.round(seconds))} s`;
  return seconds < 7200 ? `${say(Math.round(seconds / 60))} min` : `${say(Math.round(seconds / 3600))} h`;
}

function watchButton(topic) {
  const button = make('button', 'Subscribe');
  button.setAttribute('aria-label', `Subscribe to ${topic}`);
  button.addEventListener('click', () => {
    $('names').value = topic;
    start([topic]);
    $('names').focus();
  });
  return button;
}

function showTopics() {
  const text = $('topic-filter').value;
  const found = topics.topics.filter((one) => one.topic.includes(text)).sort((a, b) => ageOf(a.last) - ageOf(b.last));
  const rows = found.slice(0, ROWS).map((one) => [one.topic, say(one.messages), bytes(one.bytes), age(ageOf(one.last)), watchButton(one.topic)]);
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

async function send() {
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
on('publish', 'submit', send);
on('pause', 'click', pause);
on('clear', 'click', () => $('log').replaceChildren());
on('filter', 'input', () => {
  for (const item of $('log').children) item.hidden = !shown(item);
});
on('topic-filter', 'input', showTopics);
on('refresh', 'click', listTopics);
on('curl-listen', 'click', () => copy(curlListen()));
on('curl-publish', 'click', () => copy(curlPublish()));
if (token) look();
