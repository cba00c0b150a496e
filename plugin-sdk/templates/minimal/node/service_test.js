'use strict';
// The service without a server and without triggerd.
const assert = require('node:assert/strict');
const test = require('node:test');
const { Hello } = require('./service.js');
const { TestHost, ok, reject } = require('./trigger-service.js');

test('greets visitors', async () => {
  const host = await TestHost.create(Hello);
  assert.deepEqual(await host.send({ payload: 'Ada' }), ok());
  assert.deepEqual(host.logs, [{ level: 'info', text: 'hello Ada' }]);
  assert.deepEqual(await host.send(), reject('nobody to greet'));
  const binary = Buffer.from([255]);
  assert.deepEqual(await host.send({ payload: binary }), reject('the payload must be text'));
  await host.stop();
});
