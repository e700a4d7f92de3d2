/** text.js - what the page writes: figures, times, messages, and lines of an access log. */

/** @param {string} name @param {string} text @param {string} [className] */
export function element(name, text, className = '') {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

export const percent = (/** @type {number} */ value) => `${Math.round(value)} %`;
export const plain = (/** @type {number} */ value) => value.toFixed(value < 10 ? 2 : 1);
export const clock = (/** @type {number} */ time) => new Date(time).toLocaleTimeString('en-GB');
export const messages = (/** @type {number} */ count) => `${count} ${count === 1 ? 'message' : 'messages'}`;

/** @param {number} value */
export function bytes(value) {
  const step = Math.min(4, Math.max(0, Math.floor(Math.log2(Math.max(1, value)) / 10)));
  const number = value / 1024 ** step;
  return `${number.toFixed(step && number < 100 ? 1 : 0)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][step]}`;
}

/** Characters that are not seen, or that turn the direction of what stands beside them; not line feed and tab. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** As `zmq sub` shows it on a terminal. @param {string} text */
export const shown = (text) =>
  text.replace(UNSEEN, (one) => {
    const code = one.charCodeAt(0);
    return code > 255 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\x${code.toString(16).padStart(2, '0')}`;
  });

/** @param {string} text */
export function payload(text) {
  const made = element('span', shown(text.length > 2000 ? `${text.slice(0, 2000)}…` : text), 'data');
  if (text.length > 200) made.title = made.textContent ?? ''; // the list shows its first lines
  return made;
}

/** What is wrong with a topic, '' where nothing is. @param {string} topic */
export function refusal(topic) {
  if (!topic) return 'Which topic?';
  if (/[\u0000-\u001f\u007f-\u009f]/.test(topic)) return 'A topic has no control characters.';
  const size = new TextEncoder().encode(topic).length;
  return size > 1024 ? `A topic has at most 1024 bytes; this one has ${size}.` : '';
}

/** @param {string} address */
function readable(address) {
  try {
    return shown(decodeURIComponent(address));
  } catch {
    return address;
  }
}

/** Lines break between the parts of an address, and not in one; nobody sees more than its first parts. @param {string} address */
const parts = (address) => address.split(/(?<=[/?&;,])(?![/?&;,])/, 64).map((part) => element('span', part));

/** A line of the web server's log, its main things first; whole as a tooltip. @param {string} line */
export function request(line) {
  const [, from, what, status, size] = /^(\S+) .*?"([^"]*)" (\d{3}) (\d+|-)/.exec(line) ?? [];
  if (!what) return payload(line);
  const made = element('span', '', 'data request');
  const address = element('span', '', 'address');
  address.append(...parts(readable(what.replace(/ HTTP\/[\d.]+$/, ''))));
  const about = element('small', '');
  about.append(element('span', `${bytes(Number(size) || 0)},`), ' ', element('span', from));
  made.append(element('span', status, `status ${status < '400' ? 'ok' : 'fail'}`), ' ', address, ' ', about);
  made.title = line;
  return made;
}
