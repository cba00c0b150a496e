// One dead letter: its payload as text or bytes; replay, edit, drop.
import {get, path, post, put, query, remove} from '../api.js';
import {el, facts, panel, replace} from '../dom.js';
import {bytes, moment, plural} from '../format.js';
import {framed} from '../framed.js';
import {action, ask, busy, say} from '../messages.js';
import {base64Of, bytesOf, fromHex, hexOf, visible} from '../payload.js';
import {payloadView} from '../payload_view.js';

// How much of a payload the page shows; payloads can have 256 MiB.
const SHOWN = 64 * 1024;

// Fetches only the beginning, as the payload may be huge: the newest letter below the next number.
async function beginningOf(number) {
  const page = await get(`/dead-letters${query({before: number + 1, limit: 1, payload_bytes: SHOWN})}`);
  const found = page.items[0];
  return found?.number === number ? found : get(path('dead-letters', number));
}

export function letter(context, name) {
  const number = Number(name);
  const body = el('div', {}, el('h1', {}, `Dead letter ${name}`));
  const address = path('dead-letters', name);
  const back = () => {
    context.store.soon();
    context.go('/dead-letters');
  };

  function editor(one) {
    const isText = one.payload_base64 === undefined;
    const topic = el('input', {type: 'text', value: one.topic, spellcheck: 'false', autocapitalize: 'off'});
    const payload = el('textarea', {rows: 8, class: 'mono', spellcheck: 'false'});
    payload.value = isText ? one.payload ?? '' : hexOf(bytesOf(one));
    const topicFrame = framed({label: 'Topic', wide: true}, topic);
    const payloadFrame = framed({label: isText ? 'Payload' : 'Payload, in hexadecimal digits', wide: true}, payload);
    const save = el('button', {type: 'submit', class: 'main'}, 'Save');
    const again = el('button', {type: 'button'}, 'Save and replay');
    const cancel = el('button', {type: 'button'}, 'Cancel');
    const form = el('form', {}, el('div', {class: 'fields'}, topicFrame.node, payloadFrame.node), el('p', {class: 'buttons'}, save, again, cancel));
    async function write() {
      topicFrame.show([]);
      payloadFrame.show([]);
      const changed = topic.value === one.topic ? {} : {topic: topic.value};
      if (isText) {
        // A text area turns every line ending into \n, so an untouched payload is not sent.
        if (payload.value !== payload.defaultValue && payload.dataset.touched) changed.payload = payload.value;
      } else if (payload.dataset.touched) {
        const given = fromHex(payload.value);
        if (given === null) {
          payloadFrame.show(['must be pairs of hexadecimal digits, such as 0a ff']);
          payload.focus();
          return false;
        }
        changed.payload_base64 = base64Of(given);
      }
      try {
        await put(address, changed);
      } catch (problem) {
        if (problem.errors?.length > 0) {
          topicFrame.show(problem.errors.filter((error) => error.field === 'topic').map((error) => error.message));
          payloadFrame.show(problem.errors.filter((error) => error.field !== 'topic').map((error) => error.message));
        }
        throw problem;
      }
      return true;
    }
    payload.addEventListener('input', () => { payload.dataset.touched = 'yes'; });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      busy(save, async () => {
        if (!(await write())) return;
        say(`Dead letter ${name} was changed.`);
        load();
      });
    });
    again.addEventListener('click', () => busy(again, async () => {
      if (await write()) await replay();
    }));
    cancel.addEventListener('click', () => load());
    queueMicrotask(() => topic.focus());
    return panel('Edit', form);
  }

  async function replay() {
    await post(path('dead-letters', name, 'replay'));
    say(`Dead letter ${name} was replayed.`);
    back();
  }

  function draw(one) {
    const isWhole = bytesOf(one).length === one.bytes;
    const edit = el('button', {type: 'button', 'data-needs': 'change', disabled: !isWhole, title: isWhole ? null : 'Too large to edit here; use triggerctl.'}, 'Edit');
    const buttons = el('p', {class: 'buttons'},
      action('Replay', replay, {class: 'main'}), edit,
      action('Drop', async () => {
        if ((await ask(`Drop dead letter ${name}?`, 'Drop', {danger: true, detail: 'This cannot be undone.'})) === null) return;
        await remove(address);
        say(`Dead letter ${name} was dropped.`);
        back();
      }, {class: 'danger'}));
    const content = el('div', {class: 'columns two'},
      panel('Payload', payloadView(one, {whole: () => get(address)})),
      panel('About', facts([
        ['Trigger', el('a', {href: `#${path('triggers', one.trigger)}`}, one.trigger)], ['Attempts', plural(one.attempts, 'attempt')],
        ['QoS', `${one.qos}${one.retained ? ', retained' : ''}`], ['Size', bytes(one.bytes)], ['Received', moment(one.received)], ['Died', moment(one.died)],
        ['Message', el('code', {}, one.message_id)],
        ...(one.properties ?? []).map((property) => [visible(property.name), visible(property.value)]),
      ])));
    replace(body, el('div', {class: 'head'}, el('h1', {}, `Dead letter ${name}`), el('code', {}, visible(one.topic))),
      el('p', {class: 'why'}, visible(one.reason)), buttons, content);
    edit.addEventListener('click', () => {
      buttons.hidden = true;
      content.before(editor(one));
    });
  }

  async function load() {
    try {
      draw(await beginningOf(number));
    } catch (problem) {
      replace(body, el('h1', {}, `Dead letter ${name}`), el('p', {class: 'empty'}, `${problem.message}. `, el('a', {href: '#/dead-letters'}, 'All dead letters')));
    }
  }
  load();
  return {title: `Dead letter ${name}`, node: body};
}
