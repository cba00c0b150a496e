// What the pages of an alias and of a trigger have in common: the note that it does not exist, the
// buttons that change it, and its definition.
import {get, path, post, remove} from '../api.js';
import {el, panel, replace} from '../dom.js';
import {isManaged, originText} from '../health.js';
import {action, ask, say} from '../messages.js';

export function missing(kind, name, back) {
  return el('p', {class: 'empty'}, `There is no ${kind} “${name}”. `, el('a', {href: back}, 'Show all'));
}

const past = {enable: 'enabled', disable: 'disabled', suspend: 'suspended', resume: 'resumed'};

// A button for one verb; with `question`, it asks for confirmation and a reason first.
export function stateButton(context, kind, folder, name, verb, label, question) {
  return action(label, async () => {
    let body = {};
    if (question) {
      const answer = await ask(question.title, label, {detail: question.detail, reason: true});
      if (answer === null) return;
      if (answer.reason !== '') body = {reason: answer.reason};
    }
    await post(path(folder, name, verb), body);
    say(`${kind} ${name} was ${past[verb]}.`);
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
        detail: kind === 'trigger' ? 'The trigger unsubscribes. Its dead letters stay until they are dropped.' : 'The alias disconnects. Its session stays on the server.'});
      if (answer === null) return;
      await remove(path(folder, name));
      say(`${kind} ${name} was deleted.`);
      context.store.soon();
      context.go(`/${folder}`);
    }, {class: 'danger', 'data-needs': 'define'}),
  ];
}

// The definition as it is written; fetched once, and again when it has changed.
export function definitionPanel(kind, folder, name) {
  const place = el('p', {class: 'quiet'});
  const text = el('pre', {class: 'code', tabindex: '0', 'aria-label': `Definition of ${name}`});
  async function load() {
    try {
      const one = await get(path(folder, name));
      place.textContent = `${originText(one.origin)}${one.secrets?.length > 0 ? `; hidden: ${one.secrets.join(', ')}` : ''}`;
      text.textContent = one.toml ?? JSON.stringify(one.definition, null, 2);
    } catch (problem) {
      place.textContent = problem.message;
      replace(text);
    }
  }
  load();
  return {node: panel('Definition', place, text), load};
}
