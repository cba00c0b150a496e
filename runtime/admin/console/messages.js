// The console's notifications, and its questions before something that cannot be undone.
import {el, uniqueId} from './dom.js';

const KEPT = 3;
const GOOD_NEWS_STAYS = 5000;

function show(kind, ...content) {
  const region = document.getElementById('messages');
  const close = el('button', {type: 'button', class: 'plain', 'aria-label': 'Dismiss'}, '✕');
  const node = el('div', {class: `message ${kind}`}, el('div', {}, content), close);
  close.addEventListener('click', () => node.remove());
  region.append(node);
  while (region.childElementCount > KEPT) region.firstElementChild.remove();
  return node;
}

export function say(text) {
  const node = show('good', text);
  setTimeout(() => node.remove(), GOOD_NEWS_STAYS);
}

// Stays until it is dismissed: bad news must not vanish while nobody looks.
export function complain(problem) {
  const errors = problem.errors ?? [];
  show('bad', problem.message,
    errors.length > 0 && el('ul', {}, errors.map((error) =>
      el('li', {}, [error.field, error.message].filter(Boolean).join(': '), error.place ? ` (${error.place})` : ''))));
}

// A button that does something at the server: never twice at once, and it reports a failure. It is
// shown to whoever may make changes, unless `data-needs` says something else (null: to everybody).
export function action(label, run, attributes = {}) {
  const button = el('button', {type: 'button', 'data-needs': 'change', ...attributes}, label);
  button.addEventListener('click', () => busy(button, run));
  return button;
}

export async function busy(button, run) {
  if (button.getAttribute('aria-busy') === 'true') return;
  button.setAttribute('aria-busy', 'true');
  try {
    await run();
  } catch (problem) {
    complain(problem);
  } finally {
    button.removeAttribute('aria-busy');
  }
}

// Resolves to null if cancelled, else to {reason}. `options.reason`: asks for a reason, too.
export function ask(question, verb, options = {}) {
  const id = uniqueId('ask');
  const reason = el('input', {id: `${id}-reason`, type: 'text', maxlength: 200, autocomplete: 'off'});
  const go = el('button', {type: 'submit', class: options.danger ? 'danger' : 'main'}, verb);
  const cancel = el('button', {type: 'button'}, 'Cancel');
  const form = el('form', {}, el('h2', {id}, question),
    options.detail && el('p', {}, options.detail),
    options.reason && el('p', {class: 'field'}, el('label', {for: reason.id}, 'Reason (for the record)'), reason),
    el('p', {class: 'buttons'}, go, cancel));
  const dialog = el('dialog', {'aria-labelledby': id}, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    let answer = null;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      answer = {reason: reason.value.trim()};
      dialog.close();
    });
    cancel.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(answer);
    });
    dialog.showModal();
    (options.reason ? reason : options.danger ? cancel : go).focus();
  });
}
