// Shown when the server requires a token.
import {get, token} from '../api.js';
import {el} from '../dom.js';
import {framed} from '../framed.js';

export function login(said, onToken) {
  const input = el('input', {type: 'password', autocomplete: 'current-password', spellcheck: 'false'});
  const frame = framed({label: 'Token', hint: 'the content of [admin] token_file; it is kept until this tab is closed', needed: true, wide: true}, input);
  const form = el('form', {class: 'login panel'}, el('h1', {}, 'Token required'), frame.node,
    el('p', {class: 'buttons'}, el('button', {type: 'submit', class: 'main'}, 'Sign in')));
  const wrong = (message) => {
    frame.show(message ? [message] : []);
    input.focus();
  };
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (input.value.trim() === '') {
      wrong('The token is empty.');
      return;
    }
    token.set(input.value.trim());
    try {
      await get('/status');
    } catch (problem) {
      token.forget();
      wrong(problem.status === 401 ? 'Wrong token.' : problem.message);
      return;
    }
    onToken();
  });
  if (said) frame.show(['The token is no longer valid.']);
  queueMicrotask(() => input.focus());
  return {title: 'Sign in', node: form, isLogin: true};
}
