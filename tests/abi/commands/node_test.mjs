// plugin-sdk/node/trigger-service.js, through pipes, and its TestHost.
//
//   SDK=plugin-sdk/node node --test node_test.mjs
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Host, of } from './host.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
process.env.SDK ??= path.join(here, '../../../plugin-sdk/node');
const {
  PublishError, SettingError, TestHost, ok, readSettings, reject, retry, unavailable,
} = await import(path.join(process.env.SDK, 'trigger-service.js'));

const longest = { timeout: 60_000 };

function host(context, kind = 'everything', options = {}) {
  return new Host(context, [path.join(here, 'service.cjs'), kind], options);
}

// Past what `start` writes.
async function ready(context, ...rest) {
  const made = host(context, ...rest);
  await made.expect({ type: 'log', level: 'debug', text: 'starting' });
  assert.equal((await made.read()).text, 'start cannot wait');
  await made.expect({ type: 'ready', name: 'everything', version: '1.2.0' });
  await made.expect(
    { type: 'metric', name: 'starts_total', add: 1, kind: 'counter', help: 'Starts.' });
  assert.equal((await made.read()).topic, 'early');
  return made;
}

async function ends(made) {
  made.stop();
  await made.expect({ type: 'log', level: 'info', text: 'stopped' });
  assert.deepEqual(await made.rest(), []);
  assert.equal(await made.exitCode(), 0);
  assert.match(made.errors, /^run has returned$/m);
}

test('it is ready and ends at stop', longest, async (t) => {
  const made = await ready(t);
  made.write({ type: 'stop' }); // without the end of its input
  assert.equal((await made.read()).text, 'stopped');
  assert.equal(await made.read(), undefined);
  assert.equal(await made.exitCode(), 0);
});

test('it ends with its input', longest, async (t) => {
  const made = await ready(t);
  made.closeInput();
  assert.equal((await made.read()).text, 'stopped');
  assert.equal(await made.exitCode(), 0);
});

test('an input that ends before start is an error', longest, async (t) => {
  const made = host(t, 'function', { begin: false });
  made.closeInput();
  assert.deepEqual(await made.rest(), []);
  assert.equal(await made.exitCode(), 1);
  assert.match(made.errors, /ended before start/);
});

test('a start that fails says why', longest, async (t) => {
  const made = host(t, 'everything', { settings: { fail: 'no such limit' } });
  assert.deepEqual((await made.rest()).map(({ text }) => text),
    ['starting', 'start failed: no such limit']);
  assert.equal(await made.exitCode(), 1);
});

test('a message has its members', longest, async (t) => {
  const made = await ready(t, 'everything', { settings: { limit: 80 } });
  made.message('17', 'members', '21 \u20ac', {
    retained: true, duplicate: true, attempt: 3, later: [],
    properties: {
      content_type: 'text/plain', response_topic: 'r', correlation_data_base64: '/w==',
      payload_format: 1, message_expiry: 60, user: [['a', '1'], ['a', '2']], later: 1,
    },
  });
  const properties = {
    contentType: 'text/plain', responseTopic: 'r', correlationData: Buffer.from([255]).toJSON(),
    payloadFormat: 1, messageExpiry: 60, user: [['a', '1'], ['a', '2']],
  };
  const read = await made.read();
  assert.deepEqual(JSON.parse(read.reason), [
    '17', 'id-17', 'members', Buffer.from('21 \u20ac').toString('hex'), 1, true, true, 3,
    1764490000123, true, properties, 'alarms', 'plant', 2, 4, { limit: 80 },
  ]);
  made.message('18', 'members', '', { payload_base64: 'AP8=' });
  const binary = JSON.parse((await made.read()).reason);
  assert.equal(binary[3], '00ff');
  assert.equal(binary[10], null);
});

