// Dead letters, a page at a time; all that match the filter can be replayed or dropped.
import {get, path, post, query as queryOf} from '../api.js';
import {el, replace, setText, table, uniqueId} from '../dom.js';
import {bytes, moment, number, plural} from '../format.js';
import {action, ask, complain, say} from '../messages.js';
import {preview, visible} from '../payload.js';

const PAGE = 50;
const spans = [['', 'any time'], ['10m', 'last 10 minutes'], ['1h', 'last hour'], ['24h', 'last day'], ['7d', 'last 7 days']];

function row(letter) {
  return el('tr', {class: 'letter'},
    el('td', {class: 'figure-cell'}, el('a', {href: `#${path('dead-letters', letter.number)}`, 'aria-label': `Dead letter ${letter.number}`}, String(letter.number))),
    el('td', {class: 'grow'}, el('span', {class: 'name'}, visible(letter.topic)), el('span', {class: 'sub', 'data-tone': 'down'}, visible(letter.reason))),
    el('td', {class: 'wide mono payload-cell'}, preview(letter)),
    el('td', {class: 'wide one-line'}, letter.trigger), el('td', {class: 'figure-cell wide'}, bytes(letter.bytes)),
    el('td', {class: 'figure-cell'}, moment(letter.died)));
}

export function letters(context, query) {
  const triggerId = uniqueId('trigger');
  const sinceId = uniqueId('since');
  const names = el('datalist', {id: `${triggerId}-names`});
  const trigger = el('input', {type: 'search', id: triggerId, list: names.id, value: query.get('trigger') ?? '', placeholder: 'all', spellcheck: 'false', autocomplete: 'off'});
  const since = el('select', {id: sinceId}, spans.map(([value, label]) => el('option', {value}, label)));
  const summary = el('span', {class: 'quiet', role: 'status'});
  const list = table('Dead letters', [{label: 'No.', class: 'figure-cell'}, {label: 'Topic and reason', class: 'grow'}, {label: 'Payload', class: 'wide'}, {label: 'Trigger', class: 'wide'}, {label: 'Size', class: 'figure-cell wide'}, {label: 'Died', class: 'figure-cell'}]);
  const empty = el('p', {class: 'empty', hidden: true}, 'No dead letters. A message that is rejected, or runs out of attempts, is kept here with its reason.');
  const more = action('Show more', () => load(next), {hidden: true, 'data-needs': null});
  let next = null;
  let known = null;
  let asked = 0;

  const filter = () => ({trigger: trigger.value.trim(), since: since.value});

  async function load(before) {
    const mine = ++asked;
    let page;
    try {
      page = await get(`/dead-letters${queryOf({...filter(), before, limit: PAGE, payload_bytes: 96})}`);
    } catch (problem) {
      if (mine === asked) setText(summary, problem.message);
      return;
    }
    if (mine !== asked) return;
    const rows = page.items.map(row);
    if (before) list.body.append(...rows);
    else replace(list.body, rows);
    next = page.next ?? null;
    more.hidden = next === null;
    empty.hidden = page.total > 0;
    list.node.hidden = page.total === 0;
    setText(summary, page.total > list.body.childElementCount ? `${number(list.body.childElementCount)} of ${plural(page.total, 'dead letter')}` : plural(page.total, 'dead letter'));
    all.forEach((button) => { button.hidden = page.total === 0; });
    return page;
  }

  // The server works for about two seconds per request.
  async function each(verb, past) {
    let [done, failed, left, reason] = [0, 0, 0, ''];
    const body = Object.fromEntries(Object.entries(filter()).filter(([, value]) => value !== ''));
    for (;;) {
      const part = await post(`/dead-letters/${verb}`, body);
      done += part.done;
      left = part.remaining;
      failed = part.failed; // these stay, so every request counts them again
      if (part.up_to) body.up_to = part.up_to; // letters that come back meanwhile are left alone
      reason = part.last_failure ?? reason;
      setText(summary, `${number(done)} ${past}, ${number(part.remaining)} left`);
      if (part.remaining === 0 || part.done === 0) break;
    }
    if (failed > 0) complain({message: `${number(failed)} not ${past}: ${reason}`});
    else if (left > 0 && reason) complain({message: `${number(left)} left: ${reason}`});
    else say(`${plural(done, 'dead letter')} ${past}.`);
    await load(null);
    context.store.soon();
  }
  function what() {
    const {trigger: of, since: span} = filter();
    return [`of ${of === '' ? 'all triggers' : of}`, span && spans.find(([value]) => value === span)[1]].filter(Boolean).join(', ');
  }
  const all = [
    action('Replay all', async () => {
      if (await ask('Replay these dead letters?', 'Replay', {detail: `Those ${what()}: each is delivered to its trigger again, the oldest first.`})) await each('replay', 'replayed');
    }),
    action('Drop all', async () => {
      if (await ask('Drop these dead letters?', 'Drop', {danger: true, detail: `Those ${what()}. This cannot be undone.`})) await each('drop', 'dropped');
    }, {class: 'danger'}),
  ];
  for (const control of [trigger, since]) control.addEventListener('change', () => load(null));
  load(null);

  const node = el('div', {}, el('div', {class: 'head'}, el('h1', {}, 'Dead letters'), summary,
    el('span', {class: 'push'}, el('label', {for: triggerId}, 'of'), trigger, names, el('label', {class: 'unseen', for: sinceId}, 'Died'), since, all)),
  el('div', {class: 'list'}, list.node, empty, el('p', {class: 'buttons'}, more)));
  return {
    title: 'Dead letters', node,
    // While more than the first page is shown, the list stays as it is.
    update({status}) {
      if (names.childElementCount !== status.triggers.length) replace(names, status.triggers.map((one) => el('option', {value: one.name})));
      // If one goes and another one comes, the number alone does not change.
      const now = `${status.inbox.dead_letters} ${status.triggers.reduce((sum, one) => sum + one.dead_letters_made, 0)}`;
      if (known !== null && known !== now && list.body.childElementCount <= PAGE && !list.body.contains(document.activeElement)) load(null);
      known = now;
    },
  };
}
