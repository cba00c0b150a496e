// Calls a trigger's service with a made-up message.
import {path, post} from '../api.js';
import {el, facts, panel, replace} from '../dom.js';
import {pacing, seconds} from '../format.js';
import {framed} from '../framed.js';
import {busy} from '../messages.js';
import {preview, visible} from '../payload.js';

const published = (one) => el('li', {class: 'row'}, el('span', {class: 'grow'}, el('code', {}, visible(one.topic)), el('span', {class: 'sub mono'}, preview(one))), `QoS ${one.qos}${one.retained ? ', retained' : ''}`);

export function testPanel(name) {
  const topic = el('input', {type: 'text', spellcheck: 'false', autocomplete: 'off', autocapitalize: 'off'});
  const payload = el('textarea', {rows: 3, spellcheck: 'false'});
  const topicFrame = framed({label: 'Topic', wide: true, needed: true}, topic);
  const payloadFrame = framed({label: 'Payload', wide: true}, payload);
  const go = el('button', {type: 'submit'}, 'Call the service');
  const result = el('div', {role: 'status'});
  const form = el('form', {}, el('div', {class: 'fields'}, topicFrame.node, payloadFrame.node), el('p', {class: 'buttons'}, go), result);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy(go, async () => {
      topicFrame.show([]);
      let answer;
      try {
        answer = await post(path('triggers', name, 'test'), {topic: topic.value, payload: payload.value});
      } catch (problem) {
        const own = problem.errors?.filter((error) => error.field === 'topic') ?? [];
        topicFrame.show(own.map((error) => error.message));
        if (own.length === 0) throw problem;
        topic.focus();
        return;
      }
      replace(result, facts([
        ['Verdict', el('span', {class: 'verdict', 'data-verdict': answer.verdict}, answer.verdict)], ['Reason', answer.reason && visible(answer.reason)],
        ['Key', answer.deduplicate && (answer.deduplicate.key === undefined ? `none by ${answer.deduplicate.by}` : `${answer.deduplicate.by} ${visible(answer.deduplicate.key)}${answer.deduplicate.handled ? ': was handled, so it would be a duplicate' : ''}`)],
        ['Took', seconds(answer.seconds)], ['Pace, not of this test', pacing(answer)], ['Would the trigger get it', answer.matches ? `yes, by ${answer.filter}` : 'no: none of its filters matches'],
      ]),
      answer.log.length > 0 && el('pre', {class: 'code'}, answer.log.map((line) => `${line.level}  ${visible(line.text)}`).join('\n')),
      answer.published.length > 0 && [el('p', {class: 'quiet'}, 'It would have published:'), el('ul', {class: 'plain-list'}, answer.published.map(published))]);
    });
  });
  const node = panel('Try a message', el('p', {class: 'quiet'}, 'Calls the service once, in a separate instance. Nothing is published, retried or stored.'), form);
  node.dataset.needs = 'change';
  return node;
}
