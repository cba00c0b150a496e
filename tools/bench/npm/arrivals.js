'use strict';
// What the contenders on Node.js count: the same figures, to the same precision, as
// native/common/histogram.hpp and native/common/contender.cpp.

const STAMP_DIGITS = 20;
const PARTS = 128;

function monotonicNs() {
  const [seconds, ns] = process.hrtime(); // CLOCK_MONOTONIC
  return seconds * 1e9 + ns;
}

class Arrivals {
  constructor(latency) {
    this.latency = latency;
    this.received = 0;
    this.counts = new Map();
    this.max = 0;
  }

  // The empty callback, but for what was asked for. `payload` is a Buffer.
  add(payload) {
    this.received += 1;
    if (!this.latency || payload.length < 2 * STAMP_DIGITS + 1) return;
    if (payload[STAMP_DIGITS] !== 0x20) return;
    const sent = Number(payload.toString('latin1', 0, STAMP_DIGITS));
    if (Number.isNaN(sent)) return;
    const took = Math.max(0, monotonicNs() - sent);
    this.max = Math.max(this.max, took);
    const part = Arrivals.partSize(took);
    const lowest = Math.floor(took / part) * part;
    this.counts.set(lowest, (this.counts.get(lowest) || 0) + 1);
  }

  // Each power of two is cut into 128 equal parts.
  static partSize(ns) {
    return ns < PARTS ? 1 : 2 ** (Math.floor(Math.log2(ns)) - Math.log2(PARTS));
  }

  percentiles() {
    const sorted = [...this.counts].sort((a, b) => a[0] - b[0]);
    const count = sorted.reduce((sum, [, n]) => sum + n, 0);
    const at = (share) => {
      let below = 0;
      for (const [lowest, n] of sorted) {
        below += n;
        if (below >= Math.ceil(share * count)) {
          return Math.min(this.max, Math.round(lowest + Arrivals.partSize(lowest) / 2));
        }
      }
      return 0;
    };
    return { count, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: this.max };
  }

  line() {
    const said = { received: this.received };
    if (this.latency) said.latency_ns = this.percentiles();
    return JSON.stringify(said);
  }
}

module.exports = { Arrivals };
