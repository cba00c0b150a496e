// One field of a form: {node, label, keys, filled(), read(definition, errors), wrong(errors), focus()}.
import {el, uniqueId} from './dom.js';
import {framed} from './framed.js';
import {at, put} from './keys.js';
import {topicsField} from './topics_field.js';

// A number if it is one, else the text: "30s", "${LIMIT}", or something that the server will reject.
const amount = (text) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);
const typed = (text) => (text === 'true' || text === 'false' ? text === 'true' : amount(text));
const textOf = (value) => (value === undefined ? '' : String(value));
const linesOf = (text) => text.split('\n').map((line) => line.trim()).filter((line) => line !== '');

function field(spec, control, read, options = {}) {
  const frame = framed(spec, control, options);
  const empty = control.type === 'checkbox' ? control.checked : control.value;
  return {
    node: frame.node, label: spec.label, keys: spec.answers ?? [spec.key], read,
    filled: () => (options.filled ? options.filled() : control.type === 'checkbox' ? empty !== spec.preset : empty !== ''),
    wrong: (errors) => frame.show(errors.map((error) =>
      error.field === spec.key || spec.answers ? error.message : `${error.field}: ${error.message}`)),
    focus: () => control.focus(),
  };
}

function input(spec, value, more = {}) {
  return el('input', {type: 'text', value, placeholder: spec.placeholder, spellcheck: 'false', autocapitalize: 'off',
    list: spec.list ? `words-${spec.list}` : null, ...more});
}

function area(spec, text, rows) {
  const control = el('textarea', {rows, placeholder: spec.placeholder, spellcheck: 'false', autocapitalize: 'off'});
  control.value = text;
  return control;
}

const makers = {
  line(spec, {definition, exists}) {
    const control = input(spec, textOf(at(definition, spec.key)), {readonly: spec.fixedWhenThere && exists});
    // An empty text that was written stays one.
    const was = at(definition, spec.key);
    return field(spec, control, (into) => put(into, spec.key, control.value === '' && was !== '' ? undefined : control.value));
  },
  // One of the existing ones, or another one, typed in: a plugin that is not loaded yet, a variable.
  pick(spec, {definition, lists}) {
    const was = textOf(at(definition, spec.key));
    const words = [...new Set([...lists[spec.list](), was])].filter((word) => word !== '').sort();
    const typed = input({...spec, list: null}, '', {'aria-label': `${spec.label}, other value`, hidden: true});
    const another = el('option', {value: '…'}, 'Another…');
    const control = el('select', {}, el('option', {value: ''}, spec.none ?? 'choose one'),
      words.map((word) => el('option', {value: word, selected: word === was}, word)), another);
    control.addEventListener('change', () => {
      typed.hidden = control.value !== another.value;
      if (!typed.hidden) typed.focus();
    });
    const made = field(spec, control, (into) => {
      const value = control.value === another.value ? typed.value : control.value;
      put(into, spec.key, value === '' ? undefined : value);
    });
    control.after(typed);
    return made;
  },
  amount(spec, {definition}) {
    const control = input(spec, textOf(at(definition, spec.key)));
    return field(spec, control, (into) => put(into, spec.key, control.value.trim() === '' ? undefined : amount(control.value.trim())));
  },
  flag(spec, {definition}) {
    const was = at(definition, spec.key);
    const control = el('input', {type: 'checkbox', checked: was ?? spec.preset});
    return field(spec, control, (into) =>
      put(into, spec.key, control.checked === spec.preset && was === undefined ? undefined : control.checked), {before: true});
  },
  choice(spec, {definition}) {
    const was = textOf(at(definition, spec.key));
    // A value that is not one of the choices, such as a variable, stays possible.
    const words = spec.choices.some(([word]) => word === was) ? spec.choices : [...spec.choices, [was, was]];
    const control = el('select', {}, words.map(([word, label]) => el('option', {value: word, selected: word === was}, label)));
    return field(spec, control, (into) =>
      put(into, spec.key, control.value === '' ? undefined : spec.typed ? typed(control.value) : control.value));
  },
  // Of several lines, which stay as they are.
  text(spec, {definition}) {
    const was = textOf(at(definition, spec.key));
    const control = area(spec, was, Math.max(2, was.split('\n').length));
    return field(spec, control, (into) => put(into, spec.key, control.value.trim() === '' ? undefined : control.value));
  },
  lines(spec, {definition}) {
    const control = area(spec, (at(definition, spec.key) ?? []).join('\n'), 2);
    return field(spec, control, (into) => put(into, spec.key, linesOf(control.value).length > 0 ? linesOf(control.value) : undefined));
  },
  // One address is `host`, several are `hosts`.
  addresses(spec, {definition}) {
    const were = [definition.host ?? [], definition.hosts ?? []].flat();
    const control = area(spec, were.join('\n'), Math.max(2, were.length));
    return field(spec, control, (into) => {
      const addresses = linesOf(control.value);
      const asList = addresses.length > 1 || (addresses.length === 1 && definition.hosts !== undefined);
      put(into, 'host', asList ? undefined : addresses[0]);
      put(into, 'hosts', asList ? addresses : undefined);
    });
  },
  // The server never sends it. Left alone, it stays; removed on purpose, it goes.
  secret(spec, {secrets}) {
    const isThere = secrets.includes(spec.key);
    const control = input({...spec, placeholder: isThere ? 'unchanged' : ''}, '', {type: 'password', autocomplete: 'new-password'});
    const forget = el('input', {type: 'checkbox', id: uniqueId('forget')});
    const made = field(spec, control, (into) => put(into, spec.key, forget.checked ? '' : control.value === '' ? undefined : control.value),
      {filled: () => isThere});
    if (isThere) made.node.append(el('p', {class: 'tick'}, forget, el('label', {for: forget.id}, 'Remove the password')));
    return made;
  },
  json(spec, {definition}) {
    const was = at(definition, spec.key);
    const control = area(spec, was === undefined ? '' : JSON.stringify(was, null, 2), 6);
    return field(spec, control, (into, errors) => {
      const value = jsonObject(control.value, spec.key, errors);
      if (value !== undefined) put(into, spec.key, Object.keys(value).length > 0 ? value : undefined);
    });
  },
  // Keys without a field of their own.
  rest(spec, {definition, known}) {
    const others = Object.fromEntries(Object.entries(definition).filter(([key]) => !known.has(key)));
    const control = area(spec, Object.keys(others).length > 0 ? JSON.stringify(others, null, 2) : '', 4);
    const made = field(spec, control, (into, errors) => {
      const value = jsonObject(control.value, spec.label, errors);
      if (value === undefined) return;
      for (const key of Object.keys(others)) delete into[key];
      for (const [key, inner] of Object.entries(value)) if (!known.has(key)) into[key] = inner;
      made.keys = [spec.label, ...Object.keys(value)];
    });
    made.keys = [spec.label, ...Object.keys(others)];
    return made;
  },
  topics: topicsField,
};

function jsonObject(text, key, errors) {
  if (text.trim() === '') return {};
  let reason = 'must be a JSON object, such as {"limit": 80}';
  try {
    const value = JSON.parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value;
  } catch (error) {
    reason = `is not valid JSON: ${error.message}`;
  }
  errors.push({field: key, message: reason});
  return undefined;
}

export const makeField = (spec, options) => makers[spec.type](spec, options);
