'use strict';
// The shortest client on MQTT.js. It is run beside the node_modules folder that has it, with the
// command line of the native contenders.

const fs = require('fs');
const { parseArgs } = require('util');
const mqtt = require('mqtt');
const { Arrivals } = require('./arrivals.js');

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    ca: { type: 'string' },
    qos: { type: 'string', default: '0' },
    latency: { type: 'boolean', default: false },
    'work-us': { type: 'string', default: '0' },
    'client-id': { type: 'string', default: `bench-${process.pid}` },
  },
});

function giveUp(why) {
  process.stderr.write(`mqttjs: ${why}\n`);
  process.exit(1);
}

const arrivals = new Arrivals(values.latency);
const client = mqtt.connect(values.url, {
  protocolVersion: 4,
  clean: true,
  clientId: values['client-id'],
  ca: values.ca ? fs.readFileSync(values.ca) : undefined,
});
let subscribed = false;

// The library acknowledges once `done` is called and looks at nothing else before: this is the
// place it has for work that is to be done first. Without work, the usual event.
const workMs = Number(values['work-us']) / 1000;
if (workMs > 0) {
  client.handleMessage = (packet, done) => {
    setTimeout(() => {
      arrivals.add(packet.payload);
      done();
    }, workMs);
  };
} else {
  client.on('message', (topic, payload) => arrivals.add(payload));
}

client.on('connect', () => {
  client.subscribe('bench/#', { qos: Number(values.qos) }, (error) => {
    if (error) giveUp(`cannot subscribe to bench/#: ${error.message}`);
    subscribed = true;
  });
});
client.on('error', (error) => {
  if (!subscribed) giveUp(`cannot connect to ${values.url}: ${error.message}`);
});
process.on('SIGTERM', () => {
  fs.writeSync(1, `${arrivals.line()}\n`);
  process.exit(0);
});
