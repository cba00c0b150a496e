// Server-sent events, over fetch so that a token can be sent. At most one stream per page.
import {query, stream} from './api.js';

// The server sends something every 15 s; a stream that is silent for longer is dead.
const SILENCE = 40_000;
const LONGEST = 1 << 20;

export const STATES = ['trigger', 'alias', 'connection', 'plugin', 'package', 'runtime', 'inbox'];

// One event of a block of "field: value" lines, or null.
function parse(block) {
  const data = block.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart());
  if (data.length === 0) return null;
  try {
    return JSON.parse(data.join('\n'));
  } catch {
    return null;
  }
}

// onEvent(event); onState('open' | 'waiting', reason).
export function makeStream(onEvent, onState) {
  let abort = null;
  let timer = null;
  let failures = 0;

  async function read(choice, control) {
    let watchdog = setTimeout(() => control.abort(), SILENCE);
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => control.abort(), SILENCE);
    };
    try {
      const reader = await stream(`/events${query({kind: choice.kinds.join(','), trigger: choice.trigger})}`, control.signal);
      failures = 0;
      onState('open', '');
      const decoder = new TextDecoder();
      let text = '';
      for (;;) {
        const {done, value} = await reader.read();
        if (done) return 'the stream ended';
        alive();
        text += decoder.decode(value, {stream: true}).replaceAll('\r', '');
        const blocks = text.split('\n\n');
        text = blocks.pop();
        if (text.length > LONGEST) return 'malformed event stream';
        for (const event of blocks.map(parse)) if (event !== null && abort === control) onEvent(event);
      }
    } catch (error) {
      return error.message;
    } finally {
      clearTimeout(watchdog);
    }
  }

  async function run(choice) {
    const control = new AbortController();
    abort = control;
    const reason = await read(choice, control);
    if (abort !== control) return;  // closed, or another one is open
    onState('waiting', reason);
    ++failures;
    timer = setTimeout(() => run(choice), Math.min(15_000, 1_000 * 2 ** Math.min(failures - 1, 4)) * (0.8 + 0.4 * Math.random()));
  }

  function close() {
    clearTimeout(timer);
    const old = abort;
    abort = null;
    old?.abort();
  }
  return {
    open(choice) {
      close();
      failures = 0;
      run(choice);
    },
    close,
  };
}
