// All triggers: each one's state, rate, latency, backlog.
import {path} from '../api.js';
import {sparkline} from '../chart.js';
import {el, setText} from '../dom.js';
import {number, rate, seconds} from '../format.js';
import {backlog, stateMark, toneOf} from '../health.js';
import {makeList} from '../list.js';
import {visible} from '../payload.js';

const orders = {waiting: 0, suspended: 1, paused: 2, running: 3, disabled: 4};

function makeRow() {
  const mark = stateMark();
  const link = el('a', {class: 'name'});
  const sub = el('span', {class: 'sub'});
  const line = sparkline(24);
  const cell = (name) => el('td', {class: `figure-cell ${name}`});
  const [rates, p50, p99, waiting, letters] = [cell(''), cell('wide'), cell('wide'), cell(''), cell('')];
  const letterLink = el('a', {});
  letters.append(letterLink);
  return {
    node: el('tr', {}, el('td', {}, mark.node), el('td', {class: 'grow'}, link, sub), el('td', {class: 'wide spark-cell'}, line.node), rates, p50, p99, waiting, letters),
    update({item, state}) {
      const history = state.rates.get(item.name) ?? [];
      mark.set(item.state);
      link.setAttribute('href', `#${path('triggers', item.name)}`);
      setText(link, item.name);
      setText(sub, item.reason ? visible(item.reason) : `${item.alias} → ${item.service}`);
      sub.dataset.tone = item.reason ? toneOf(item.state) : '';
      line.set(history);
      setText(rates, rate(history.at(-1)));
      setText(p50, seconds(item.handle_seconds?.p50));
      setText(p99, seconds(item.handle_seconds?.p99));
      setText(waiting, number(backlog(item)));
      setText(letterLink, item.dead_letters > 0 ? number(item.dead_letters) : '');
      letterLink.setAttribute('href', `#/dead-letters?trigger=${encodeURIComponent(item.name)}`);
      letterLink.setAttribute('aria-label', `${item.dead_letters} dead letters of ${item.name}`);
      letterLink.hidden = item.dead_letters === 0;
    },
  };
}

export function triggers(context, query) {
  const last = (trigger, state) => state.rates.get(trigger.name)?.at(-1) ?? 0;
  const list = makeList({
    caption: 'Triggers', noun: 'triggers', keyOf: (one) => one.name, makeRow,
    text: (one) => [one.name, one.description, one.state, one.reason, one.alias, one.service, ...one.filters.map((filter) => filter.filter)].join(' '),
    empty: 'There is no trigger yet. A trigger says which messages go to which service.',
    columns: [
      {label: 'State', sort: (one) => orders[one.state] ?? 5}, {label: 'Trigger', class: 'grow', sort: (one) => one.name}, {label: 'Last minutes', class: 'wide'},
      {label: 'Per s', class: 'figure-cell', sort: last, downFirst: true},
      {label: 'p50', class: 'figure-cell wide', sort: (one) => one.handle_seconds?.p50 ?? 0, downFirst: true},
      {label: 'p99', class: 'figure-cell wide', sort: (one) => one.handle_seconds?.p99 ?? 0, downFirst: true},
      {label: 'Backlog', class: 'figure-cell', sort: backlog, downFirst: true},
      {label: 'Dead', class: 'figure-cell', sort: (one) => one.dead_letters, downFirst: true},
    ],
  });
  list.filter.value = query.get('filter') ?? '';
  const node = el('div', {}, el('div', {class: 'head'}, el('h1', {}, 'Triggers'), list.summary, el('span', {class: 'push'}, list.filter, el('a', {class: 'button main', 'data-needs': 'define', href: '#/new/trigger'}, 'New trigger'))), list.node);
  return {title: 'Triggers', node, update: (state) => list.set(state.status.triggers, state)};
}
