/** zcast/core, a subscription with a connection of its own: node --test tests/browser */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import '../../clients/js/src/token.js';
import { subscribe } from '../../clients/js/src/core.js';
import { subscribe as subscribeWhole } from '../../clients/js/src/index.js';
import { World, random } from './world.mjs';

/** @type {World} */
let world;

function listen(topics, options = {}, make = subscribe) {
  const heard = { data: [], verdicts: [], states: [], errors: [] };
  heard.sub = make(topics, (message) => heard.data.push(message.data), {
    onContinuity: (verdict) => heard.verdicts.push(verdict),
    onState: ({ state }) => heard.states.push(state),
    onError: (error) => heard.errors.push(error),
    ...options,
  });
  return heard;
}

describe('the core', () => {
  beforeEach(() => (world = new World(7)));
  afterEach(() => world.restore());

  for (const transport of ['sse', 'ws']) {
    test(`${transport}: messages, a cut, what was missed; pause, resume, close`, async () => {
      const heard = listen('a', { transport });
      assert.equal(heard.sub.state, 'connecting');
      await world.settle();
      world.publish('a', 'one');
      world.publish('b', 'not ours');
      await world.settle();
      world.cut();
      world.publish('a', 'two');
      await world.pass(5000);
      assert.deepEqual([heard.data, heard.verdicts.map(({ status, replayed }) => [status, replayed])], [['one', 'two'], [['continued', 1]]]);
      heard.sub.pause();
      world.publish('a', 'three');
      await world.pass(1000);
      assert.deepEqual([heard.sub.state, world.connections.size, world.timers.size], ['paused', 0, 0]);
      heard.sub.resume();
      await world.pass(1000);
      heard.sub.use(transport === 'sse' ? 'ws' : 'sse');
      world.publish('a', 'four');
      await world.pass(1000);
      assert.deepEqual(heard.data, ['one', 'two', 'three', 'four']);
      assert.equal(heard.sub.lastId, world.history.at(-1).id);
      heard.sub.close();
      await world.pass(60_000);
      assert.deepEqual([heard.sub.state, world.connections.size, world.timers.size], ['closed', 0, 0]);
      assert.deepEqual(heard.states, ['open', 'waiting', 'connecting', 'open', 'paused', 'connecting', 'open', 'connecting', 'open', 'closed']);
    });

    test(`${transport}: topics come and go on the same connection; idle without any`, async () => {
      const heard = listen('a', { transport });
      await world.settle();
      heard.sub.add('b');
      heard.sub.add('c');
      await world.pass(100);
      for (const topic of ['a', 'b', 'c']) world.publish(topic, topic);
      await world.settle();
      assert.deepEqual([heard.data, heard.sub.topics, world.connections.size], [['a', 'b', 'c'], ['a', 'b', 'c'], 1]);
      heard.sub.remove('b');
      world.publish('b', 'no more');
      await world.pass(100);
      world.publish('c', 'c2');
      await world.settle();
      assert.deepEqual(heard.data, ['a', 'b', 'c', 'c2']);
      heard.sub.remove('a', 'c');
      await world.pass(60_000);
      assert.deepEqual([heard.sub.state, world.connections.size, world.timers.size], ['idle', 0, 0]);
      world.publish('a', 'between');
      heard.sub.add('a');
      await world.pass(100);
      world.publish('a', 'again');
      await world.settle();
      assert.deepEqual([heard.sub.state, heard.data.at(-1), heard.data.length], ['open', 'again', 5]);
    });

    test(`${transport}: what is refused is told; what was added is refused alone`, async () => {
      world.refusal = ({ topics }) => (topics.includes('no') ? { status: 403, code: 'forbidden', message: 'not you' } : undefined);
      const refused = listen('no', { transport });
      const heard = listen('a', { transport });
      await world.pass(5000);
      assert.deepEqual([refused.sub.state, refused.sub.status.error.status, refused.errors.length], ['refused', 403, 1]);
      heard.sub.add('no');
      await world.pass(5000);
      world.publish('a', 'one');
      await world.settle();
      assert.deepEqual([heard.sub.state, heard.sub.topics, heard.data, heard.errors.map(({ status }) => status)], ['open', ['a'], ['one'], [403]]);
      world.refusal = () => undefined;
      refused.sub.pause();
      refused.sub.resume();
      await world.pass(1000);
      assert.equal(refused.sub.state, 'open');
    });
  }

  for (const make of [subscribe, subscribeWhole])
    for (const transport of ['sse', 'ws'])
      test(`${transport}, ${make === subscribe ? 'core' : 'whole'}: topics by their form, beside one by its name, over a cut; they come and go`, async () => {
        const other = listen('x/1', { transport }, make);
        const heard = listen([{ match: 'a/#' }, 'b'], { transport }, make);
        await world.settle();
        assert.deepEqual(heard.sub.topics, [{ match: 'a/#' }, 'b']);
        for (const topic of ['a/1', 'b', 'x/1', 'a/2']) world.publish(topic, topic);
        await world.settle();
        world.cut();
        world.publish('a/3', 'a/3');
        await world.pass(5000);
        assert.deepEqual([heard.data, other.data], [['a/1', 'b', 'a/2', 'a/3'], ['x/1']]);
        heard.sub.add({ match: 'c/#' }, 'd');
        await world.pass(100);
        heard.sub.remove({ match: 'a/#' });
        await world.pass(100);
        for (const topic of ['a/4', 'b', 'c/1', 'd']) world.publish(topic, topic);
        await world.settle();
        assert.deepEqual([heard.data.slice(4), heard.sub.topics, heard.sub.state], [['b', 'c/1', 'd'], ['b', { match: 'c/#' }, 'd'], 'open']);
        assert.deepEqual(heard.errors, []);
        for (const bad of [{}, { match: '' }, { match: 1 }, { filter: 'a' }, { match: 'a\n' }, null])
          assert.throws(() => make([bad]), TypeError, JSON.stringify(bad));
        assert.equal(world.connections.size, 2);
      });

  test('the whole: a selector is asked for when subscribing', async () => {
    const { sub } = listen('a', { transport: 'ws' }, subscribeWhole);
    await world.settle();
    assert.throws(() => sub.add({ match: 'b/#' }), TypeError);
    assert.throws(() => subscribeWhole([{ match: 'b/#' }], undefined, { share: true }), TypeError);
    assert.deepEqual(sub.topics, ['a']);
  });

  test('addresses and words carry selectors', async () => {
    const { sub } = listen([{ template: 'https://e.org/{id}' }, { pattern: '/a/:b' }, { match: '+/x' }, 't'], { transport: 'ws' });
    await world.settle();
    assert.equal(world.opened[0].search, '?template=https%3A%2F%2Fe.org%2F%7Bid%7D&pattern=%2Fa%2F%3Ab&match=%2B%2Fx&topic=t');
    sub.add({ match: 'y/#' });
    await world.settle();
    assert.deepEqual(world.said, [{ type: 'subscribe', topics: [], match: ['y/#'] }]);
  });

  test('a token that a function gives, history, and a gap', async () => {
    world.publish('a', 'one');
    world.publish('a', 'two');
    const heard = listen('a', { transport: 'ws', token: async () => 't', since: 'earliest' });
    await world.pass(100);
    assert.deepEqual([heard.data, [...world.connections][0].protocols], [['one', 'two'], ['zcast.v1', 'zcast.token.t']]);
    heard.sub.pause();
    world.publish('a', 'three');
    world.forget('a');
    heard.sub.resume();
    await world.pass(100);
    assert.deepEqual(heard.verdicts.map(({ status }) => status), ['continued', 'gap']);
  });

  test('what only the whole has is refused with the name of its import', () => {
    assert.throws(() => subscribe('a', undefined, { share: true }), /import 'zcast/);
    const { sub } = listen('a', { transport: 'ws' });
    assert.throws(() => sub.add('b', { since: 'earliest' }), TypeError);
    assert.deepEqual(sub.topics, ['a']);
    sub.close();
  });

  test('any life: no message lost, none twice', async () => {
    world.restore();
    for (let seed = 1; seed <= Number(process.env.ZCAST_RUNS ?? 60); seed++) {
      world = new World(seed);
      world.apart = true;
      const draw = random(seed);
      const heard = listen(['a', 'b']);
      const acts = [
        () => world.publish(draw() < 0.5 ? 'a' : 'b'),
        () => world.step(),
        () => world.step(),
        () => world.noise(),
        () => draw() < 0.3 && world.cut(),
        () => draw() < 0.2 && world.pass(Math.floor(draw() * 60_000)),
        () => draw() < 0.2 && heard.sub.use(['auto', 'sse', 'ws'][Math.floor(draw() * 3)]),
        () => draw() < 0.2 && (heard.sub.state === 'paused' ? heard.sub.resume() : heard.sub.pause()),
        () => world.heartbeat(),
      ];
      for (let i = 0; i < 300; i++) await acts[Math.floor(draw() * acts.length)]();
      heard.sub.resume();
      for (let i = 0; i < 5; i++) {
        await world.pass(15_000);
        world.heartbeat();
      }
      await world.settle();
      const first = Number(heard.data[0] ?? 0);
      assert.deepEqual(heard.data, Array.from({ length: heard.data.length }, (_, i) => String(first + i)), `seed ${seed}`);
      assert.equal(heard.data.at(-1), world.history.at(-1)?.data, `seed ${seed}: not current`);
      assert.equal(world.connections.size, 1, `seed ${seed}`);
      heard.sub.close();
      world.restore();
    }
    world = new World(1);
  });
});
