'use strict';
// @NAME@: adds up the numbers that arrive, and publishes the sum after every few of them.
//
// A message comes again after every verdict but ok and reject. So the service counts a number when
// nothing can fail any more: a number whose sum has to be published counts once the server has it.
//
// The sum begins at 0 whenever the process does. What must outlive it belongs in a file or a
// database.
const { SettingError, ok, readSettings, reject, retry, run } = require('./trigger-service.js');

class Sum {
  name = '@NAME@';
  version = '0.1.0';
  sum = 0; // of the numbers counted
  unpublished = 0; // numbers counted since the server got a sum
  last = Promise.resolve(); // what the next message waits for

  // What this throws is logged, and the process is started again later.
  start(context) {
    this.context = context;
    const { topic, every } = readSettings(context.settings, {
      topic: { type: 'string' },
      every: { type: 'integer', default: 10 },
    });
    if (every < 1) throw new SettingError('setting "every" must be 1 or more');
    this.topic = topic;
    this.every = every;
  }

  // One after another, even if several are in hand: each needs the sum of those before it.
  handle(message) {
    const verdict = this.last.then(() => this.add(message));
    this.last = verdict.catch(() => {});
    return verdict;
  }

  async add(message) {
    if (!/^-?[0-9]{1,12}$/.test(message.payload.toString())) {
      // It will not be a number the next time either.
      return reject('the payload must be a whole number of at most 12 digits');
    }
    const number = Number(message.payload.toString());
    if (this.unpublished + 1 < this.every) {
      this.unpublished += 1;
    } else {
      // A failure is a PublishError, and that is the message's verdict: its number has not been
      // counted, and it comes again.
      await this.context.publishAndWait({ topic: this.topic, payload: String(this.sum + number) });
      // The server was slow: the verdict does not count any more.
      if (message.expired) return retry("the server's answer came too late");
      this.unpublished = 0;
    }
    this.sum += number;
    this.context.metric('numbers_total', 1, { help: 'Numbers that were added' });
    return ok();
  }

  // Optional: no more messages come. Close here what would keep the process alive.
  stop() {
    this.context.log('info', `the sum is ${this.sum}`);
  }
}

module.exports = { Sum };

if (require.main === module) run(Sum);
