// Everything on one screen: problems first, then figures, connections, and recent events.
import {sparkline} from '../chart.js';
import {post, path} from '../api.js';
import {el, keyed, panel, replace, setText} from '../dom.js';
import {age, bytes, clock, number, plural, rate, seconds, since} from '../format.js';
import {aliasWord, backlog, stateMark} from '../health.js';
import {action, say} from '../messages.js';
import {visible} from '../payload.js';

function figure(label) {
  const value = el('span', {class: 'figure-value'});
  const note = el('span', {class: 'figure-note'});
  return {node: el('div', {class: 'figure'}, el('span', {class: 'figure-label'}, label), value, note),
    set: (text, more = '') => { setText(value, text); setText(note, more); }};
}

// A reason that begins with trigger "NAME" or alias "NAME" links to it.
function reason(text) {
  const found = /^(alias|trigger) "([^"]+)"([\s\S]*)$/.exec(text);
  if (!found) return [visible(text)];
  const [, kind, name, why] = found;
  return [el('a', {href: `#${path(kind === 'alias' ? 'aliases' : 'triggers', name)}`}, `${kind} ${name}`), visible(why)];
}

function aliasRow() {
  const mark = stateMark();
  const link = el('a', {});
  const detail = el('span', {class: 'sub'});
  return {
    node: el('li', {class: 'row'}, el('span', {class: 'grow'}, link, detail), mark.node),
    update(alias) {
      link.setAttribute('href', `#${path('aliases', alias.name)}`);
      setText(link, alias.name);
      const up = alias.connections.filter((one) => one.up).length;
      setText(detail, alias.state === 'up' || !alias.enabled ? `${alias.servers[0] ?? ''} · ${up} of ${alias.connections.length} connections up`
        : visible(alias.reason ?? alias.servers[0]));
      mark.set(alias.state, aliasWord(alias.state));
    },
  };
}

function busyRow() {
  const link = el('a', {});
  const detail = el('span', {class: 'sub'});
  const value = el('span');
  const took = el('span', {class: 'sub'});
  const line = sparkline(24);
  return {
    node: el('li', {class: 'row'}, el('span', {class: 'grow'}, link, detail), line.node, el('span', {class: 'figure-small'}, value, took)),
    update({trigger, history}) {
      link.setAttribute('href', `#${path('triggers', trigger.name)}`);
      setText(link, trigger.name);
      setText(detail, trigger.service);
      setText(took, seconds(trigger.handle_seconds?.p99));
      setText(value, `${rate(history.at(-1))}/s`);
      line.set(history);
    },
  };
}

function eventRow() {
  const node = el('li', {class: 'row event'});
  return {
    node,
    update(event) {
      if (node.firstChild) return;
      const kind = event.trigger ? 'triggers' : event.alias ? 'aliases' : '';
      const name = event.trigger || event.alias || event.plugin || '';
      node.append(el('time', {class: 'quiet'}, clock(event.at)),
        el('span', {class: 'grow'}, name !== '' && (kind !== '' ? el('a', {href: `#${path(kind, name)}`}, name) : name), name !== '' && ' ',
          visible(event.text)));
    },
  };
}