test('each verdict', longest, async (t) => {
  const made = await ready(t);
  for (const [payload, members] of Object.entries({
    ok: { verdict: 'ok' },
    retry: { verdict: 'retry', reason: 'later' },
    retry_after: { verdict: 'retry', reason: 'soon', retry_after_ms: 1500 },
    reject: { verdict: 'reject', reason: 'never' },
    unavailable: { verdict: 'unavailable', reason: 'away', retry_after_ms: 250 },
    nothing: { verdict: 'retry', reason: 'the service returned undefined, not a verdict' },
  })) {
    made.message(payload, 'verdict', payload);
    await made.expect({ type: 'verdict', token: payload, ...members });
  }
  await ends(made);
});

test('an exception is a retry with its text', longest, async (t) => {
  const made = await ready(t);
  made.message('1', 'raises');
  const trace = await made.read();
  assert.deepEqual([trace.type, trace.level], ['log', 'warn']);
  assert.match(trace.text, /at Everything\.raises/);
  await made.verdict('1', 'retry', { reason: 'the disk is full' });
  made.message('2', 'text', '', { payload_base64: '/w==' });
  await made.read();
  assert.equal((await made.read()).verdict, 'retry');
});

test('ok publishes', longest, async (t) => {
  const made = await ready(t);
  made.message('1', 'publishing');
  await made.verdict('1', 'ok', { publish: [
    { topic: 'a', qos: 1, retain: false, payload: 'text' },
    { topic: 'b', qos: 0, retain: true, payload_base64: '/wA=' },
    { topic: 'c', qos: 1, retain: false, payload: '',
      properties: { user: [['unit', 'C']], correlation_data_base64: 'AQ==' } },
  ] });
  made.message('2', 'reply', '',
    { properties: { response_topic: 'back', correlation_data_base64: '/w==' } });
  await made.verdict('2', 'ok', { publish: [
    { topic: 'back', qos: 1, retain: false, payload: '42',
      properties: { correlation_data_base64: '/w==' } },
  ] });
  made.message('3', 'too_much');
  const read = await made.read();
  assert.deepEqual([read.token, read.verdict], ['3', 'reject']);
  assert.match(read.reason, /too many for one line/);
});

test('payloads go through whatever they are', longest, async (t) => {
  const made = await ready(t);
  const texts = ['', '\0\n\r\u2028\u{1f600}"\\', '\ufeffmarked', 'x'.repeat(1 << 20)];
  for (const payload of texts) {
    made.message('1', 'echo', payload);
    await made.expect(
      { type: 'publish', topic: 'echo', qos: 2, retain: true, alias: 'other', payload });
    await made.verdict('1', 'ok');
  }
  const binary = Buffer.alloc(1 << 20, Uint8Array.from({ length: 256 }, (_, i) => i));
  made.message('2', 'echo', '',
    { payload_base64: binary.toString('base64'), properties: { user: [['k', 'v']] } });
  const echo = await made.read();
  assert.equal(echo.payload_base64, binary.toString('base64'));
  assert.deepEqual(echo.properties, { user: [['k', 'v']] });
  await made.verdict('2', 'ok');
});

test('it waits for what it publishes', longest, async (t) => {
  const made = await ready(t);
  for (const [done, error, members] of [
    [true, '', { verdict: 'ok' }],
    [false, 'not_connected', { verdict: 'unavailable', reason: 'not_connected: why' }],
    [false, 'full', { verdict: 'unavailable', reason: 'full: why', retry_after_ms: 100 }],
    [false, 'invalid', { verdict: 'reject', reason: 'invalid: why' }],
    [false, 'failed', { verdict: 'retry', reason: 'failed: why' }],
  ]) {
    made.message('1', 'wait', 'p');
    const { id, ...sent } = await made.read();
    assert.deepEqual(sent,
      { type: 'publish', topic: 'waited', payload: 'p', qos: 1, retain: false });
    made.write({ type: 'published', id, ok: done, error, reason: 'why' });
    if (!done) assert.equal((await made.read()).level, 'debug');
    await made.expect({ type: 'verdict', token: '1', ...members });
  }
  made.message('2', 'wait_briefly');
  const late = await made.read();
  assert.equal((await made.read()).level, 'debug');
  await made.verdict('2', 'retry', { reason: 'failed: no answer within 1 ms' });
  made.write({ type: 'published', id: late.id, ok: true });
  made.message('3', 'wait');
  await made.read();
  made.closeInput(); // the answer does not come
  assert.equal((await made.read()).level, 'debug');
  await made.verdict('3', 'retry', { reason: 'cancelled: standard input has ended' });
  assert.equal((await made.read()).text, 'stopped');
  assert.equal(await made.exitCode(), 0);
  assert.doesNotMatch(made.errors, /ignored/);
});

