// Shows a payload as text, as indented JSON if it is JSON, or as bytes; and downloads it.
import {el, replace} from './dom.js';
import {bytes as size} from './format.js';
import {action} from './messages.js';
import {bytesOf, hexDump, prettyJson, visibleLines} from './payload.js';

const HEX_SHOWN = 16 * 1024;

// options.whole: fetches the whole message, if this is only its beginning.
export function payloadView(message, options) {
  const bytes = bytesOf(message);
  const text = message.payload_base64 === undefined ? message.payload ?? '' : null;
  const json = text === null ? null : prettyJson(text);
  const modes = [json !== null && 'JSON', text !== null && 'Text', 'Hex'].filter(Boolean);
  const pre = el('pre', {class: 'code payload', tabindex: '0', 'aria-label': 'Payload'});
  const note = el('p', {class: 'quiet'});
  const buttons = modes.map((mode) => el('button', {type: 'button', 'aria-pressed': 'false'}, mode));

  function show(mode) {
    buttons.forEach((button, index) => button.setAttribute('aria-pressed', String(modes[index] === mode)));
    // Fewer bytes per line on narrow screens.
    const width = pre.clientWidth > 0 && pre.clientWidth < 560 ? 8 : 16;
    if (mode === 'JSON') replace(pre, visibleLines(json));
    if (mode === 'Text') replace(pre, visibleLines(text));
    if (mode === 'Hex') replace(pre, hexDump(bytes.subarray(0, HEX_SHOWN), width));
    const shown = mode === 'Hex' ? Math.min(bytes.length, HEX_SHOWN) : bytes.length;
    note.textContent = message.bytes === 0 ? 'The payload is empty.' : shown < message.bytes ? `The first ${size(shown)} of ${size(message.bytes)}.` : '';
  }
  buttons.forEach((button, index) => button.addEventListener('click', () => show(modes[index])));

  const save = action('Download', async () => {
    const all = bytes.length === message.bytes ? bytes : bytesOf(await options.whole());
    const address = URL.createObjectURL(new Blob([all], {type: 'application/octet-stream'}));
    el('a', {href: address, download: `dead-letter-${message.number}.bin`}).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  });
  show(modes[0]);
  return el('div', {}, el('p', {class: 'buttons modes', role: 'group', 'aria-label': 'Shown as'}, buttons, el('span', {class: 'push'}, save)), pre, note);
}