export function overview({store}) {
  const wrongs = el('ul', {class: 'plain-list'});
  const wrong = el('section', {class: 'panel alarm', 'aria-labelledby': 'wrong-title', hidden: true}, el('h2', {id: 'wrong-title'}, 'Needs attention'), wrongs);
  const figures = {flow: figure('Messages'), backlog: figure('Backlog'), oldest: figure('Oldest waiting'), letters: figure('Dead letters'), inbox: figure('Inbox')};
  const flow = sparkline(64);
  figures.flow.node.append(flow.node);
  figures.flow.node.classList.add('wide');
  const aliasList = el('ul', {class: 'plain-list'});
  const busyList = el('ul', {class: 'plain-list'});
  const eventList = el('ul', {class: 'plain-list events'});
  const aliasNote = el('p', {class: 'empty'});
  const busyNote = el('p', {class: 'empty'}, 'No messages are arriving at the moment.');
  const eventNote = el('p', {class: 'empty'}, 'Nothing since this page was opened.');
  const file = el('span', {class: 'quiet'});
  const aliases = keyed(aliasList, (alias) => alias.name, aliasRow);
  const busy = keyed(busyList, (one) => one.trigger.name, busyRow);
  const events = keyed(eventList, (event) => event.number ?? `${event.at}${event.text}`, eventRow);
  const reload = action('Reload the configuration', async () => {
    const report = await post('/reload');
    const parts = ['added', 'removed', 'changed', 'restarted'].filter((key) => report[key].length > 0).map((key) => `${key} ${report[key].join(', ')}`);
    say(parts.length > 0 ? `Reloaded: ${parts.join('; ')}.` : 'Reloaded: nothing has changed.');
    store.soon();
  });

  function update(state) {
    const {status} = state;
    const all = [...(status.not_healthy ?? []), ...(status.not_ready ?? []),
      status.last_reload_failure && `the last reload was not applied: ${status.last_reload_failure}`,
      ...status.packages.flatMap((one) => (one.problems ?? []).map((text) => `package ${one.name}: ${text}`)),
      ...status.needs_restart.map((text) => `${text} has changed and takes effect at the next start`),
      state.replaced && `triggerd is now ${status.version}: reload this page`].filter(Boolean);
    wrong.hidden = all.length === 0;
    const text = all.slice(0, 12).join('\n') + all.length;
    if (wrongs.dataset.text !== text) {
      wrongs.dataset.text = text;
      replace(wrongs, all.slice(0, 12).map((one) => el('li', {}, reason(one))), all.length > 12 && el('li', {}, `and ${number(all.length - 12)} more`));
    }
    const waiting = status.triggers.reduce((sum, one) => sum + backlog(one), 0);
    figures.flow.set(`${rate(state.total.at(-1))}/s`, `to ${plural(status.triggers.length, 'trigger')}`);
    flow.set(state.total);
    figures.backlog.set(number(waiting), `${number(status.triggers.reduce((sum, one) => sum + one.delayed, 0))} waiting for a retry`);
    figures.oldest.set(age(status.inbox.oldest_seconds), `${number(status.inbox.messages)} in the inbox`);
    figures.letters.set(number(status.inbox.dead_letters), 'kept');
    figures.inbox.set(bytes(status.inbox.bytes), `of ${bytes(status.inbox.max_bytes)}`);
    const order = (alias) => (alias.state === 'up' ? 1 : alias.enabled ? 0 : 2);
    aliases([...status.aliases].sort((a, b) => order(a) - order(b)).slice(0, 12));
    setText(aliasNote, status.aliases.length === 0 ? 'There is no alias yet: create one, and then a trigger that uses it.'
      : status.aliases.length > 12 ? `and ${number(status.aliases.length - 12)} more` : '');
    const flowing = status.triggers.map((trigger) => ({trigger, history: state.rates.get(trigger.name) ?? []}))
      .filter((one) => one.history.some((value) => value > 0))
      .sort((a, b) => b.history.at(-1) - a.history.at(-1)).slice(0, 8);
    busy(flowing);
    busyNote.hidden = flowing.length > 0;
    drawEvents(state);
    setText(file, `${status.config_file}, ${status.reloaded ? `reloaded ${since(status.reloaded)} ago` : `read ${age(status.uptime_seconds)} ago`}`);
  }
  function drawEvents(state) {
    events(state.events.slice(0, 40));
    eventNote.hidden = state.events.length > 0;
  }

  const node = el('div', {}, el('div', {class: 'head'}, el('h1', {}, 'Overview'), file, el('span', {class: 'push'}, reload)), wrong,
    el('div', {class: 'figures'}, Object.values(figures).map((one) => one.node)),
    el('div', {class: 'columns'},
      panel('Connections', aliasList, aliasNote, el('p', {class: 'buttons'}, el('a', {class: 'button', 'data-needs': 'define', href: '#/new/alias'}, 'New alias'))),
      panel('Busiest triggers', busyList, busyNote, el('p', {class: 'buttons'}, el('a', {class: 'button', 'data-needs': 'define', href: '#/new/trigger'}, 'New trigger'))),
      panel('Recent events', eventNote, eventList)));
  return {title: 'Overview', node, update, event: () => drawEvents(store.state)};
}
