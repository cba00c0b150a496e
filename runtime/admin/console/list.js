// A table for many items: a box to filter it, headers to sort by, and pages. Only the rows that are
// shown are in the page, so a thousand items cost what fifty do.
import {el, keyed, setText, table, uniqueId} from './dom.js';
import {number} from './format.js';

const PAGE = 50;

// options: {caption, noun, columns: [{label, class, sort: (item, state) => value}], keyOf, makeRow,
//           text: (item) => what the filter searches, first: index of the column to sort by, empty}
export function makeList(options) {
  const id = uniqueId('filter');
  const filter = el('input', {type: 'search', id, placeholder: 'Filter', 'aria-label': `Filter ${options.noun}`, autocomplete: 'off', spellcheck: 'false'});
  const summary = el('span', {class: 'quiet', role: 'status'});
  const made = table(options.caption, options.columns);
  const empty = el('p', {class: 'empty', hidden: true}, options.empty);
  const before = el('button', {type: 'button'}, 'Previous');
  const after = el('button', {type: 'button'}, 'Next');
  const pages = el('span', {class: 'quiet'});
  const pager = el('nav', {class: 'pager', 'aria-label': 'Pages', hidden: true}, before, pages, after);
  const rows = keyed(made.body, (row) => options.keyOf(row.item), options.makeRow);
  let sort = options.first ?? 0;
  let down = false;
  let page = 0;
  let items = [];
  let state = null;

  function sortButtons() {
    options.columns.forEach((column, index) => {
      if (!column.sort) return;
      const button = el('button', {type: 'button', class: 'sort'}, column.label, el('span', {class: 'arrow', 'aria-hidden': 'true'}));
      button.addEventListener('click', () => {
        down = sort === index ? !down : Boolean(column.downFirst);
        sort = index;
        draw();
      });
      made.head[index].replaceChildren(button);
    });
  }

  function shown() {
    const wanted = filter.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const found = items.filter((item) => {
      const text = options.text(item).toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
    const by = options.columns[sort].sort;
    if (!by) return found;
    const sign = down ? -1 : 1;
    return found.map((item) => [by(item, state), item])
      .sort(([a, x], [b, y]) => (a < b ? -sign : a > b ? sign : options.keyOf(x) < options.keyOf(y) ? -1 : 1))
      .map(([, item]) => item);
  }

  function draw() {
    const found = shown();
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    page = Math.min(page, last);
    rows(found.slice(page * PAGE, page * PAGE + PAGE).map((item) => ({item, state})));
    setText(summary, found.length === items.length ? `${number(items.length)} ${options.noun}` : `${number(found.length)} of ${number(items.length)} ${options.noun}`);
    setText(pages, `${number(page * PAGE + 1)}–${number(Math.min(found.length, page * PAGE + PAGE))}`);
    pager.hidden = last === 0;
    before.disabled = page === 0;
    after.disabled = page === last;
    empty.hidden = found.length > 0;
    setText(empty, items.length === 0 ? options.empty : `None of ${number(items.length)} matches the filter.`);
    made.node.hidden = found.length === 0;
    options.columns.forEach((column, index) => {
      if (index === sort && column.sort) made.head[index].setAttribute('aria-sort', down ? 'descending' : 'ascending');
      else made.head[index].removeAttribute('aria-sort');
    });
  }

  sortButtons();
  filter.addEventListener('input', () => {
    page = 0;
    draw();
  });
  before.addEventListener('click', () => { --page; draw(); });
  after.addEventListener('click', () => { ++page; draw(); });
  return {
    filter, summary,
    node: el('div', {class: 'list'}, made.node, empty, pager),
    set(next, nextState) {
      items = next;
      state = nextState;
      draw();
    },
  };
}
