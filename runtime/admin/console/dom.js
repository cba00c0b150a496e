// Makes and changes elements. Whatever comes from messages, names and the server gets into the page
// here, as text nodes: nothing in the console parses HTML.

const SVG = 'http://www.w3.org/2000/svg';
const svgTags = new Set(['svg', 'path', 'line', 'title']);

// el('a', {class: 'x', href, on: {click}}, 'text', node, [nodes]); null and false are left out.
export function el(tag, attributes = {}, ...children) {
  const node = svgTags.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else {
      node.setAttribute(name, value === true ? '' : String(value));
    }
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Leaves equal text alone, so that a selection or a screen reader is not disturbed.
export function setText(node, text) {
  const value = String(text ?? '');
  if (node.textContent !== value) node.textContent = value;
}

export function setClass(node, value) {
  if (node.getAttribute('class') !== value) node.setAttribute('class', value);
}

export function replace(node, ...children) {
  node.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
}

// Keeps one child of `parent` for each item, in their order. make(item) gives {node, update(item)}.
// A child stays the same element as long as its key does, so focus survives a refresh.
export function keyed(parent, keyOf, make) {
  let known = new Map();
  return (items) => {
    const next = new Map();
    let place = parent.firstChild;
    for (const item of items) {
      const key = keyOf(item);
      const part = known.get(key) ?? make(item);
      known.delete(key);
      next.set(key, part);
      part.update(item);
      if (part.node === place) place = place.nextSibling;
      else parent.insertBefore(part.node, place);
    }
    for (const part of known.values()) part.node.remove();
    known = next;
  };
}

let count = 0;
export const uniqueId = (stem) => `${stem}-${++count}`;

// A table whose rows are refreshed in place. columns: [{label, class}]; the row makers fill cells.
export function table(caption, columns) {
  const body = el('tbody');
  const head = columns.map((column) => el('th', {scope: 'col', class: column.class}, column.label));
  const node = el('table', {}, el('caption', {class: 'unseen'}, caption),
    el('thead', {}, el('tr', {}, head)), body);
  return {node, body, head};
}

// Name and value pairs. A value that is a string is text; null leaves the pair out.
export function facts(pairs) {
  return el('dl', {class: 'facts'}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
}

export function panel(title, ...children) {
  const id = uniqueId('panel');
  return el('section', {class: 'panel', 'aria-labelledby': id}, el('h2', {id}, title), children);
}