test('several in hand get their verdicts out of order', longest, async (t) => {
  const made = await ready(t);
  made.message('slow', 'wait', 'p');
  const sent = await made.read();
  for (const token of 'ab') made.message(token, 'hold', token);
  for (const token of 'ba') {
    made.message(`r${token}`, 'release', token);
    await made.verdict(token, 'reject', { reason: 'held' });
    assert.equal((await made.read()).text, 'true false');
    await made.verdict(`r${token}`, 'ok');
  }
  made.write({ type: 'published', id: sent.id, ok: true });
  await made.verdict('slow', 'ok');
  await ends(made);
});

test('an expired message is answered all the same', longest, async (t) => {
  const made = await ready(t);
  made.message('a', 'hold', 'a');
  made.write({ type: 'expired', token: 'a' });
  made.write({ type: 'expired', token: "nobody's" });
  made.message('b', 'release', 'a');
  await made.verdict('a', 'reject', { reason: 'held' });
  assert.equal((await made.read()).text, 'false false');
  await made.verdict('b', 'ok');
});

test('what it has in hand at stop is answered', longest, async (t) => {
  const made = await ready(t);
  made.message('a', 'hold', 'a');
  made.message('b', 'wait');
  const sent = await made.read();
  made.write({ type: 'stop' });
  made.write({ type: 'published', id: sent.id, ok: true });
  await made.verdict('b', 'ok');
  assert.equal((await made.read()).text, 'stopped');
  made.process.kill('SIGTERM'); // nobody will answer "a": it ends at once
  assert.deepEqual(await made.rest(), []);
  assert.equal(await made.exitCode(), 128 + 15);
});

test('nothing can be waited for once its input has ended', longest, async (t) => {
  const made = await ready(t, 'everything', { settings: { lastWords: true } });
  made.closeInput();
  assert.deepEqual((await made.rest()).map(({ text }) => text),
    ['stopped', 'cancelled: standard input has ended']);
  assert.equal(await made.exitCode(), 0);
});

test('extend', longest, async (t) => {
  const made = await ready(t);
  made.message('1', 'extend');
  await made.expect({ type: 'extend', token: '1', ms: 60000 });
  await made.verdict('1', 'ok');
});

test('metrics', longest, async (t) => {
  const made = await ready(t);
  made.message('1', 'metric');
  const known = { type: 'metric', name: 'readings_total', kind: 'counter' };
  await made.expect({ ...known, add: 1, help: 'Readings.' });
  await made.expect({ ...known, add: 2 });
  await made.expect({ type: 'metric', name: 'level', kind: 'gauge', add: -0.5 });
  await made.verdict('1', 'ok');
});

test('logs', longest, async (t) => {
  const made = await ready(t);
  made.message('1', 'log');
  await made.expect({
    type: 'log', level: 'warn', text: 'half \ufffd of a pair, \u{1f600}, \\ud800 and \u20ac\n',
  });
  await made.verdict('1', 'ok');
});

test('what is printed goes to standard error', longest, async (t) => {
  const made = await ready(t);
  made.message('1', 'printing');
  await made.verdict('1', 'ok');
  await ends(made);
  for (const words of ['stray', 'info', 'written']) {
    assert.ok(made.errors.includes(`${words}\n`), words);
  }
});

