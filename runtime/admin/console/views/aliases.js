// All aliases: which are connected, which are not, and why; and the certificates that they use.
import {path} from '../api.js';
import {el, setText} from '../dom.js';
import {number, since} from '../format.js';
import {aliasWord, stateMark} from '../health.js';
import {makeList} from '../list.js';
import {visible} from '../payload.js';
import {storesPanel} from './stores.js';

const order = (alias) => (!alias.enabled ? 2 : alias.state === 'up' ? 1 : 0);

function makeRow() {
  const mark = stateMark();
  const link = el('a', {class: 'name'});
  const sub = el('span', {class: 'sub'});
  const cells = {server: el('td', {class: 'wide'}), up: el('td', {class: 'figure-cell'}), lasts: el('td', {class: 'figure-cell wide'}), sent: el('td', {class: 'figure-cell wide'})};
  return {
    node: el('tr', {}, el('td', {}, mark.node), el('td', {class: 'grow'}, link, sub), cells.server, cells.up, cells.lasts, cells.sent),
    update({item}) {
      mark.set(item.state, aliasWord(item.state));
      link.setAttribute('href', `#${path('aliases', item.name)}`);
      setText(link, item.name);
      setText(sub, visible(item.reason ?? item.description));
      sub.dataset.tone = item.reason ? 'down' : '';
      setText(cells.server, item.servers.join(', '));
      setText(cells.up, `${number(item.connections.filter((one) => one.up).length)}/${number(item.connections.length)}`);
      setText(cells.lasts, item.since ? since(item.since) : '');
      setText(cells.sent, `${number(item.published_ok)}${item.published_failed > 0 ? `, ${number(item.published_failed)} failed` : ''}`);
    },
  };
}

export function aliases(context) {
  const stores = storesPanel();
  const list = makeList({
    caption: 'Connection aliases', noun: 'aliases', keyOf: (alias) => alias.name, makeRow,
    text: (alias) => [alias.name, alias.description, alias.state, alias.reason, alias.client_id, ...alias.servers].join(' '),
    empty: 'There is no alias yet. An alias says how to connect to an MQTT server.',
    columns: [
      {label: 'State', sort: order}, {label: 'Alias', class: 'grow', sort: (alias) => alias.name}, {label: 'Server', class: 'wide', sort: (alias) => alias.servers[0] ?? ''},
      {label: 'Up', class: 'figure-cell'}, {label: 'For', class: 'figure-cell wide'}, {label: 'Published', class: 'figure-cell wide', sort: (alias) => alias.published_ok, downFirst: true},
    ],
  });
  const node = el('div', {}, el('div', {class: 'head'}, el('h1', {}, 'Aliases'), list.summary, el('span', {class: 'push'}, list.filter, el('a', {class: 'button main', 'data-needs': 'define', href: '#/new/alias'}, 'New alias'))), list.node, stores.node);
  return {
    title: 'Aliases', node,
    update(state) {
      list.set(state.status.aliases, state);
      stores.update();
    },
  };
}
