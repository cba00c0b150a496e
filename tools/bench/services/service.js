'use strict';
// The service in Node.js that stands for an empty callback, run by the plugin `exec`.
//
//   node service.js --report FILE [--latency]
//
// Each process of it adds a line to FILE at its end.

const fs = require('fs');
const { parseArgs } = require('util');
const { Arrivals } = require('../npm/arrivals.js');
const { ok, run } = require('../../../plugin-sdk/node/trigger-service.js');

const { values } = parseArgs({
  options: {
    report: { type: 'string' },
    latency: { type: 'boolean', default: false },
  },
});

class Bench {
  constructor() {
    this.arrivals = new Arrivals(values.latency);
  }

  handle(message) {
    this.arrivals.add(message.payload);
    return ok();
  }

  stop() {
    fs.appendFileSync(values.report, `${this.arrivals.line()}\n`);
  }
}

run(Bench);