test('lines that are wrong change nothing', longest, async (t) => {
  const made = host(t, 'everything', { begin: false });
  made.message('0', 'verdict', 'ok'); // before start
  made.write({ type: 'start', protocol: 1 });
  assert.equal((await made.read()).text, 'starting');
  for (let i = 0; i < 4; i += 1) await made.read();
  made.raw('no JSON\n\n{\n[1]\n"text"\nnull\n');
  made.raw(Buffer.from([0xff, 0xfe, 10]));
  made.raw('{"type":5}\n{"type":"later"}\n');
  made.write({ type: 'published', id: 'of nobody', ok: true });
  made.write({ type: 'message', topic: 'without a token' });
  made.message('1', 'verdict', 5);
  assert.match((await made.read()).reason, /the service cannot read it/);
  made.message('2', 'verdict', 'ok');
  await made.verdict('2', 'ok');
  await ends(made);
  assert.match(made.errors, /a message before start/);
  assert.match(made.errors, /no JSON/);
  assert.doesNotMatch(made.errors, /later/);
});

test('lines arrive in any pieces', longest, async (t) => {
  const made = await ready(t);
  made.raw('{"type":"message","token":"1","topic":"verd');
  made.raw('ict","payload":"ok","timeout_ms":9}\n{"type":"message","token":"2",');
  await made.verdict('1', 'ok');
  made.raw('"topic":"text","payload":"');
  const euro = Buffer.from('\u20ac');
  made.raw(euro.subarray(0, 1));
  made.raw(Buffer.concat([euro.subarray(1), Buffer.from('"}\n')]));
  await made.verdict('2', 'reject', { reason: '\u20ac' });
});

test('a signal lets it finish what it has', longest, async (t) => {
  const made = await ready(t);
  made.message('1', 'wait_for_signal');
  assert.equal((await made.read()).text, 'waiting');
  made.process.kill('SIGTERM');
  await made.verdict('1', 'ok');
  assert.equal((await made.read()).text, 'stopped');
  assert.equal(await made.exitCode(), 0);
});

test('a signal ends it while it waits', longest, async (t) => {
  const made = await ready(t);
  made.process.kill('SIGINT');
  assert.equal((await made.read()).text, 'stopped');
  assert.equal(await made.exitCode(), 0);
});

test('the second signal ends a service that hangs', longest, async (t) => {
  const made = await ready(t);
  made.message('1', 'hang');
  assert.equal((await made.read()).text, 'hanging');
  made.process.kill('SIGTERM');
  made.process.kill('SIGINT');
  assert.deepEqual(await made.rest(), []);
  assert.ok([128 + 15, 128 + 2].includes(await made.exitCode()));
});

test('what was written before process.exit arrives', longest, async (t) => {
  const made = await ready(t);
  made.message('1', 'exits');
  assert.equal((await made.read()).text.length, 1 << 20);
  assert.deepEqual(await made.rest(), []);
  assert.equal(await made.exitCode(), 7);
});

test('a host that goes away ends it', longest, async (t) => {
  const made = await ready(t);
  made.process.stdout.destroy();
  made.message('1', 'log');
  made.closeInput();
  assert.equal(await made.exitCode(), 0);
});

test('batches', longest, async (t) => {
  const made = await ready(t, 'batches');
  const batch = (...messages) => made.write({ type: 'batch', messages });
  batch(of('a', 'any', 'a'), of('b', 'any', 'b'), of('c', 'any', 'c'));
  await made.verdict('a', 'reject', { reason: 'a' });
  await made.verdict('b', 'reject', { reason: 'b' });
  made.message('d', 'release', 'last');
  await made.verdict('c', 'reject', { reason: 'held' });
  assert.equal((await made.read()).text, 'true false');
  await made.verdict('d', 'ok');
  batch(of('a', 'any', 'raise'), of('b', 'any', 'raise'));
  assert.equal((await made.read()).type, 'log');
  for (const token of 'ab') {
    await made.verdict(token, 'unavailable', { reason: 'not_connected: cut off' });
  }
  batch(of('a', 'any', 'short'), of('b', 'any', 'short'));
  for (const token of 'ab') {
    await made.verdict(token, 'retry',
      { reason: 'handleBatch did not return one verdict for each message' });
  }
});

