// What the pages of one alias and of one trigger have in common: what is not there, the buttons that
// change it, and its definition.
import {get, path, post, remove} from '../api.js';
import {el, panel, replace} from '../dom.js';
import {isManaged, originText} from '../health.js';
import {action, ask, say} from '../messages.js';

export function missing(kind, name, back) {
  return el('p', {class: 'empty'}, `There is no ${kind} “${name}”. `, el('a', {href: back}, 'All of them'));
}

const past = {enable: 'enabled', disable: 'disabled', suspend: 'suspended', resume: 'resumed'};

// verbs: [[verb, label, question?]]; the state decides which of them are there.
export function stateButton(context, kind, folder, name, verb, label, question) {
  return action(label, async () => {
    let body = {};
    if (question) {
      const answer = await ask(question.title, label, {detail: question.detail, reason: true});
      if (answer === null) return;
      if (answer.reason !== '') body = {reason: answer.reason};
    }
    await post(path(folder, name, verb), body);
    say(`${kind} ${name} is ${past[verb]}.`);
    await context.store.now();
  });
}

export function changeButtons(context, kind, folder, name, origin) {
  const copy = el('a', {class: 'button', 'data-needs': 'define', href: `#/new/${kind}?from=${encodeURIComponent(name)}`}, 'Copy');
  if (!isManaged(origin)) return [copy];
  return [
    el('a', {class: 'button', 'data-needs': 'define', href: `#${path(folder, name, 'edit')}`}, 'Edit'), copy,
    action('Delete', async () => {
      const answer = await ask(`Delete ${kind} ${name}?`, 'Delete', {danger: true,
        detail: kind === 'trigger' ? 'It unsubscribes. Its dead letters stay until they are dropped.' : 'It disconnects. What its session holds at the server stays there.'});
      if (answer === null) return;
      await remove(path(folder, name));
      say(`${kind} ${name} is deleted.`);
      context.store.soon();
      context.go(`/${folder}`);
    }, {class: 'danger', 'data-needs': 'define'}),
  ];
}

// As it is written; asked for once, and again when it has changed.
export function definitionPanel(kind, folder, name) {
  const place = el('p', {class: 'quiet'});
  const text = el('pre', {class: 'code', tabindex: '0', 'aria-label': `Definition of ${name}`});
  async function load() {
    try {
      const one = await get(path(folder, name));
      place.textContent = `${originText(one.origin)}${one.secrets?.length > 0 ? `; not shown: ${one.secrets.join(', ')}` : ''}`;
      text.textContent = one.toml ?? JSON.stringify(one.definition, null, 2);
    } catch (problem) {
      place.textContent = problem.message;
      replace(text);
    }
  }
  load();
  return {node: panel('Definition', place, text), load};
}
