import {el, replace, uniqueId} from './dom.js';

// Label, control, hint and error, tied to each other for screen readers.
export function framed(spec, control, {before = false} = {}) {
  const id = control.id || uniqueId('field');
  control.id = id;
  const wrong = el('p', {class: 'wrong', id: `${id}-wrong`, hidden: true});
  const hint = spec.hint ? el('p', {class: 'hint', id: `${id}-hint`}, spec.hint) : null;
  const describe = (isWrong) => [isWrong && wrong.id, hint?.id].filter(Boolean).join(' ');
  if (hint) control.setAttribute('aria-describedby', describe(false));
  if (spec.needed) control.setAttribute('aria-required', 'true');
  const label = el('label', {for: id}, spec.label, spec.needed && el('span', {class: 'needed', 'aria-hidden': 'true'}, ' *'));
  const node = el('div', {class: spec.wide ? 'field wide' : before ? 'field tick' : 'field'},
    before ? [control, label] : [label, control], hint, wrong);
  return {
    node,
    show(messages) {
      replace(wrong, messages.map((message) => el('span', {}, message)));
      wrong.hidden = messages.length === 0;
      if (messages.length > 0) control.setAttribute('aria-invalid', 'true');
      else control.removeAttribute('aria-invalid');
      const described = describe(messages.length > 0);
      if (described) control.setAttribute('aria-describedby', described);
      else control.removeAttribute('aria-describedby');
    },
  };
}
