// The state of the runtime, an alias or a trigger as a tone and a word. The word is always there:
// colour alone says nothing to many people.
import {el, setText} from './dom.js';

export function trouble(status) {
  if (!status.healthy) return ['down', 'failing'];
  if (!status.ready) return ['wait', 'not ready'];
  return ['up', 'healthy'];
}

const tones = {
  up: 'up', running: 'up', enabled: 'up',
  good: 'up', ends_soon: 'wait',
  connecting: 'wait', subscribing: 'wait', paused: 'wait', unavailable: 'wait',
  waiting: 'down', suspended: 'down', broken: 'down',
  disabled: 'off', off: 'off',
};
export const toneOf = (state) => tones[state] ?? 'off';

const words = {waiting: 'not connected', off: 'idle', up: 'connected'};
export const aliasWord = (state) => words[state] ?? state;

// A dot and a word; set(state, word) changes them.
export function stateMark() {
  const word = el('span', {class: 'state-word'});
  const node = el('span', {class: 'state'}, el('span', {class: 'dot', 'aria-hidden': 'true'}), word);
  return {
    node,
    set(state, text = state) {
      node.dataset.tone = toneOf(state);
      setText(word, text);
    },
  };
}

// Where a definition is written, and whether it can be changed here.
export function originText(origin) {
  if (origin.kind === 'managed') return 'defined at run time, managed here';
  const place = origin.file ? `${origin.file}${origin.line ? `:${origin.line}` : ''}` : 'a file';
  return origin.kind === 'package' ? `package ${origin.package}, ${place}` : place;
}
export const isManaged = (origin) => origin.kind === 'managed';

// Everything unfinished: waiting for a worker, in one, waiting for a retry, or only on disk.
export const backlog = (trigger) => Math.max(trigger.queued + trigger.in_flight + trigger.delayed + trigger.waiting_for_delay, trigger.inbox_messages);
