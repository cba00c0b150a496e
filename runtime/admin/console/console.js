// The page: which view is shown, and what all views share - the status, the stream of events, the
// status line at the top.
//
// A view is a function of (context, parts of the address, query) that gives
//   {title, node, update?(state), event?(event), listen?: {kinds, trigger}, close?()}
// Files: api.js asks the server, store.js polls it, events.js listens to it; forms.js and what it
// imports are forms; views/ has one file a subject; dom.js is the only one that makes elements.
import {token, whenUnauthorized} from './api.js';
import {replace, setText} from './dom.js';
import {makeStream, STATES} from './events.js';
import {age, clock} from './format.js';
import {makeStore} from './store.js';
import {alias} from './views/alias.js';
import {aliases} from './views/aliases.js';
import {definition} from './views/definition.js';
import {letter} from './views/letter.js';
import {letters} from './views/letters.js';
import {login} from './views/login.js';
import {overview} from './views/overview.js';
import {plugins} from './views/plugins.js';
import {tail} from './views/tail.js';
import {trigger} from './views/trigger.js';
import {triggers} from './views/triggers.js';
import {tryOut} from './views/try.js';
import {trouble} from './health.js';

const main = document.getElementById('main');
const store = makeStore();
let view = null;
let heardOf = null;  // what the stream is open for

const stream = makeStream((event) => {
  if (STATES.includes(event.kind)) {
    store.heard(event);
    store.soon();
  } else if (event.kind === 'dead_letter') {
    store.soon();
  }
  view?.event?.(event);
}, (state, reason) => {
  // Something may have happened while it was not connected.
  if (state === 'open') store.soon();
  view?.streamState?.(state, reason);
});

const context = {
  store,
  go: (address) => { location.hash = address; },
  // A view wants other events now.
  listen: () => listen(true),
};

function route() {
  const [address, search] = location.hash.replace(/^#\/?/, '').split('?');
  const [subject, ...parts] = address.split('/').map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  const query = new URLSearchParams(search ?? '');
  const [name, verb] = parts;
  if (subject === 'aliases' || subject === 'triggers') {
    const kind = subject === 'aliases' ? 'alias' : 'trigger';
    if (name === undefined) return [subject, subject === 'aliases' ? aliases(context, query) : triggers(context, query)];
    if (verb === 'edit') return [subject, definition(context, kind, name, null)];
    return [subject, kind === 'alias' ? alias(context, name) : trigger(context, name)];
  }
  if (subject === 'new') return [name === 'alias' ? 'aliases' : 'triggers', definition(context, name === 'alias' ? 'alias' : 'trigger', null, query.get('from'))];
  if (subject === 'dead-letters') return [subject, name === undefined ? letters(context, query) : letter(context, name)];
  if (subject === 'plugins') return [subject, plugins(context)];
  if (subject === 'try') return [subject, tryOut(context, query)];
  if (subject === 'tail') return [subject, tail(context, query)];
  return ['', overview(context)];
}

function show([subject, next], moveFocus) {
  view?.close?.();
  view = next;
  replace(main, next.node);
  document.title = `${next.title} · triggerd`;
  for (const link of document.querySelectorAll('#subjects a')) {
    if (link.dataset.subject === subject) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.querySelector('#subjects [aria-current]')?.scrollIntoView({block: 'nearest', inline: 'nearest'});
  if (store.state.status !== null) next.update?.(store.state);
  if (moveFocus) {
    scrollTo(0, 0);
    main.focus({preventScroll: true});
  }
  listen(false);
}

function listen(anew) {
  if (document.hidden || view === null || view.isLogin) return;
  const choice = view.listen ?? {kinds: STATES, trigger: ''};
  const wanted = JSON.stringify(choice);
  if (!anew && wanted === heardOf) return;
  heardOf = wanted;
  stream.open(choice);
}

function badge(name, value, tone) {
  const node = document.querySelector(`[data-badge="${name}"]`);
  node.hidden = value === 0;
  setText(node, value > 999 ? '999+' : value);
  node.dataset.tone = tone;
}

function update(state) {
  const lost = document.getElementById('lost');
  const isLost = state.lostSince !== null && !state.unauthorized;
  if (isLost) setText(lost, `${state.failure}, since ${clock(state.lostSince)}. The page shows earlier data. Trying again.`);
  lost.hidden = !isLost;
  document.body.classList.toggle('stale', isLost);
  const status = state.status;
  if (status === null) return;
  setText(document.getElementById('instance'), `${status.name} · ${status.version} · up ${age(status.uptime_seconds)}`);
  const health = document.getElementById('health');
  const [tone, text] = isLost ? ['down', 'no answer'] : trouble(status);
  setText(health, text);
  health.dataset.tone = tone;
  badge('aliases', status.aliases.filter((one) => one.enabled && one.state !== 'up').length, 'down');
  badge('triggers', status.triggers.filter((one) => ['suspended', 'waiting', 'unavailable'].includes(one.state)).length, 'down');
  badge('letters', status.inbox.dead_letters, 'calm');
  document.getElementById('sign-out').hidden = token.get() === '';
  document.body.dataset.may = status.may.join(' ');
  view?.update?.(state);
}

store.listen(update);

whenUnauthorized((problem) => {
  if (view?.isLogin) return;
  store.stop();
  stream.close();
  heardOf = null;
  const said = token.get() === '' ? '' : problem.message;
  token.forget();
  show(['', login(said, () => {
    store.start();
    show(route(), true);
  })], true);
});

document.getElementById('sign-out').addEventListener('click', () => {
  token.forget();
  location.reload();
});

document.addEventListener('visibilitychange', () => {
  if (view?.isLogin) return;
  if (document.hidden) {
    store.stop();
    stream.close();
    heardOf = null;
  } else {
    store.start();
    listen(true);
  }
});

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});

addEventListener('hashchange', () => {
  if (!view?.isLogin) show(route(), true);
});
show(route(), false);
store.start();