test('a batch for a service without handleBatch', longest, async (t) => {
  const made = await ready(t, 'object');
  made.write({ type: 'batch', messages: [of('1', 'verdict', 'ok'), of('2', 'verdict', 'reject')] });
  await made.verdict('1', 'ok');
  await made.verdict('2', 'reject', { reason: 'never' });
});

test('a function is a service', longest, async (t) => {
  const made = host(t, 'function');
  await made.expect({ type: 'ready' });
  made.message('1', 'any');
  assert.equal((await made.read()).text, 'a function');
  await made.verdict('1', 'ok');
  made.stop();
  assert.equal(await made.exitCode(), 0);
});

test('TestHost shows everything that a service does', longest, async () => {
  class All {
    start(context) {
      this.context = context;
      this.limit = readSettings(context.settings, { limit: { type: 'integer' } }).limit;
    }

    async handle(message) {
      this.context.log('info', message.text());
      this.context.metric('seen_total', this.limit);
      message.extend(5);
      await this.context.publishAndWait({ topic: 'copy', payload: message.payload });
      return ok({ publish: [{ topic: 'more', payload: Buffer.from([255]) }] });
    }

    handleBatch(messages) {
      return messages.map((message) => reject(message.topic));
    }
  }
  const made = await TestHost.create(All, { settings: { limit: 2 } });
  const more = { topic: 'more', payload: Buffer.from([255]), qos: 1, retain: false };
  const properties = { user: [['a', 'b']] };
  const verdict = await made.send({ topic: 't', payload: 'text', properties });
  assert.deepEqual(verdict, ok({ publish: [more] }));
  const copy = { topic: 'copy', payload: 'text', qos: 1, retain: false };
  assert.deepEqual(made.published, [copy, more]);
  assert.deepEqual(made.logs, [{ level: 'info', text: 'text' }]);
  assert.deepEqual(made.metrics, { seen_total: 2 });
  assert.deepEqual(made.extended, [{ token: '1', ms: 5 }]);
  made.refusePublishes('full', 'wait');
  assert.deepEqual(await made.send(), unavailable('full: wait', { afterMs: 100 }));
  made.acceptPublishes();
  assert.equal((await made.send()).verdict, 'ok');
  const both = await made.sendBatch([{ topic: 'a' }, { topic: 'b' }]);
  assert.deepEqual(both, [reject('a'), reject('b')]);
  await made.stop();
  await assert.rejects(TestHost.create(All, { settings: {} }), SettingError);
});

test('TestHost: ok whose publish fails has the verdict of exec', longest, async () => {
  const made = await TestHost.create(() => ok({ publish: [{ topic: 'a' }] }));
  for (const [error, verdict] of Object.entries({
    failed: retry('failed: why'),
    state: retry('state: why'),
    cancelled: retry('cancelled: why'),
    not_connected: unavailable('not_connected: why'),
    full: unavailable('full: why', { afterMs: 100 }),
    invalid: reject('invalid: why'),
    not_found: reject('not_found: why'),
    unsupported: reject('unsupported: why'),
  })) {
    made.refusePublishes(error, 'why');
    assert.deepEqual(await made.send(), verdict);
  }
  assert.deepEqual(made.published, []);
});

test('TestHost: it waits half a minute', longest, async (t) => {
  const made = await TestHost.create((message) => { message.defer(); });
  const asked = [];
  t.mock.method(globalThis, 'setTimeout', (call, ms) => { asked.push(ms); setImmediate(call); });
  await assert.rejects(made.send(), /no verdict for message 1 within 30000 ms/);
  assert.deepEqual(asked, [30_000]);
});

test('TestHost: an answer that is there counts, even if it is read late', longest, async () => {
  const made = await TestHost.create(async () => {
    await new Promise(setImmediate);
    return ok();
  });
  await new Promise(setImmediate); // timers are the next that the loop looks at
  const verdict = made.verdict(made.post(), { timeoutMs: 1 });
  const end = performance.now() + 20;
  while (performance.now() < end);
  assert.deepEqual(await verdict, ok());
});

