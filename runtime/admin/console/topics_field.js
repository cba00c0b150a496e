// The topic filters of a trigger: rows of filter and QoS, with MQTT 5's keys of a filter's table in
// its details.
import {el, uniqueId} from './dom.js';
import {framed} from './framed.js';

const MQTT5 = [
  ['no_local', 'No local', 'flag'],
  ['retain_as_published', 'Retain as published', 'flag'],
  ['retain_handling', 'Retain handling', ['always', 'new', 'never']],
  ['subscription_id', 'Subscription id', 'number'],
];

function option(was, [key, label, kind]) {
  const id = uniqueId(key);
  if (kind === 'flag') {
    const control = el('input', {type: 'checkbox', id, checked: was[key] ?? false});
    return {node: el('p', {class: 'tick'}, control, el('label', {for: id}, label)), read: () => control.checked || undefined};
  }
  if (Array.isArray(kind)) {
    const control = el('select', {id}, ['', ...kind].map((word) => el('option', {value: word, selected: word === (was[key] ?? '')}, word || 'default')));
    return {node: el('p', {}, el('label', {for: id}, label), control), read: () => control.value || undefined};
  }
  const control = el('input', {type: 'text', id, inputmode: 'numeric', value: was[key] ?? ''});
  return {
    node: el('p', {}, el('label', {for: id}, label), control),
    read: () => (control.value === '' ? undefined : /^\d+$/.test(control.value) ? Number(control.value) : control.value),
  };
}

function makeRow(spec, written, remove) {
  const was = typeof written === 'string' ? {filter: written} : written;
  const filter = el('input', {type: 'text', value: was.filter ?? '', placeholder: 'plant/+/temperature', spellcheck: 'false', autocapitalize: 'off'});
  const qos = el('select', {}, spec.qos.map(([value, label]) => el('option', {value, selected: value === String(was.qos ?? 1)}, label)));
  const filterFrame = framed({label: 'Filter', needed: true, wide: true}, filter);
  const qosFrame = framed({label: 'QoS'}, qos);
  const options = MQTT5.map((one) => [one[0], option(was, one)]);
  const more = el('details', {class: 'inner', open: MQTT5.some(([key]) => was[key] !== undefined)}, el('summary', {}, 'MQTT 5'),
    el('div', {class: 'options'}, options.map(([, made]) => made.node)));
  const button = el('button', {type: 'button', class: 'plain', 'aria-label': 'Remove this filter'}, '✕');
  const node = el('div', {class: 'topic', role: 'group', 'aria-label': 'Topic filter'}, filterFrame.node, qosFrame.node, button, more);
  const row = {
    node, filter, qos,
    read() {
      const table = {...was, filter: filter.value, qos: Number(qos.value)};
      for (const [key, made] of options) {
        const value = made.read();
        if (value === undefined) delete table[key];
        else table[key] = value;
      }
      // As short as it was, or can be.
      return Object.keys(table).length === 2 && table.qos === 1 && was.qos === undefined ? table.filter : table;
    },
    wrong(errors) {
      const ofQos = errors.filter((error) => error.field.endsWith('.qos'));
      const others = errors.filter((error) => !error.field.endsWith('.qos'));
      qosFrame.show(ofQos.map((error) => error.message));
      filterFrame.show(others.map((error) => error.message));
    },
  };
  button.addEventListener('click', () => remove(row));
  return row;
}

export function topicsField(spec, {definition}) {
  const rows = [];
  const list = el('div', {class: 'topics'});
  const wrong = el('p', {class: 'wrong', hidden: true});
  const add = el('button', {type: 'button'}, 'Add a filter');
  const remove = (row) => {
    const index = rows.indexOf(row);
    rows.splice(index, 1);
    row.node.remove();
    (rows[Math.min(index, rows.length - 1)]?.filter ?? add).focus();
  };
  const append = (written) => {
    const row = makeRow(spec, written, remove);
    rows.push(row);
    list.append(row.node);
    return row;
  };
  const written = Array.isArray(definition.topics) && definition.topics.length > 0 ? definition.topics : [''];
  written.forEach(append);
  add.addEventListener('click', () => append('').filter.focus());
  const node = el('fieldset', {class: 'field wide'}, el('legend', {}, spec.label), list, wrong, add);
  const rowOf = (error) => rows[Number(error.field.split('.')[1] ?? NaN)];
  return {
    node, label: spec.label, keys: ['topics'], filled: () => true,
    read: (into) => { into.topics = rows.map((row) => row.read()); },
    wrong(errors) {
      rows.forEach((row) => row.wrong(errors.filter((error) => rowOf(error) === row)));
      const own = errors.filter((error) => rowOf(error) === undefined);
      wrong.textContent = own.map((error) => error.message).join(' ');
      wrong.hidden = own.length === 0;
    },
    focus(error) {
      const row = rowOf(error) ?? rows[0];
      if (row === undefined) add.focus();
      else if (error.field.endsWith('.qos')) row.qos.focus();
      else row.filter.focus();
    },
  };
}
