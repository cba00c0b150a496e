'use strict';
// The service without a server and without triggerd.
const assert = require('node:assert/strict');
const test = require('node:test');
const { Sum } = require('./service.js');
const { SettingError, TestHost, ok, reject, unavailable } = require('./trigger-service.js');

const sums = (payload) => ({ topic: 'sums', payload, qos: 1, retain: false });

test('adds and publishes', async () => {
  const host = await TestHost.create(Sum, { settings: { topic: 'sums', every: 2 } });
  assert.deepEqual(await host.send({ payload: '20' }), ok());
  assert.deepEqual(host.published, []);
  assert.deepEqual(await host.send({ payload: '22' }), ok());
  assert.deepEqual(host.published, [sums('42')]);
  assert.equal(host.metrics.numbers_total, 2);
  await host.stop();
});

test('what is no number is not tried again', async () => {
  const host = await TestHost.create(Sum, { settings: { topic: 'sums' } });
  const wrong = reject('the payload must be a whole number of at most 12 digits');
  for (const payload of ['', '4 2', '0x2a', '1000000000000', '1\n', Buffer.from([255])]) {
    assert.deepEqual(await host.send({ payload }), wrong);
  }
});

test('a number counts once however often it comes', async () => {
  const host = await TestHost.create(Sum, { settings: { topic: 'sums', every: 2 } });
  await host.send({ payload: '20' });
  host.refusePublishes('not_connected', 'cut off');
  assert.deepEqual(await host.send({ payload: '22' }), unavailable('not_connected: cut off'));
  assert.equal(host.metrics.numbers_total, 1);
  host.acceptPublishes();
  assert.deepEqual(await host.send({ payload: '22', attempt: 2 }), ok());
  assert.deepEqual(host.published, [sums('42')]);
  assert.equal(host.metrics.numbers_total, 2);
});

test('several in hand are added one after another', async () => {
  const host = await TestHost.create(Sum, { settings: { topic: 'sums', every: 1 }, inFlight: 2 });
  const tokens = [host.post({ payload: '1' }), host.post({ payload: '2' })];
  for (const token of tokens) assert.deepEqual(await host.verdict(token), ok());
  assert.deepEqual(host.published, [sums('1'), sums('3')]);
});

test('wrong settings are named', async () => {
  for (const [settings, message] of [
    [{}, 'setting "topic" is missing; it must be a string'],
    [{ topic: 't', every: 0 }, 'setting "every" must be 1 or more'],
    [{ topic: 't', evry: 1 }, 'setting "evry" is unknown; this service knows "topic", "every"'],
  ]) {
    await assert.rejects(TestHost.create(Sum, { settings }), { constructor: SettingError, message });
  }
});
