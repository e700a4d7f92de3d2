/** A subscription with a connection of its own. */
import { must } from './base.js';
import { openLine } from './line.js';

/** @param {string} name */
export const isSelector = (name) => name[0] === '\x01';

/** @param {Me} me @returns {Link} */
export function makeLone(me) {
  const { on, holds, tell, become } = me;
  /** @type {string[][]} those that came together are refused together */
  let groups = [];
  let last = '';
  /** @type {Source | undefined} */
  let source;

  const topics = () => groups.flat();

  /** @type {Sink} */
  const sink = {
    cover(covered, id, verdict, how) {
      last = id;
      if (verdict && (verdict.status === 'gap' || how !== 'quiet')) on.verdict(verdict);
    },
    gap(verdict, id) {
      last = id;
      on.verdict(verdict);
    },
    message(given) {
      last = given.id || last;
      const all = topics();
      if (all.includes(given.topic) || all.some(isSelector)) on.message(given); // else it was taken away while this was under way
    },
    position: (id) => (last = id),
    state: tell,
    error: (refusal) => on.error(refusal),
    refused(refused, refusal) {
      if (groups.length > 1) groups = groups.filter((group) => String(group) !== String(refused));
      else {
        leave();
        become('refused', refusal);
      }
    },
  };

  function connect() {
    source = openLine(me.settings, sink, groups, last);
  }

  function leave() {
    source?.stop();
    source = undefined;
  }

  return {
    topics,
    connect,
    leave,
    lastId: () => last,
    add(names, since) {
      must(!me.settings.share, 'a connection of its own is not shared');
      must(!since || !groups.length, 'a connection of its own has one place: no since for topics that are added');
      if (!groups.length) last = since;
      groups = [...groups, [...names]];
      if (source) source.want(groups);
      else if (!holds.size) connect();
    },
    remove(names) {
      groups = groups.map((group) => group.filter((topic) => !names.includes(topic))).filter((group) => group.length);
      if (groups.length) return source?.want(groups);
      leave();
      become('idle');
    },
    use(settings) {
      me.settings = settings;
      source?.use(settings.transport);
    },
  };
}
