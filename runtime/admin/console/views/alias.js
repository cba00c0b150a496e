// One alias: its connections, and why one is not up.
import {path, post} from '../api.js';
import {el, facts, keyed, panel, replace, setText, table} from '../dom.js';
import {bytes, moment, number, seconds, since} from '../format.js';
import {aliasWord, originText, stateMark} from '../health.js';
import {action, ask, say} from '../messages.js';
import {visible} from '../payload.js';
import {changeButtons, definitionPanel, missing, stateButton} from './member.js';

function connectionRow() {
  const mark = stateMark();
  const owner = el('span', {class: 'name'});
  const sub = el('span', {class: 'sub'});
  const lasts = el('td', {class: 'figure-cell'});
  const again = el('td', {class: 'figure-cell wide'});
  return {
    node: el('tr', {}, el('td', {}, mark.node), el('td', {class: 'grow'}, owner, sub), lasts, again),
    update(one) {
      mark.set(one.state, aliasWord(one.state));
      if (one.trigger) {
        if (!owner.firstElementChild) replace(owner, el('a', {href: `#${path('triggers', one.trigger)}`}, one.trigger));
      } else {
        setText(owner, 'the alias’s own, for publishing');
      }
      setText(sub, one.reason ? visible(one.reason) : `${one.client_id}${one.server ? ` at ${one.server}` : ''}`);
      sub.dataset.tone = one.reason ? 'down' : '';
      setText(lasts, one.since ? since(one.since) : '');
      setText(again, `${number(one.reconnects)} / ${number(one.sessions_lost)}`);
    },
  };
}

// What is kept to publish, and a way to remove it.
function outboxPanel(context, name) {
  const about = el('div');
  const clear = action('Clear', async () => {
    const answer = await ask(`Clear the outbox of ${name}?`, 'Clear', {danger: true, detail: 'Messages that were not sent yet are removed, and never published.'});
    if (answer === null) return;
    const {cleared} = await post(path('aliases', name, 'outbox', 'clear'), {});
    say(`${number(cleared)} ${cleared === 1 ? 'message was' : 'messages were'} removed.`);
    await context.store.now();
  }, {class: 'danger'});
  const node = panel('Outbox', about, el('p', {class: 'buttons'}, clear));
  return {
    node,
    update(outbox) {
      node.hidden = !outbox;
      if (!outbox) return;
      clear.hidden = outbox.messages === outbox.in_flight;
      const gone = [['refused by the server', outbox.refused], ['dropped', outbox.dropped], ['expired', outbox.expired], ['cleared', outbox.cleared]].filter(([, count]) => count > 0);
      replace(about, facts([
        ['Kept', `${number(outbox.messages)}${outbox.in_flight > 0 ? `, ${number(outbox.in_flight)} of them sent` : ''}`],
        ['Size', `${bytes(outbox.bytes)} of ${bytes(outbox.max_bytes)}`], ['Oldest', outbox.oldest && since(outbox.oldest)],
        ['Sent', number(outbox.sent)], ['Not sent', gone.map(([what, count]) => `${number(count)} ${what}`).join(', ')],
      ]));
    },
  };
}

export function alias(context, name) {
  const body = el('div');
  const mark = stateMark();
  const why = el('p', {class: 'why', role: 'status'});
  const buttons = el('p', {class: 'buttons'});
  const about = el('div');
  const tested = el('p', {role: 'status', class: 'quiet'});
  const connections = table(`Connections of ${name}`, [{label: 'State'}, {label: 'Connection', class: 'grow'}, {label: 'For', class: 'figure-cell'}, {label: 'Reconnects / sessions lost', class: 'figure-cell wide'}]);
  const rows = keyed(connections.body, (one) => one.client_id, connectionRow);
  const definition = definitionPanel('alias', 'aliases', name);
  const outbox = outboxPanel(context, name);
  const test = action('Test', async () => {
    tested.textContent = 'Connecting…';
    try {
      const result = await post(path('aliases', name, 'test'));
      tested.textContent = result.ok ? `${result.server} answered after ${seconds(result.seconds)}.` : `Failed: ${visible(result.reason)}`;
    } catch (problem) {
      tested.textContent = '';
      throw problem;
    }
  });
  let drawn = '';

  function draw(one) {
    const key = [one.enabled, one.origin.kind].join();
    if (key === drawn) return;
    drawn = key;
    replace(buttons,
      one.enabled ? stateButton(context, 'alias', 'aliases', name, 'disable', 'Disable', {title: `Disable alias ${name}?`, detail: 'The alias and its triggers disconnect, and stay disconnected across restarts. Sessions are kept on the server.'})
        : stateButton(context, 'alias', 'aliases', name, 'enable', 'Enable'),
      test, changeButtons(context, 'alias', 'aliases', name, one.origin));
    replace(body, el('div', {class: 'head'}, el('h1', {}, name), mark.node), why, buttons, tested,
      el('div', {class: 'columns two'}, panel('Connections', connections.node), el('div', {}, panel('About', about), outbox.node, definition.node)));
    definition.load();
  }

  function update({status}) {
    const one = status.aliases.find((item) => item.name === name);
    if (!one) {
      drawn = '';
      replace(body, el('h1', {}, name), missing('alias', name, '#/aliases'));
      return;
    }
    draw(one);
    mark.set(one.state, aliasWord(one.state));
    setText(why, one.reason ? visible(one.reason) : '');
    why.hidden = !one.reason;
    rows(one.connections);
    outbox.update(one.outbox);
    replace(about, facts([
      ['Description', one.description], ['Servers', one.servers.join(', ')], ['Client id', one.client_id], ['MQTT', one.protocol],
      ['Disabled by', one.disabled_by], ['Client certificate expires', one.certificate_ends && moment(one.certificate_ends)],
      ['Published', `${number(one.published_ok)}${one.published_failed > 0 ? `, ${number(one.published_failed)} failed` : ''}`], ['Defined in', originText(one.origin)],
    ]));
  }
  return {title: name, node: body, update};
}
