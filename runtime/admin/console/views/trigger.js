// One trigger: how it is doing, why it is not running, and what can be done about it.
import {path} from '../api.js';
import {sparkline} from '../chart.js';
import {el, facts, panel, replace, setText} from '../dom.js';
import {age, moment, number, rate, seconds} from '../format.js';
import {originText, stateMark} from '../health.js';
import {visible} from '../payload.js';
import {changeButtons, definitionPanel, missing, stateButton} from './member.js';
import {testPanel} from './trigger_test.js';

const stop = {title: 'Disable trigger', detail: 'The trigger stops, and stays disabled across restarts. Its session is kept on the server.'};
const halt = {title: 'Suspend trigger', detail: 'The trigger stops until it is resumed, manually or by its monitor. Its session is kept on the server.'};

function filterLine(one) {
  const granted = one.refusal ? `refused: ${visible(one.refusal)}` : one.granted_qos === undefined ? `QoS ${one.qos}, not granted yet` : `QoS ${one.granted_qos}${one.granted_qos < one.qos ? ` (asked for ${one.qos})` : ''}`;
  return el('li', {class: 'row'}, el('code', {class: 'grow'}, visible(one.filter)), el('span', {class: 'quiet'}, granted));
}

export function trigger(context, name) {
  const body = el('div');
  const mark = stateMark();
  const why = el('p', {class: 'why', role: 'status'});
  const buttons = el('p', {class: 'buttons'});
  const flow = sparkline(72);
  const now = el('span', {class: 'figure-value'});
  const [figures, waiting, about] = [el('div'), el('div'), el('div')];
  const filters = el('ul', {class: 'plain-list'});
  const definition = definitionPanel('trigger', 'triggers', name);
  const test = testPanel(name);
  let drawn = '';

  function draw(one) {
    const key = [one.enabled, one.state === 'suspended', one.origin.kind].join();
    if (key === drawn) return;
    drawn = key;
    const button = (verb, label, question) => stateButton(context, 'trigger', 'triggers', name, verb, label, question && {...question, title: `${question.title} ${name}?`});
    replace(buttons,
      one.enabled ? [one.state === 'suspended' ? button('resume', 'Resume') : button('suspend', 'Suspend', halt), button('disable', 'Disable', stop)] : button('enable', 'Enable'),
      el('a', {class: 'button', href: `#/tail?trigger=${encodeURIComponent(name)}`}, 'Tail'),
      el('a', {class: 'button', href: `#/dead-letters?trigger=${encodeURIComponent(name)}`}, 'Dead letters'),
      changeButtons(context, 'trigger', 'triggers', name, one.origin));
    replace(body, el('div', {class: 'head'}, el('h1', {}, name), mark.node), why, buttons,
      el('div', {class: 'columns two'},
        el('div', {}, panel('Messages', el('p', {class: 'flow'}, now, ' per second'), flow.node, figures), panel('Waiting', waiting), test),
        el('div', {}, panel('Topic filters', filters), panel('About', about), definition.node)));
    definition.load();
  }

  function update(state) {
    const one = state.status.triggers.find((item) => item.name === name);
    if (!one) {
      drawn = '';
      replace(body, el('h1', {}, name), missing('trigger', name, '#/triggers'));
      return;
    }
    draw(one);
    const history = state.rates.get(name) ?? [];
    mark.set(one.state);
    setText(why, one.reason ? visible(one.reason) : '');
    why.hidden = !one.reason;
    setText(now, rate(history.at(-1)));
    flow.set(history);
    replace(figures, facts([
      ['Received', number(one.received)],
      ...Object.entries(one.handled).filter(([, value]) => value > 0).map(([verdict, value]) => [verdict, number(value)]),
      ['In the service, p50', seconds(one.handle_seconds?.p50)], ['In the service, p99', seconds(one.handle_seconds?.p99)],
      ['Socket to verdict, p99', one.delivery_seconds && seconds(one.delivery_seconds.p99)],
    ]));
    replace(waiting, facts([
      ['For a worker', number(one.queued)], ['In the service', number(one.in_flight)], ['For a retry', number(one.delayed)],
      ['For its delay', one.delay && number(one.waiting_for_delay)], ['For the highest rate', one.max_rate && (one.rate_holds ? 'yes' : 'no')],
      ['For the rate in total', one.rate_held_seconds > 0 ? age(one.rate_held_seconds) : null],
      ['Past their deadline', one.late > 0 ? number(one.late) : null], ['In the inbox', number(one.inbox_messages)],
      ['Oldest', one.oldest_seconds === undefined ? null : age(one.oldest_seconds)], ['Dead letters', number(one.dead_letters)],
      ['Keys of handled messages', one.deduplicate ? number(one.deduplicate.keys) : null],
      ['Without a key', one.deduplicate?.without_key > 0 ? number(one.deduplicate.without_key) : null],
      ['Paused in total', one.paused_seconds > 0 ? age(one.paused_seconds) : null],
    ]));
    const text = JSON.stringify(one.filters);
    if (filters.dataset.text !== text) {
      filters.dataset.text = text;
      replace(filters, one.filters.map(filterLine));
    }
    replace(about, facts([
      ['Description', one.description], ['Alias', el('a', {href: `#${path('aliases', one.alias)}`}, one.alias)], ['Service', one.service], ['Highest rate', one.max_rate], ['Delay', one.delay],
      ['Since', one.since && moment(one.since)], ['By', one.changed_by], ['Defined in', originText(one.origin)],
    ]));
  }
  return {title: name, node: body, update};
}
