// Truststores and keystores: what is in them, until when it is valid, and who uses them. Fetched when
// the page is opened and occasionally after that: they change with files, not with messages.
import {get, path} from '../api.js';
import {el, keyed, panel, replace, setText} from '../dom.js';
import {moment, plural} from '../format.js';
import {stateMark} from '../health.js';
import {visible} from '../payload.js';

const AGAIN = 30_000;
const words = {good: 'good', ends_soon: 'expires soon', expired: 'expired', not_yet: 'not valid yet', broken: 'unusable'};

function certificateLine(one) {
  return el('li', {class: 'row'}, el('span', {class: 'grow'}, el('span', {class: 'name'}, visible(one.subject)),
    el('span', {class: 'sub'}, [one.key_alias && `key ${visible(one.key_alias)}`, `issued by ${visible(one.issuer)}`].filter(Boolean).join(', '))),
  el('span', {class: 'quiet'}, `${words[one.state]}, until ${moment(one.valid_until)}`));
}

function storePart(first) {
  const mark = stateMark();
  const sub = el('span', {class: 'sub'});
  const users = el('span', {class: 'sub'});
  const problem = el('span', {class: 'sub', 'data-tone': 'down'});
  const inside = el('details', {class: 'inner'});
  return {
    node: el('li', {}, el('div', {class: 'row'}, el('span', {class: 'grow'}, el('span', {class: 'name'}, first.name), sub, users, problem), mark.node), inside),
    update(one) {
      mark.set(one.state === 'good' || one.state === 'ends_soon' ? one.state : 'broken', words[one.state]);
      setText(sub, [one.kind, one.file === 'system' ? 'the operating system’s certificates' : visible(one.file), one.valid_until && `until ${moment(one.valid_until)}`].filter(Boolean).join(' · '));
      replace(users, one.aliases.length === 0 ? 'no alias uses it' : ['used by ', one.aliases.map((name, index) => [index > 0 && ', ', el('a', {href: `#${path('aliases', name)}`}, name)])]);
      setText(problem, one.problem ? visible(one.problem) : '');
      inside.hidden = one.certificates.length === 0;
      replace(inside, el('summary', {}, plural(one.certificates.length, 'certificate')), el('ul', {class: 'plain-list'}, one.certificates.slice(0, 100).map(certificateLine)));
    },
  };
}

export function storesPanel() {
  const list = el('ul', {class: 'plain-list'});
  const said = el('p', {class: 'quiet', role: 'status', hidden: true});
  const node = panel('Truststores and keystores', list, said);
  const draw = keyed(list, (one) => `${one.kind} ${one.name}`, storePart);
  let asked = -Infinity;
  node.hidden = true;

  async function update() {
    if (performance.now() - asked < AGAIN) return;
    asked = performance.now();
    try {
      const {items} = await get('/stores');
      draw(items);
      said.hidden = true;
      node.hidden = items.length === 0;
    } catch (wrong) {
      setText(said, wrong.message);
      said.hidden = false;
      node.hidden = false;
    }
  }
  return {node, update};
}
