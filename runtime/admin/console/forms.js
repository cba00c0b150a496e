// A form for a definition: fields in, an object out, and each of the server's errors at its field.
//
// Only JSON syntax is checked here: all other rules are those of the configuration, which the server
// checks. What is typed in is sent as it is, so that the server can report what is wrong with it.
// Keys without a field stay as they were.
import {el, replace, uniqueId} from './dom.js';
import {makeField} from './fields.js';

const covers = (key, wrong) => wrong === key || wrong.startsWith(`${key}.`);

// The top-level keys that have fields, tables included.
function keysOf(groups) {
  const keys = groups.flatMap((group) => group.fields).flatMap((field) => field.answers ?? [field.key]);
  return new Set(keys.map((key) => key.split('.')[0]).filter((key) => key !== ''));
}

// options: {groups, definition, exists, secrets, lists: {name: () => [words]}}
export function makeForm(options) {
  const known = keysOf(options.groups);
  const fields = [];
  const summary = el('div', {class: 'wrong-summary', role: 'alert', tabindex: '-1', hidden: true});
  const groups = options.groups.map((group) => {
    const parts = group.fields.map((spec) => makeField(spec, {...options, known}));
    fields.push(...parts);
    const grid = el('div', {class: 'fields'}, parts.map((part) => part.node));
    if (group.open !== false) {
      return {node: el('fieldset', {}, el('legend', {}, group.title), grid), parts};
    }
    const filled = parts.some((part) => part.filled());
    return {node: el('details', {open: filled}, el('summary', {}, group.title), grid), parts};
  });

  // Does not throw: whatever prevents sending is in {errors}.
  function value() {
    const definition = structuredClone(options.definition);
    const errors = [];
    for (const field of fields) field.read(definition, errors);
    return {definition, errors};
  }

  function clear() {
    summary.hidden = true;
    for (const field of fields) field.wrong([]);
  }

  function show(message, errors) {
    clear();
    const items = [];
    const taken = new Set();
    for (const group of groups) {
      for (const field of group.parts) {
        const own = errors.filter((error) => error.field !== '' && field.keys.some((key) => covers(key, error.field)));
        if (own.length === 0) continue;
        own.forEach((error) => taken.add(error));
        field.wrong(own);
        if (group.node.tagName === 'DETAILS') group.node.open = true;
        for (const error of own) {
          const link = el('a', {href: location.hash}, field.label);
          link.addEventListener('click', (event) => {
            event.preventDefault();
            field.focus(error);
          });
          items.push(el('li', {}, link, `: ${error.message}`));
        }
      }
    }
    for (const error of errors) {
      if (!taken.has(error)) items.push(el('li', {}, [error.field, error.message].filter(Boolean).join(': '), error.place ? ` (${error.place})` : ''));
    }
    replace(summary, el('p', {}, message), items.length > 0 && el('ul', {}, items));
    summary.hidden = false;
    summary.focus();
    summary.scrollIntoView({block: 'nearest'});
  }

  const dataLists = Object.entries(options.lists).map(([name, words]) =>
    el('datalist', {id: `words-${name}`}, words().map((word) => el('option', {value: word}))));
  const buttons = el('p', {class: 'buttons'});
  const form = el('form', {novalidate: true, autocomplete: 'off', id: uniqueId('form')},
    summary, groups.map((group) => group.node), dataLists, buttons);
  return {node: form, buttons, value, show, clear};
}