test('TestHost: stop cannot wait for a publish', longest, async () => {
  const words = [];
  const answered = [];
  const made = await TestHost.create({
    start(context) { this.context = context; },
    handle() {
      this.context.publishAndWait({ topic: 'a' }).then(() => answered.push('a'));
      return ok();
    },
    stop() {
      return this.context.publishAndWait({ topic: 'b' }).catch(({ error }) => words.push(error));
    },
  });
  await made.send();
  await made.stop();
  assert.deepEqual([answered, words], [['a'], ['cancelled']]);
  assert.deepEqual(made.published.map(({ topic }) => topic), ['a']);
});

test('TestHost: an exception is seen in the log', longest, async () => {
  const made = await TestHost.create(() => { throw new TypeError('no such thing'); });
  assert.deepEqual(await made.send(), retry('no such thing'));
  assert.equal(made.logs[0].level, 'warn');
  assert.match(made.logs[0].text, /TypeError: no such thing\n +at /);
});

test('TestHost: pending', longest, async () => {
  const held = [];
  const made = await TestHost.create((message) => { held.push(message.defer()); });
  const [first, second] = [made.post(), made.post()];
  assert.ok(made.pending(first));
  await assert.rejects(made.verdict(first, { timeoutMs: 0 }), /no verdict/);
  made.expire(second);
  assert.equal(held[0].complete(ok()), true);
  assert.equal(held[1].complete(ok()), false);
  assert.deepEqual(await made.verdict(first), ok());
});

test('settings have types', () => {
  const rules = {
    t: { type: 'string' }, i: { type: 'integer', default: 3 }, b: { type: 'boolean' },
  };
  assert.deepEqual(readSettings({ t: 'x', b: false }, rules), { t: 'x', i: 3, b: false });
  assert.throws(() => readSettings({ t: 'x' }, rules),
    { message: 'setting "b" is missing; it must be true or false' });
  assert.throws(() => readSettings({ t: 1, b: true }, rules),
    { message: 'setting "t" must be a string' });
  assert.throws(() => readSettings({ u: 1 }, rules),
    { message: 'setting "u" is unknown; this service knows "t", "i", "b"' });
  assert.throws(() => readSettings({ i: 1.5 }, { i: { type: 'integer' } }), SettingError);
});

test('what cannot be said is refused at once', () => {
  for (const wrong of [{ topic: 'a/+' }, { topic: '' }, { topic: 'a', qos: 3 }]) {
    assert.throws(() => ok({ publish: [wrong] }), RangeError);
  }
  assert.throws(() => ok({ publish: [{ topic: 'a', payload: 5 }] }), TypeError);
  for (const afterMs of [-1, 2 ** 32, Infinity, NaN]) {
    assert.throws(() => retry('x', { afterMs }), RangeError);
    assert.throws(() => unavailable('x', { afterMs }), RangeError);
  }
  const noAlias = new PublishError('not_found', 'no alias');
  assert.deepEqual(noAlias.verdict(), reject('not_found: no alias'));
  assert.deepEqual(new PublishError('state').verdict(), retry('state'));
});

test('times are what exec takes', longest, async () => {
  const most = 2 ** 32 - 1;
  const held = [];
  const made = await TestHost.create((message) => {
    held.push(message);
    return retry('x', { afterMs: message.json() });
  });
  assert.equal((await made.send({ payload: String(most) })).afterMs, most);
  assert.equal((await made.send({ payload: '0.6' })).afterMs, 1);
  for (const wrong of [0, -1, 2 ** 32, Infinity, NaN]) {
    assert.throws(() => held[0].extend(wrong), RangeError);
  }
  held[0].extend(most);
  held[0].extend(1.2);
  assert.deepEqual(made.extended.map(({ ms }) => ms), [most, 1]);
});
