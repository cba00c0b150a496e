// What is known about the runtime: its status, polled, and what follows from two of them.
//
// It must not burden the daemon. One request at a time, at least two seconds apart, and further apart
// the longer an answer takes (as with a thousand triggers), so that requests take at most a
// twentieth of the time. None while the page is hidden.
import {get} from './api.js';

const FAST = 2_000;
const SLOW = 30_000;
const SHARE = 20;
const HISTORY = 90;

export function makeStore() {
  const state = {
    status: null,
    rates: new Map(),  // trigger's name -> messages a second, one for each poll
    total: [],         // of all triggers
    lostSince: null,   // when the daemon stopped answering
    failure: '',
    replaced: false,   // the daemon's version is not the one that this page came from
    events: [],        // changes of state from the event stream, newest first
  };
  const listeners = new Set();
  let before = null;
  let timer = null;
  let asking = false;
  let again = false;
  let failures = 0;
  let running = false;
  let firstVersion = null;

  const tell = () => listeners.forEach((listener) => listener(state));

  function learn(status, now) {
    const old = before;
    const continues = old !== null && old.status.pid === status.pid && old.status.started === status.started;
    const received = new Map(continues ? old.status.triggers.map((trigger) => [trigger.name, trigger.received]) : []);
    const elapsed = continues ? (now - old.now) / 1000 : 0;
    const rates = new Map();
    let total = 0;
    for (const trigger of status.triggers) {
      const history = continues ? state.rates.get(trigger.name) ?? [] : [];
      const last = received.get(trigger.name);
      if (last !== undefined && elapsed > 0) {
        const rate = Math.max(0, trigger.received - last) / elapsed;
        total += rate;
        history.push(rate);
        if (history.length > HISTORY) history.shift();
      }
      rates.set(trigger.name, history);
    }
    if (!continues) state.total = [];
    if (elapsed > 0) state.total.push(total);
    if (state.total.length > HISTORY) state.total.shift();
    state.rates = rates;
    state.status = status;
    before = {status, now};
    firstVersion ??= status.version;
    state.replaced = status.version !== firstVersion;
  }

  async function poll() {
    if (asking) {
      again = true;
      return;
    }
    clearTimeout(timer);
    asking = true;
    again = false;
    const began = performance.now();
    try {
      const status = await get('/status');
      learn(status, performance.now());
      state.lostSince = null;
      state.failure = '';
      failures = 0;
    } catch (problem) {
      state.lostSince ??= new Date();
      state.failure = problem.message;
      state.unauthorized = problem.status === 401;
      ++failures;
    }
    asking = false;
    if (!running) return;
    tell();
    const took = performance.now() - began;
    const pause = failures > 0 ? Math.min(10_000, 1_000 * 2 ** Math.min(failures - 1, 4)) * (0.8 + 0.4 * Math.random())
      : Math.min(SLOW, Math.max(FAST, took * SHARE));
    timer = setTimeout(poll, again ? 500 : pause);
  }

  return {
    state,
    start() {
      if (running) return;
      running = true;
      poll();
    },
    // Rates across a pause would only be averages over it.
    stop() {
      running = false;
      clearTimeout(timer);
      before = null;
    },
    // Something has changed: poll soon, but not once for each of many changes.
    soon() {
      if (!running || failures > 0) return;
      clearTimeout(timer);
      timer = setTimeout(poll, 300);
    },
    now: () => poll(),
    heard(event) {
      state.events.unshift(event);
      if (state.events.length > 200) state.events.length = 200;
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    tell,
  };
}
