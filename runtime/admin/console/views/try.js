// Publish a message, and see which triggers get a topic.
import {get, path, post, query as queryOf} from '../api.js';
import {el, panel, replace, setText} from '../dom.js';
import {bytes, pacing, plural} from '../format.js';
import {framed} from '../framed.js';
import {busy} from '../messages.js';
import {base64Of, fromHex, visible} from '../payload.js';

const line = (attributes) => el('input', {type: 'text', spellcheck: 'false', autocomplete: 'off', autocapitalize: 'off', ...attributes});

function publishPanel(context) {
  const controls = {
    alias: el('select', {}), topic: line(), payload: el('textarea', {rows: 4, class: 'mono', spellcheck: 'false'}),
    qos: el('select', {}, ['0', '1', '2'].map((value) => el('option', {value, selected: value === '1'}, value))),
    retained: el('input', {type: 'checkbox'}), hex: el('input', {type: 'checkbox'}),
  };
  const frames = {
    alias: framed({label: 'Alias', needed: true}, controls.alias), topic: framed({label: 'Topic', needed: true}, controls.topic),
    payload: framed({label: 'Payload', wide: true}, controls.payload), qos: framed({label: 'QoS'}, controls.qos),
    retained: framed({label: 'Retained'}, controls.retained, {before: true}), hex: framed({label: 'Payload in hexadecimal digits'}, controls.hex, {before: true}),
  };
  const go = el('button', {type: 'submit', class: 'main'}, 'Publish');
  const done = el('p', {class: 'done', role: 'status'});
  const form = el('form', {}, el('div', {class: 'fields'}, Object.values(frames).map((frame) => frame.node)), el('p', {class: 'buttons'}, go), done);

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy(go, async () => {
      setText(done, '');
      Object.values(frames).forEach((frame) => frame.show([]));
      const message = {alias: controls.alias.value, topic: controls.topic.value, qos: Number(controls.qos.value), retained: controls.retained.checked};
      if (controls.hex.checked) {
        const given = fromHex(controls.payload.value);
        if (given === null) {
          frames.payload.show(['must be pairs of hexadecimal digits, such as 0a ff']);
          controls.payload.focus();
          return;
        }
        message.payload_base64 = base64Of(given);
      } else {
        message.payload = controls.payload.value;
      }
      try {
        const answer = await post('/publish', message);
        setText(done, `Published on ${answer.topic}, QoS ${answer.qos}, ${bytes(answer.bytes)}.`);
      } catch (problem) {
        const own = (problem.errors ?? []).filter((error) => frames[error.field]);
        for (const error of own) frames[error.field].show([error.message]);
        if (own.length === 0) throw problem;
        controls[own[0].field].focus();
      }
    });
  });
  const node = panel('Publish', form);
  node.dataset.needs = 'change';
  let drawn = null;
  return {
    node,
    update({status}) {
      const up = status.aliases.filter((one) => one.enabled).map((one) => one.name);
      if (drawn === up.join()) return;
      drawn = up.join();
      const chosen = controls.alias.value;
      replace(controls.alias, up.length !== 1 && el('option', {value: ''}, up.length === 0 ? 'no alias is enabled' : 'choose one'),
        up.map((value) => el('option', {value, selected: value === chosen}, value)));
    },
  };
}

const SHOWN = 200;

function matchPanel() {
  const topic = line({placeholder: 'plant/boiler/temperature'});
  const frame = framed({label: 'Topic of a message', wide: true}, topic);
  const go = el('button', {type: 'submit'}, 'Match');
  const summary = el('p', {role: 'status', class: 'quiet'});
  const list = el('ul', {class: 'plain-list'});
  const form = el('form', {}, el('div', {class: 'fields'}, frame.node), el('p', {class: 'buttons'}, go), summary, list);
  const item = (one) => el('li', {class: 'row'}, el('span', {class: 'mark', 'aria-hidden': 'true', 'data-tone': one.gets ? 'up' : one.matches ? 'wait' : 'off'}, one.gets ? '✓' : one.matches ? '!' : '–'),
    el('span', {class: 'grow'}, el('a', {href: `#${path('triggers', one.trigger)}`}, one.trigger), one.filter && [' ', el('code', {}, visible(one.filter))], el('span', {class: 'sub'}, one.gets ? ['gets it', pacing(one)].filter(Boolean).join(', ') : visible(one.reason))));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy(go, async () => {
      frame.show([]);
      try {
        const {triggers} = await get(`/match${queryOf({topic: topic.value})}`);
        const count = triggers.filter((one) => one.gets).length;
        setText(summary, `${plural(count, 'trigger')} would get it, ${triggers.length - count} would not.`);
        replace(list, triggers.slice(0, SHOWN).map(item), triggers.length > SHOWN && el('li', {}, `and ${triggers.length - SHOWN} more that do not`));
      } catch (problem) {
        if (problem.status !== 400 && problem.status !== 422) throw problem;
        replace(list);
        setText(summary, '');
        frame.show(problem.errors.length > 0 ? problem.errors.map((error) => error.message) : [problem.message]);
        topic.focus();
      }
    });
  });
  return panel('Match', el('p', {class: 'quiet'}, 'Which triggers would get a message, and why not the others.'), form);
}

export function tryOut(context) {
  const publish = publishPanel(context);
  const node = el('div', {}, el('div', {class: 'head'}, el('h1', {}, 'Try')), el('div', {class: 'columns two'}, publish.node, matchPanel()));
  return {title: 'Try', node, update: publish.update};
}
