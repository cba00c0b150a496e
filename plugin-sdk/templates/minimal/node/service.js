'use strict';
// @NAME@: greets whoever a message names.
const { ok, readSettings, reject, run } = require('./trigger-service.js');

class Hello {
  start(context) {
    this.context = context;
    readSettings(context.settings, {});
  }

  handle(message) {
    if (message.payload.length === 0) return reject('nobody to greet');
    let name;
    try {
      name = message.text();
    } catch {
      return reject('the payload must be text');
    }
    this.context.log('info', `hello ${name}`);
    return ok();
  }
}

module.exports = { Hello };

if (require.main === module) run(Hello);
