// Payloads are anybody's bytes. Here they become text that shows what is in it, or a hex dump.

// Control characters would act on the page or vanish; those that turn the direction of writing make
// text look like another one. All of them are shown.
const unseen = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

const known = {'\n': '\\n', '\t': '\\t', '\r': '\\r', '\0': '\\0'};
const shown = (character) => known[character] ?? `\\u{${character.codePointAt(0).toString(16)}}`;

// On one line.
export const visible = (text) => String(text ?? '').replace(unseen, shown);
// Lines and tabs stay.
export const visibleLines = (text) =>
  String(text ?? '').replace(unseen, (character) => (character === '\n' || character === '\t' ? character : shown(character)));

export function bytesOf(message) {
  if (message.payload_base64 === undefined) return new TextEncoder().encode(message.payload ?? '');
  return Uint8Array.from(atob(message.payload_base64), (character) => character.charCodeAt(0));
}

export function base64Of(bytes) {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

export const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');

// null: it is none.
export function fromHex(text) {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function hexDump(bytes, width) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += width) {
    const part = bytes.subarray(at, at + width);
    const text = Array.from(part, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hexOf(part).padEnd(width * 3 - 1)}  ${text}`);
  }
  return lines.join('\n');
}

// One line of a list.
export function preview(message) {
  if (message.payload_base64 !== undefined) return hexOf(bytesOf(message).subarray(0, 48));
  return visible((message.payload ?? '').slice(0, 300));
}

// Indented, or null where it is no JSON object or array.
export function prettyJson(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === 'object' ? JSON.stringify(value, null, 2) : null;
  } catch {
    return null;
  }
}
