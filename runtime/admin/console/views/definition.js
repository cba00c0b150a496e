// The form to create or edit an alias or a trigger.
import {get, path, post, put} from '../api.js';
import {aliasGroups, lists, triggerGroups} from '../definition_fields.js';
import {el, replace, setText} from '../dom.js';
import {makeForm} from '../forms.js';
import {isManaged, originText} from '../health.js';
import {busy, complain, say} from '../messages.js';
import {seconds} from '../format.js';
import {visible} from '../payload.js';

const mayDefine = (status) => status?.may.includes('define') ?? false;

// `name`: edits that one; `from`: a copy of it under another name; neither: a new one.
export function definition(context, kind, name, from) {
  const folder = kind === 'alias' ? 'aliases' : 'triggers';
  const title = name ? `Edit ${kind} ${name}` : `New ${kind}`;
  const node = el('div', {}, el('div', {class: 'head'}, el('h1', {}, title)));
  const note = el('p', {class: 'notice', hidden: true});
  node.append(note);
  const done = el('p', {class: 'done', role: 'status'});

  function services() {
    return (context.store.state.status?.plugins ?? []).flatMap((plugin) =>
      plugin.services.length === 1 ? [plugin.name] : plugin.services.map((service) => `${plugin.name}:${service}`));
  }
  // Definitions refer to these by name; they are not defined here.
  let stores = [];
  const storesOf = (of) => () => stores.filter((one) => one.kind === of).map((one) => one.name);
  const words = {...lists, services, truststores: storesOf('truststore'), keystores: storesOf('keystore'), aliases: () => (context.store.state.status?.aliases ?? []).map((one) => one.name)};

  function build(start, secrets) {
    const form = makeForm({groups: kind === 'alias' ? aliasGroups : triggerGroups, definition: start, exists: Boolean(name), secrets, lists: words});
    const save = el('button', {type: 'submit', class: 'main'}, name ? 'Save' : 'Create');
    const check = el('button', {type: 'button'}, 'Check');
    const test = kind === 'alias' && el('button', {type: 'button'}, 'Test the connection');

    // Sends what the form says; errors are shown at their fields.
    async function send(request) {
      setText(done, '');
      const {definition: said, errors} = form.value();
      if (errors.length > 0) {
        form.show('Correct these errors first:', errors);
        return null;
      }
      try {
        const answer = await request(said);
        form.clear();
        return answer;
      } catch (problem) {
        if (problem.status !== 422 && problem.status !== 409 && problem.status !== 400) throw problem;
        form.show(problem.message, problem.errors);
        return null;
      }
    }
    const store = (question) => (said) => (name ? put(`${path(folder, name)}${question}`, {...said, name}) : post(`/${folder}${question}`, said));

    form.node.addEventListener('submit', (event) => {
      event.preventDefault();
      busy(save, async () => {
        const {definition: said} = form.value();
        const report = await send(store(''));
        if (report === null) return;
        say(`${kind} ${name ?? said.name} is ${name ? 'changed' : 'created'}.`);
        for (const failure of report.failures) complain({message: failure});
        for (const warning of report.warnings) complain({message: warning});
        await context.store.now();
        context.go(path(folder, name ?? said.name));
      });
    });
    check.addEventListener('click', () => busy(check, async () => {
      const report = await send(store('?check=true'));
      if (report !== null) setText(done, ['No errors; nothing has been changed.', ...report.warnings].join(' '));
    }));
    if (test) {
      test.addEventListener('click', () => busy(test, async () => {
        const result = await send((said) => post('/aliases/test', said));
        if (result !== null) setText(done, result.ok ? `${result.server} answered after ${seconds(result.seconds)}.` : `Cannot connect: ${visible(result.reason)}`);
      }));
    }
    form.buttons.append(save, check, ...(test ? [test] : []), el('a', {class: 'button', href: `#${name ? path(folder, name) : `/${folder}`}`}, 'Cancel'));
    node.append(form.node, done);
    form.node.querySelector(name ? 'input:not([readonly])' : 'input').focus();
  }

  async function load() {
    const known = name ?? from;
    let one = null;
    try {
      // The lists of words need the status, which may not have arrived yet.
      if (context.store.state.status === null) await context.store.now();
      if (known) one = await get(path(folder, known));
      if (kind === 'alias') stores = (await get('/stores')).items;
    } catch (problem) {
      replace(note, problem.message);
      note.hidden = false;
      return;
    }
    if (name && !isManaged(one.origin)) {
      replace(note, `It is defined in ${originText(one.origin)}; change it there, and reload the configuration. `, el('a', {href: `#${path(folder, name)}`}, 'Back'));
      note.hidden = false;
      return;
    }
    if (!mayDefine(context.store.state.status)) return;
    const start = structuredClone(one?.definition ?? {});
    if (from) delete start.name;
    build(start, name ? one.secrets ?? [] : []);
  }

  // Only once this view is in the page can something in it have the focus.
  queueMicrotask(load);
  return {
    title, node,
    update({status}) {
      if (mayDefine(status) || note.childNodes.length > 0) return;
      replace(note, status.manage ? 'You have read access only.'
        : ['Aliases and triggers cannot be changed at run time: set ', el('code', {}, 'manage = true'), ' in ', el('code', {}, '[admin]'), ' to allow that.']);
      note.hidden = false;
    },
  };
}
