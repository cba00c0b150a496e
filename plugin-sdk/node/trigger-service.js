'use strict';
// A service for triggerd's plugin `exec`, in Node.js 18 or newer. One file, no dependencies; what
// each function does is said in trigger-service.d.ts.
//
//   const { ok, reject, run } = require('./trigger-service.js');
//
//   class Greeter {
//     start(context) { this.context = context; }
//     async handle(message) {
//       if (message.payload.length === 0) return reject('nobody to greet');
//       this.context.log('info', `hello ${message.text()}`);
//       return ok();
//     }
//   }
//
//   if (require.main === module) run(Greeter);
//
// `run` speaks version 1 of the protocol (docs/reference/exec-protocol.md in triggerd's sources) on
// standard input and output, and `TestHost` calls a service without triggerd and without a server.

const fs = require('node:fs');

const LONGEST_LINE = 64 * 1024 * 1024; // bytes; exec ends a process that writes a longer one
const LONGEST_MS = 2 ** 32 - 1;
const LONGEST_REASON = 1000; // characters; the log shows 255 bytes
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'];

class SettingError extends Error {}

class PublishError extends Error {
  constructor(error, reason = '') {
    super(reason ? `${error}: ${reason}` : error);
    this.error = error;
    this.reason = reason;
  }

  verdict() {
    if (['invalid', 'not_found', 'unsupported'].includes(this.error)) return reject(this.message);
    if (this.error === 'not_connected') return unavailable(this.message);
    if (this.error === 'full') return unavailable(this.message, { afterMs: 100 });
    return retry(this.message);
  }
}

class Verdict {
  constructor(verdict, reason, afterMs, publish) {
    if (afterMs !== undefined && !(afterMs >= 0 && afterMs <= LONGEST_MS)) {
      throw new RangeError(`${afterMs} is not a delay in milliseconds`);
    }
    this.verdict = verdict;
    this.reason = String(reason ?? '');
    this.afterMs = afterMs;
    this.publish = publish;
  }
}

function ok({ publish = [] } = {}) {
  return new Verdict('ok', '', undefined, [...publish].map(checkedPublish));
}
function retry(reason, { afterMs } = {}) {
  return new Verdict('retry', reason, afterMs, []);
}
function reject(reason) {
  return new Verdict('reject', reason, undefined, []);
}
function unavailable(reason, { afterMs } = {}) {
  return new Verdict('unavailable', reason, afterMs, []);
}

const KINDS = {
  string: [(value) => typeof value === 'string', 'a string'],
  integer: [(value) => Number.isInteger(value), 'a whole number'],
  number: [(value) => typeof value === 'number', 'a number'],
  boolean: [(value) => typeof value === 'boolean', 'true or false'],
  any: [() => true, 'there'],
};

function readSettings(settings, known) {
  for (const key of Object.keys(settings)) {
    if (!Object.hasOwn(known, key)) {
      const all = Object.keys(known).map((name) => `"${name}"`).join(', ');
      const which = all ? `this service knows ${all}` : 'this service takes no settings';
      throw new SettingError(`setting "${key}" is unknown; ${which}`);
    }
  }
  const read = {};
  for (const [key, { type, default: otherwise }] of Object.entries(known)) {
    const [matches, words] = KINDS[type];
    if (Object.hasOwn(settings, key)) {
      if (!matches(settings[key])) throw new SettingError(`setting "${key}" must be ${words}`);
      read[key] = settings[key];
    } else if (otherwise === undefined) {
      throw new SettingError(`setting "${key}" is missing; it must be ${words}`);
    } else {
      read[key] = otherwise;
    }
  }
  return read;
}

function bytesOf(payload) {
  if (payload === undefined || payload === null) return Buffer.alloc(0);
  if (typeof payload === 'string') return Buffer.from(payload);
  if (Buffer.isBuffer(payload)) return payload;
  if (payload instanceof Uint8Array) {
    return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  }
  throw new TypeError('a payload is a string, a Buffer or a Uint8Array');
}

