'use strict';
// The application that http-forward calls: an HTTP server that answers 200 and stands for an empty
// callback.
//
//   node http_server.js [--latency]
//
// It listens on a free port of loopback, prints it, and at SIGTERM prints what arrived.

const fs = require('fs');
const http = require('http');
const { parseArgs } = require('util');
const { Arrivals } = require('../npm/arrivals.js');

const { values } = parseArgs({ options: { latency: { type: 'boolean', default: false } } });
const arrivals = new Arrivals(values.latency);

const server = http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    arrivals.add(parts.length === 1 ? parts[0] : Buffer.concat(parts));
    response.statusCode = 200;
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => fs.writeSync(1, `port ${server.address().port}\n`));
process.on('SIGTERM', () => {
  fs.writeSync(1, `${arrivals.line()}\n`);
  process.exit(0);
});
