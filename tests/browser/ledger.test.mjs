/** www/ledger.js under node: what two streams missed and repeated. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Ledger, order } from '../../www/ledger.js';

/** Two streams of the topic 'a', which both have from 0-0 on. */
function two() {
  const ledger = new Ledger(2);
  ledger.add('a', '0-0');
  return ledger;
}

/** @param {Ledger} ledger @param {number} stream @param {...string} ids */
function take(ledger, stream, ...ids) {
  for (const id of ids) ledger.take(stream, 'a', id);
}

describe('ledger', () => {
  test('positions are in order of time and then of count', () => {
    assert.ok(order('9-0', '10-0') < 0 && order('10-2', '10-10') < 0 && order('10-2', '10-2') === 0 && order('11-0', '10-9') > 0);
  });

  test('what one stream has passed without bringing it, it has missed', () => {
    const ledger = two();
    take(ledger, 0, '1-0', '2-0', '3-0');
    take(ledger, 1, '1-0', '3-0');
    ledger.settle(['3-0', '3-0']);
    assert.deepEqual([ledger.missed, ledger.repeated], [[0, 1], [0, 0]]);
    ledger.settle(['9-0', '9-0']);
    assert.deepEqual(ledger.missed, [0, 1], 'once');
  });

  test('what a stream has not reached, it is behind with', () => {
    const ledger = two();
    take(ledger, 0, '1-0', '2-0');
    for (const place of [undefined, '', 'earliest', '0-0']) {
      ledger.settle(['2-0', place]);
      assert.deepEqual([ledger.missed, ledger.behind(0), ledger.behind(1)], [[0, 0], 0, 2]);
    }
    take(ledger, 1, '1-0', '2-0');
    ledger.settle(['2-0', '2-0']);
    assert.deepEqual([ledger.missed, ledger.behind(1)], [[0, 0], 0]);
  });

  test('what comes again is repeated, and nothing that the other has missed', () => {
    const ledger = two();
    take(ledger, 0, '1-0', '1-0');
    take(ledger, 1, '1-0');
    take(ledger, 0, '1-0');
    ledger.settle(['2-0', '2-0']);
    assert.deepEqual([ledger.missed, ledger.repeated, ledger.behind(1)], [[0, 0], [2, 0], 0]);
  });

  test('nobody answers for what came before its beginning', () => {
    const ledger = two();
    ledger.begin(1, '5-0');
    take(ledger, 0, '4-0', '5-0', '6-0');
    take(ledger, 1, '7-0');
    ledger.settle(['7-0', '7-0']);
    assert.deepEqual(ledger.missed, [1, 1], '6-0 of the one, 7-0 of the other');
    ledger.add('late');
    ledger.take(0, 'late', '8-0');
    ledger.take(1, 'late', '9-0');
    ledger.settle(['9-0', '9-0']);
    assert.deepEqual(ledger.missed, [1, 1], '8-0 came before the one had its first, 9-0 is that');
    ledger.take(0, 'late', '10-0');
    ledger.settle(['10-0', '10-0']);
    assert.deepEqual(ledger.missed, [1, 2]);
  });

  test('a topic that is removed, and ids that are no positions, are not compared', () => {
    const ledger = two();
    take(ledger, 0, '1-0', 'x', '');
    ledger.take(0, 'other', '1-0');
    ledger.remove('a');
    ledger.settle(['9-0', '9-0']);
    assert.deepEqual([ledger.missed, ledger.behind(1)], [[0, 0], 0]);
  });

  test('it holds so much and no more, and judges nothing of what it forgot', () => {
    const ledger = two();
    for (let n = 1; n <= 20_000; n++) take(ledger, 0, `${n}-0`);
    assert.ok(ledger.open.size <= 4096 && ledger.recent[0].size <= 4096);
    for (let n = 1; n <= 20_000; n++) take(ledger, 1, `${n}-0`);
    ledger.settle(['20000-0', '20000-0']);
    assert.deepEqual([ledger.missed, ledger.behind(0), ledger.behind(1)], [[0, 0], 0, 0]);
  });
});
