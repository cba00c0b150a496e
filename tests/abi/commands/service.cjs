'use strict';
// What node_test.mjs drives: each topic is one thing that a service may do.
const { once } = require('node:events');
const path = require('node:path');

const {
  PublishError, SettingError, ok, reject, retry, run, unavailable,
} = require(path.join(process.env.SDK, 'trigger-service.js'));

class Everything {
  name = 'everything';
  version = '1.2.0';
  held = new Map();

  async start(context) {
    this.context = context;
    context.log('debug', 'starting');
    context.metric('starts_total', 1, { help: 'Starts.' });
    context.publish({ topic: 'early', payload: 'after ready' });
    if (context.settings.fail) throw new SettingError(context.settings.fail);
    try {
      await context.publishAndWait({ topic: 'never' });
    } catch {
      context.log('debug', 'start cannot wait');
    }
  }

  async stop() {
    this.context.log('info', 'stopped');
    if (!this.context.settings.lastWords) return;
    await this.context.publishAndWait({ topic: 'never' }).catch(
      (error) => this.context.log('info', error.message));
  }

  handle(message) {
    return this[message.topic](message);
  }

  echo(message) {
    const { payload, properties } = message;
    this.context.publish(
      { topic: 'echo', payload, qos: 2, retain: true, alias: 'other', properties });
    return ok();
  }

  members(message) {
    const { trigger, alias, process: which, inFlight, settings } = message.context;
    const {
      token, id, topic, payload, qos, retained, duplicate, attempt, receivedMs, properties,
    } = message;
    return reject(JSON.stringify([
      token, id, topic, payload.toString('hex'), qos, retained, duplicate, attempt, receivedMs,
      message.remainingMs() > 0 && message.remainingMs() <= 30000, properties ?? null, trigger,
      alias, which, inFlight, settings,
    ]));
  }

  async verdict(message) {
    return {
      ok: ok(),
      retry: retry('later'),
      retry_after: retry('soon', { afterMs: 1500 }),
      reject: reject('never'),
      unavailable: unavailable('away', { afterMs: 250 }),
    }[message.text()];
  }

  text(message) {
    return reject(message.text());
  }

  publishing() {
    return ok({ publish: [
      { topic: 'a', payload: 'text' },
      { topic: 'b', payload: Buffer.from([255, 0]), qos: 0, retain: true },
      { topic: 'c', properties: { user: [['unit', 'C']], correlationData: Buffer.from([1]) } },
    ] });
  }

  reply(message) {
    return ok({ publish: [message.reply('42')] });
  }

  too_much() {
    return ok({ publish: [{ topic: 'a', payload: 'x'.repeat(64 << 20) }] });
  }

  raises() {
    throw new Error('the disk is full');
  }

  async wait(message) {
    await this.context.publishAndWait({ topic: 'waited', payload: message.payload });
    return ok();
  }

  async wait_briefly() {
    await this.context.publishAndWait({ topic: 'waited' }, { timeoutMs: 1 });
    return ok();
  }

  hold(message) {
    this.held.set(message.text(), message.defer());
  }

  release(message) {
    const completion = this.held.get(message.text());
    const first = completion.complete(reject('held'));
    this.context.log('info', `${first} ${completion.complete(ok())}`);
    return ok();
  }

  extend(message) {
    message.extend(60_000);
    return message.remainingMs() > 50_000 ? ok() : reject('the deadline is where it was');
  }

  metric() {
    this.context.metric('readings_total', 1, { help: 'Readings.' });
    this.context.metric('readings_total', 2, { help: 'Readings.' });
    this.context.metric('level', -0.5, { kind: 'gauge' });
    for (const wrong of ['Name', 'a b']) {
      try {
        this.context.metric(wrong);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
    return ok();
  }

  log() {
    this.context.log('warn', 'half \ud800 of a pair, \ud83d\ude00, \\ud800 and \u20ac\n');
    return ok();
  }

  printing() {
    console.log('stray');
    console.info('info');
    process.stdout.write('written\n');
    return ok();
  }

  async wait_for_signal() {
    this.context.log('info', 'waiting');
    await once(process, 'SIGTERM');
    return ok();
  }

  hang() {
    this.context.log('info', 'hanging');
    setInterval(() => {}, 1e6);
    return new Promise(() => {});
  }

  exits() {
    this.context.log('info', 'x'.repeat(1 << 20));
    process.exit(7);
  }
}

class Batches extends Everything {
  async handleBatch(messages) {
    const first = messages[0].text();
    if (first === 'raise') throw new PublishError('not_connected', 'cut off');
    if (first === 'short') return [ok()];
    this.held.set('last', messages.at(-1).defer());
    return [...messages.slice(0, -1).map((message) => reject(message.text())), undefined];
  }
}

const services = {
  everything: Everything,
  batches: Batches,
  object: new Everything(),
  function: async (message) => {
    message.context.log('info', 'a function');
    return ok();
  },
};

if (require.main === module) {
  run(services[process.argv[2]]).then(() => console.log('run has returned'));
}
