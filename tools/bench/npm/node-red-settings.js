'use strict';
// Settings of the Node-RED contender: no editor, no HTTP, and the counters of arrivals.js for its
// function node.

const fs = require('fs');
const { Arrivals } = require('./arrivals.js');

const arrivals = new Arrivals(process.env.BENCH_LATENCY === '1');
process.once('SIGTERM', () => fs.writeSync(1, `${arrivals.line()}\n`)); // Node-RED ends by itself

module.exports = {
  httpAdminRoot: false,
  httpNodeRoot: false,
  disableEditor: true,
  telemetry: { enabled: false, updateNotification: false },
  credentialSecret: false,
  externalModules: { autoInstall: false },
  functionGlobalContext: { arrivals },
  logging: { console: { level: 'warn', metrics: false, audit: false } },
};
