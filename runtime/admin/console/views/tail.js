// Messages and verdicts as they happen. Those that come too fast to read are counted, not shown.
import {path} from '../api.js';
import {el, replace, setText, uniqueId} from '../dom.js';
import {STATES} from '../events.js';
import {bytes, clock, number, seconds} from '../format.js';
import {preview, visible} from '../payload.js';

const KEPT = 300;
const AT_ONCE = 60;
const EVERY = 250;

function row(event) {
  const time = el('time', {class: 'quiet'}, clock(event.at, true));
  if (event.kind !== 'message' && event.kind !== 'dead_letter') {
    const name = event.trigger || event.alias || event.plugin || event.kind;
    return el('li', {class: 'tail-row told'}, time, el('span', {class: 'tail-what'}, name), el('span', {class: 'tail-text'}, visible(event.text)));
  }
  const isLetter = event.kind === 'dead_letter';
  return el('li', {class: 'tail-row'}, time,
    el('span', {class: 'verdict', 'data-verdict': isLetter ? 'dead' : event.verdict}, isLetter ? 'dead letter' : event.verdict),
    el('a', {class: 'tail-what', href: `#${path('triggers', event.trigger ?? '')}`}, event.trigger),
    el('span', {class: 'tail-topic'}, visible(event.topic)),
    el('span', {class: 'tail-text mono'}, isLetter && event.text ? visible(event.text) : preview(event)),
    el('span', {class: 'tail-note quiet'}, [event.attempt > 1 && `attempt ${event.attempt}`, event.seconds !== undefined && seconds(event.seconds), bytes(event.bytes ?? 0)].filter(Boolean).join(' · ')));
}

export function tail(context, query) {
  const triggerId = uniqueId('trigger');
  const names = el('datalist', {id: `${triggerId}-names`});
  const trigger = el('input', {type: 'search', id: triggerId, list: names.id, value: query.get('trigger') ?? '', placeholder: 'all', spellcheck: 'false', autocomplete: 'off'});
  const word = el('input', {type: 'search', 'aria-label': 'Only with this text in topic or payload', placeholder: 'Filter', spellcheck: 'false', autocomplete: 'off'});
  const bad = el('input', {type: 'checkbox', id: uniqueId('bad')});
  const hold = el('button', {type: 'button', 'aria-pressed': 'false'}, 'Pause');
  const clear = el('button', {type: 'button'}, 'Clear');
  const status = el('span', {class: 'quiet', role: 'status'}, 'connecting');
  const counted = el('span', {class: 'quiet'});
  const list = el('ol', {class: 'tail plain-list', 'aria-label': 'Events, newest first', tabindex: '0'});
  const empty = el('p', {class: 'empty'}, 'Nothing yet. Messages appear here as they are handled.');
  let waiting = [];
  let seen = 0;
  let left = 0;
  let timer = null;

  function wants(event) {
    if (bad.checked && event.verdict === 'ok') return false;
    const text = word.value.trim().toLowerCase();
    return text === '' || [event.topic, event.payload, event.text, event.trigger].some((part) => (part ?? '').toLowerCase().includes(text));
  }
  function count() {
    setText(counted, `${number(seen)} seen${left > 0 ? `, ${number(left)} not shown` : ''}`);
  }
  function draw() {
    timer = null;
    const some = waiting.slice(-AT_ONCE);
    left += waiting.length - some.length;
    waiting = [];
    list.prepend(...some.reverse().map(row));
    while (list.childElementCount > KEPT) list.lastElementChild.remove();
    empty.hidden = list.childElementCount > 0;
    count();
  }
  hold.addEventListener('click', () => {
    const holds = hold.getAttribute('aria-pressed') !== 'true';
    hold.setAttribute('aria-pressed', String(holds));
    setText(hold, holds ? 'Resume' : 'Pause');
  });
  clear.addEventListener('click', () => {
    replace(list);
    [seen, left] = [0, 0];
    empty.hidden = false;
    count();
  });

  const view = {
    title: 'Tail',
    node: el('div', {}, el('div', {class: 'head'}, el('h1', {}, 'Tail'), status, counted,
      el('span', {class: 'push'}, el('label', {for: triggerId}, 'of'), trigger, names, word, el('span', {class: 'tick'}, bad, el('label', {for: bad.id}, 'failures only')), hold, clear)), empty, list),
    listen: {kinds: ['message', 'dead_letter', ...STATES], trigger: trigger.value.trim()},
    streamState: (state, reason) => setText(status, state === 'open' ? 'live' : `not connected: ${reason}; trying again`),
    event(event) {
      if (event.kind === 'missed') {
        left += event.count;
        count();
        return;
      }
      ++seen;
      if (hold.getAttribute('aria-pressed') === 'true') {
        ++left;
        count();
      } else if (wants(event)) {
        waiting.push(event);
        timer ??= setTimeout(draw, EVERY);
      }
    },
    update({status: now}) {
      if (names.childElementCount !== now.triggers.length) replace(names, now.triggers.map((one) => el('option', {value: one.name})));
    },
    close: () => clearTimeout(timer),
  };
  trigger.addEventListener('change', () => {
    view.listen = {...view.listen, trigger: trigger.value.trim()};
    context.listen();
  });
  return view;
}