// What is not UTF-8 throws a TypeError.
function textOf(bytes) {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

function checkedPublish(message) {
  const { topic, qos = 1 } = message;
  if (typeof topic !== 'string' || topic === '' || /[+#\0]/.test(topic)) {
    throw new RangeError(`${JSON.stringify(topic)} is not a topic to publish to`);
  }
  if (![0, 1, 2].includes(qos)) throw new RangeError(`${qos} is not a QoS: 0, 1 or 2`);
  if (typeof message.payload !== 'string') bytesOf(message.payload);
  return message;
}

function writtenPayload(payload) {
  if (typeof payload === 'string') return { payload };
  const bytes = bytesOf(payload);
  try {
    return { payload: textOf(bytes) };
  } catch {
    return { payload_base64: bytes.toString('base64') };
  }
}

function writtenProperties(properties) {
  const data = properties.correlationData;
  return {
    content_type: properties.contentType,
    response_topic: properties.responseTopic,
    correlation_data_base64: data === undefined ? undefined : bytesOf(data).toString('base64'),
    payload_format: properties.payloadFormat,
    message_expiry: properties.messageExpiry,
    user: properties.user?.length ? properties.user : undefined,
  };
}

function readProperties(read) {
  const data = read.correlation_data_base64;
  const known = {
    contentType: read.content_type,
    responseTopic: read.response_topic,
    correlationData: data === undefined ? undefined : Buffer.from(data, 'base64'),
    payloadFormat: read.payload_format,
    messageExpiry: read.message_expiry,
    user: read.user ?? [],
  };
  for (const key of Object.keys(known)) if (known[key] === undefined) delete known[key];
  return known;
}

function writtenPublish(message) {
  const { topic, payload, qos = 1, retain = false, alias, properties } = checkedPublish(message);
  return {
    topic, ...writtenPayload(payload), qos, retain: Boolean(retain), alias,
    properties: properties && writtenProperties(properties),
  };
}

// JSON of an object, with the end of its line. Half of a surrogate pair is no UTF-8.
function lineOf(known) {
  let text = JSON.stringify(known);
  if (text.includes('\\ud')) {
    const repaired = (_key, value) =>
      typeof value === 'string' ? value.replace(/\p{Surrogate}/gu, '\uFFFD') : value;
    text = JSON.stringify(known, repaired);
  }
  const bytes = Buffer.byteLength(text) + 1;
  if (bytes > LONGEST_LINE) {
    throw new RangeError(`${bytes} bytes are too many for one line of the protocol`);
  }
  return `${text}\n`;
}

function verdictLine(token, { verdict, reason, afterMs, publish }) {
  try {
    return lineOf({
      type: 'verdict', token, verdict,
      reason: reason === '' ? undefined : reason.slice(0, LONGEST_REASON),
      retry_after_ms: afterMs === undefined ? undefined : Math.round(afterMs),
      publish: publish.length === 0 ? undefined : publish.map(writtenPublish),
    });
  } catch (error) {
    return verdictLine(token, reject(`its verdict cannot be sent: ${error.message}`));
  }
}

class Context {
  #session;
  #helped = new Set();

  constructor(session, start) {
    this.#session = session;
    this.trigger = start.trigger ?? '';
    this.alias = start.alias ?? '';
    this.process = start.process ?? 0;
    this.inFlight = start.in_flight ?? 1;
    this.settings = start.settings ?? {};
  }

  log(level, text) {
    if (!LEVELS.includes(level)) throw new RangeError(`${level} is not one of ${LEVELS.join()}`);
    this.#session.write(lineOf({ type: 'log', level, text: String(text) }), true);
  }

  metric(name, add = 1, { kind = 'counter', help } = {}) {
    if (!/^[a-z_][a-z0-9_]*$/.test(name) || !['counter', 'gauge'].includes(kind)) {
      throw new RangeError(`${kind} ${name}: no such kind, or no name for a metric`);
    }
    if (!Number.isFinite(add) || (kind === 'counter' && add < 0)) {
      throw new RangeError(`${add} cannot be added to a ${kind}`);
    }
    const first = help && !this.#helped.has(name);
    if (first) this.#helped.add(name);
    const known = { type: 'metric', name, kind, help: first ? help : undefined, add };
    this.#session.write(lineOf(known));
  }

  publish(message) {
    this.#session.write(lineOf({ type: 'publish', ...writtenPublish(message) }));
  }

  publishAndWait(message, { timeoutMs = 10_000 } = {}) {
    return this.#session.publish(message, timeoutMs);
  }
}

class Message {
  #session;
  #deadline;
  #text;
  #bytes;

  constructor(session, context, read) {
    if (typeof read.topic !== 'string') throw new TypeError('a message without a topic');
    this.#session = session;
    this.#deadline = performance.now() + (read.timeout_ms ?? 0);
    this.#text = read.payload;
    if (typeof read.payload !== 'string') {
      if (typeof read.payload_base64 !== 'string') throw new TypeError('a message with no payload');
      this.#bytes = Buffer.from(read.payload_base64, 'base64');
    }
    this.context = context;
    this.token = read.token;
    this.id = read.id ?? '';
    this.topic = read.topic;
    this.qos = read.qos ?? 0;
    this.retained = read.retained ?? false;
    this.duplicate = read.duplicate ?? false;
    this.attempt = read.attempt ?? 1;
    this.receivedMs = read.received ?? 0;
    this.properties = read.properties && readProperties(read.properties);
    this.expired = false;
    this.answered = false;
    this.deferred = false;
  }

  get payload() {
    this.#bytes ??= Buffer.from(this.#text);
    return this.#bytes;
  }

  text() {
    return this.#text ?? textOf(this.#bytes);
  }

  json() {
    return JSON.parse(this.text());
  }

  remainingMs() {
    return this.#deadline - performance.now();
  }

  extend(ms) {
    if (!(ms >= 1 && ms <= LONGEST_MS)) {
      throw new RangeError(`${ms} is not a time in milliseconds`);
    }
    this.#deadline = performance.now() + ms;
    this.#session.write(lineOf({ type: 'extend', token: this.token, ms: Math.round(ms) }));
  }

  defer() {
    this.deferred = true;
    return {
      message: this,
      complete: (verdict) => {
        if (!(verdict instanceof Verdict)) throw new TypeError('a verdict is needed');
        return this.#session.answer([[this, verdict]]) === 1;
      },
    };
  }

  reply(payload, { qos = 1 } = {}) {
    const { responseTopic: topic, correlationData } = this.properties ?? {};
    if (!topic) throw new TypeError('the message has no response topic');
    return { topic, payload, qos, properties: { correlationData } };
  }
}

// What a service and the protocol have to do with each other, without pipes: run and TestHost say
// where lines go.
class Session {
  #send;
  #early = []; // what waits for `ready`; undefined after it
  #publishes = new Map(); // id -> { resolve, reject, timer }
  #lastId = 0;
  #changed = () => {};
  #running = new Set();
  #hasEnded = false; // no more lines come
  inHand = new Map(); // token -> message, until its verdict is written
  context = undefined;
  closing = false; // messages that come now are left to the next process

  constructor(service, send) {
    const isClass = typeof service === 'function' &&
      (/^class\b/.test(String(service)) || service.prototype?.handle);
    const made = isClass ? new service() : service;
    this.service = typeof made === 'function' ? { handle: made } : made;
    if (typeof this.service?.handle !== 'function') throw new TypeError('a service has `handle`');
    this.#send = send;
  }

  write(line, early = false) {
    if (this.#early && !early) this.#early.push(line);
    else this.#send(line);
  }

  publish(message, timeoutMs) {
    if (this.#early) throw new Error('start cannot wait for a publish: it is sent after start');
    const id = String((this.#lastId += 1));
    const line = lineOf({ type: 'publish', id, ...writtenPublish(message) });
    if (this.#hasEnded) {
      return Promise.reject(new PublishError('cancelled', 'standard input has ended'));
    }
    return new Promise((resolve, fail) => {
      const timer = setTimeout(() => {
        this.#publishes.set(id, undefined); // its answer may come yet
        fail(new PublishError('failed', `no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#publishes.set(id, { resolve, fail, timer });
      this.write(line);
    });
  }

  // One line from exec, without its end. Whatever is wrong in it, it is only this line.
  receive(line) {
    try {
      const read = JSON.parse(line);
      if (read.type === 'message') this.#messages([read]);
      else if (read.type === 'batch') this.#messages(read.messages);
      else if (read.type === 'published') this.#published(read);
      else if (read.type === 'expired') this.#expired(read.token);
      else if (read.type === 'start') this.context ??= new Context(this, read);
      return read.type;
    } catch (error) {
      process.stderr.write(
        `trigger-service: ignored a line from exec (${error.message}): ${line.slice(0, 80)}\n`);
      return undefined;
    }
  }

  // No more lines come: nobody waits for an answer in vain.
  ended() {
    this.#hasEnded = true;
    for (const id of [...this.#publishes.keys()]) {
      this.#published({ id, ok: false, error: 'cancelled', reason: 'standard input has ended' });
    }
  }

  async start(name, version) {
    await this.service.start?.(this.context);
    const early = this.#early;
    this.#early = undefined;
    const { name: ownName, version: ownVersion } = this.service;
    const ready = { type: 'ready', name: name ?? ownName, version: version ?? ownVersion };
    this.#send([lineOf(ready), ...early].join(''));
  }

  // When handle has returned for every message that came.
  async handled() {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #keep(call) {
    this.#running.add(call);
    call.finally(() => this.#running.delete(call));
  }

  // When every message in hand has its verdict.
  async finished() {
    while (this.inHand.size > 0) {
      await new Promise((resolve) => { this.#changed = resolve; });
    }
  }

  // In one write. How many of them were in time.
  answer(answers) {
    const rest = answers.filter(([message]) => !message.answered);
    for (const [message] of rest) message.answered = true;
    if (rest.length > 0) {
      this.write(rest.map(([message, verdict]) => verdictLine(message.token, verdict)).join(''));
    }
    for (const [message] of rest) this.inHand.delete(message.token);
    this.#changed();
    return rest.filter(([message]) => !message.expired).length;
  }

  #messages(every) {
    if (!this.context) throw new Error('a message before start');
    const messages = [];
    for (const read of every) {
      if (typeof read.token !== 'string') throw new Error('a message without a token');
      try {
        messages.push(new Message(this, this.context, read));
      } catch (error) {
        this.write(verdictLine(read.token, retry(`the service cannot read it: ${error.message}`)));
      }
    }
    if (this.closing) return;
    for (const message of messages) this.inHand.set(message.token, message);
    if (messages.length > 1 && this.service.handleBatch) {
      this.#keep(this.#batch(messages));
    } else {
      for (const message of messages) this.#keep(this.#single(message));
    }
  }

  #published({ id, ok: done, error = 'failed', reason = '' }) {
    const waiting = this.#publishes.get(id);
    if (!this.#publishes.delete(id)) throw new Error(`nobody waits for publish ${id}`);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    if (done) waiting.resolve();
    else waiting.fail(new PublishError(error, reason));
  }

  #expired(token) {
    const message = this.inHand.get(token);
    if (message) message.expired = true;
  }

  async #single(message) {
    this.#settle([message], [await this.#called(() => this.service.handle(message))]);
  }

  async #batch(messages) {
    let outcomes = await this.#called(() => this.service.handleBatch(messages));
    if (outcomes instanceof Failure) {
      outcomes = messages.map(() => outcomes);
    } else if (!Array.isArray(outcomes) || outcomes.length !== messages.length) {
      const wrong = retry('handleBatch did not return one verdict for each message');
      outcomes = messages.map(() => wrong);
    }
    this.#settle(messages, outcomes);
  }

  async #called(call) {
    try {
      return await call();
    } catch (error) {
      const level = error instanceof PublishError ? 'debug' : 'warn';
      this.context.log(level, error?.stack ?? error);
      return new Failure(error);
    }
  }

  // What handle returned or threw, for each message, becomes its verdict.
  #settle(messages, outcomes) {
    const answers = [];
    messages.forEach((message, i) => {
      const outcome = outcomes[i];
      if (outcome instanceof Failure) answers.push([message, outcome.verdict]);
      else if (outcome instanceof Verdict) answers.push([message, outcome]);
      else if (!message.deferred) {
        answers.push([message, retry(`the service returned ${typeof outcome}, not a verdict`)]);
      }
    });
    this.answer(answers);
  }
}

// What handle threw.
class Failure {
  constructor(error) {
    this.verdict = error instanceof PublishError ? error.verdict()
      : retry(error instanceof Error ? error.message || error.name : error);
  }
}

// Of bytes that come in any portions.
class Lines {
  #parts = [];
  #take;

  constructor(take) {
    this.#take = take;
  }

  push(bytes) {
    let from = 0;
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, from)) {
      this.#parts.push(bytes.subarray(from, end));
      from = end + 1;
      this.#end();
    }
    if (from < bytes.length) this.#parts.push(bytes.subarray(from));
  }

  end() {
    if (this.#parts.length > 0) this.#end();
  }

  #end() {
    const line = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
    this.#parts = [];
    const text = line.toString();
    if (text.trim() !== '') this.#take(text);
  }
}

// The protocol's side of standard output. Not the stream process.stdout: what that still has to
// write is lost when the process exits.
class Output {
  #lines = []; // what the next write takes along
  #rest = Buffer.alloc(0); // what a full pipe did not take yet
  #retry;

  constructor() {
    process.stdout.write = process.stderr.write.bind(process.stderr); // console.log uses it, too
    process.on('exit', () => this.finish());
  }

  write(line) {
    if (this.#lines.push(line) === 1) setImmediate(() => this.flush());
  }

  // Without waiting for exec to read.
  flush() {
    clearTimeout(this.#retry);
    if (!this.#attempt()) this.#retry = setTimeout(() => this.flush(), 1);
  }

  // When this returns, exec can read all of it.
  finish() {
    clearTimeout(this.#retry);
    const never = new Int32Array(new SharedArrayBuffer(4));
    while (!this.#attempt()) Atomics.wait(never, 0, 0, 1);
  }

  // Whether all of it is written.
  #attempt() {
    if (this.#lines.length > 0) {
      this.#rest = Buffer.concat([this.#rest, Buffer.from(this.#lines.join(''))]);
      this.#lines = [];
    }
    try {
      while (this.#rest.length > 0) this.#rest = this.#rest.subarray(fs.writeSync(1, this.#rest));
    } catch (error) {
      if (error.code === 'EAGAIN') return false;
      this.#rest = Buffer.alloc(0); // exec has gone, and standard input ends
    }
    return true;
  }
}

async function run(service, { name, version } = {}) {
  const output = new Output();
  const session = new Session(service, (line) => output.write(line));

  let stop;
  const stopped = new Promise((resolve) => { stop = resolve; });
  const close = () => {
    session.closing = true;
    stop();
  };
  const signalled = (_signal, number) => {
    if (session.closing) process.exit(128 + number);
    close();
  };
  const signals = ['SIGINT', 'SIGTERM'];
  for (const signal of signals) process.on(signal, signalled);

  let begin;
  const begun = new Promise((resolve) => { begin = resolve; });
  const lines = new Lines((line) => {
    const type = session.receive(line);
    if (type === 'start') begin();
    if (type === 'stop') close();
  });
  const ended = () => {
    lines.end();
    session.ended();
    close();
  };
  // A handler that computes for long does not keep back what was written before it.
  process.stdin.on('data', (bytes) => { output.flush(); lines.push(bytes); });
  process.stdin.on('end', ended).on('error', ended);

  await Promise.race([begun, stopped]);
  if (session.context) {
    try {
      await session.start(name, version);
    } catch (error) {
      if (!(error instanceof SettingError)) process.stderr.write(`${error?.stack ?? error}\n`);
      session.context.log('error', `start failed: ${error?.message ?? error}`);
      process.exit(1);
    }
    await stopped;
    await session.handled();
    try {
      await session.service.stop?.();
    } catch (error) {
      process.stderr.write(`${error?.stack ?? error}\n`);
    }
    await session.finished();
  } else if (process.stdin.readableEnded) {
    process.stderr.write('trigger-service: standard input ended before start\n');
    process.exitCode = 1;
  }
  output.finish();
  for (const signal of signals) process.off(signal, signalled);
  process.stdin.destroy();
}

class TestHost {
  #session;
  #verdicts = new Map(); // token -> { promise, resolve, verdict }
  #refusal = undefined;
  #lastToken = 0;
  published = [];
  logs = [];
  metrics = {};
  extended = [];

  static async create(service, options = {}) {
    const { settings = {}, trigger = 'test', alias = 'test', inFlight = 1 } = options;
    const host = new TestHost();
    host.#session = new Session(service, (lines) => host.#take(lines));
    host.service = host.#session.service;
    host.#receive({
      type: 'start', protocol: 1, trigger, alias, process: 0, in_flight: inFlight, settings,
    });
    await host.#session.start();
    return host;
  }

  send(message = {}) {
    return this.verdict(this.post(message));
  }

  sendBatch(messages) {
    const every = messages.map((message) => this.#message(message));
    this.#receive({ type: 'batch', messages: every });
    return Promise.all(every.map(({ token }) => this.verdict(token)));
  }

  post(message = {}) {
    const known = this.#message(message);
    this.#receive({ type: 'message', ...known });
    return known.token;
  }

  verdict(token, { timeoutMs = 30_000 } = {}) {
    return new Promise((resolve, fail) => {
      const late = () => fail(new Error(`no verdict for message ${token} within ${timeoutMs} ms`));
      // Timers come before what can be read already. So that is read first.
      const timer = setTimeout(() => setImmediate(late), timeoutMs);
      this.#expected(token).promise.then((verdict) => {
        clearTimeout(timer);
        resolve(verdict);
      });
    });
  }

  pending(token) {
    return this.#expected(token).verdict === undefined;
  }

  expire(token) {
    this.#receive({ type: 'expired', token });
  }

  refusePublishes(error = 'not_connected', reason = '') {
    this.#refusal = new PublishError(error, reason);
  }

  acceptPublishes() {
    this.#refusal = undefined;
  }

  async stop() {
    await this.#session.handled();
    await new Promise(setImmediate); // what is published until now is answered
    this.#session.ended();
    await this.#session.service.stop?.();
  }

  #receive(known) {
    this.#session.receive(lineOf(known).trimEnd());
  }

  #message({ topic = 'test', payload, properties, receivedMs, timeoutMs = 30_000, ...rest }) {
    const token = String((this.#lastToken += 1));
    return {
      token, id: `test-${token}`, topic, qos: 1, retained: false, duplicate: false, attempt: 1,
      received: receivedMs ?? Date.now(), timeout_ms: timeoutMs, ...writtenPayload(payload),
      properties: properties && writtenProperties(properties), ...rest,
    };
  }

  #expected(token) {
    if (!this.#verdicts.has(token)) {
      const entry = {};
      entry.promise = new Promise((resolve) => { entry.resolve = resolve; });
      this.#verdicts.set(token, entry);
    }
    return this.#verdicts.get(token);
  }

  #take(lines) {
    for (const line of lines.trimEnd().split('\n')) {
      const read = JSON.parse(line);
      const { type, name, token } = read;
      if (type === 'log') this.logs.push({ level: read.level, text: read.text });
      else if (type === 'metric') this.metrics[name] = (this.metrics[name] ?? 0) + read.add;
      else if (type === 'extend') this.extended.push({ token, ms: read.ms });
      else if (type === 'publish') this.#publish(read);
      else if (type === 'verdict') this.#verdict(read);
    }
  }

  #publish(read) {
    const { error, reason } = this.#refusal ?? {};
    if (!this.#refusal) this.published.push(publishOf(read));
    if (read.id === undefined) return;
    // Not at once: nothing calls back while it is called.
    setImmediate(() => this.#receive({
      type: 'published', id: read.id, ok: error === undefined, error, reason,
    }));
  }

  #verdict({ token, verdict, reason, retry_after_ms: afterMs, publish = [] }) {
    const entry = this.#expected(token);
    if (publish.length > 0 && this.#refusal) {
      entry.verdict = this.#refusal.verdict(); // as exec does
    } else {
      const messages = publish.map(publishOf);
      this.published.push(...messages);
      entry.verdict = new Verdict(verdict, reason, afterMs, messages);
    }
    entry.resolve(entry.verdict);
  }
}

function publishOf({ topic, payload, payload_base64: base64, qos, retain, alias, properties }) {
  const content = base64 === undefined ? payload ?? '' : Buffer.from(base64, 'base64');
  const message = { topic, payload: content, qos, retain };
  if (alias !== undefined) message.alias = alias;
  if (properties !== undefined) message.properties = readProperties(properties);
  return message;
}

module.exports = {
  PublishError, SettingError, TestHost, Verdict, ok, readSettings, reject, retry, run, unavailable,
};
