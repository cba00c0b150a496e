// Plugins and packages: which generation is in service, how reloads went, and a manual reload.
import {path, post} from '../api.js';
import {el, facts, keyed, replace, setText} from '../dom.js';
import {clock, moment, number, plural, seconds} from '../format.js';
import {stateMark} from '../health.js';
import {action, say} from '../messages.js';
import {visible} from '../payload.js';

function pluginPart(context) {
  return ({plugin: first}) => {
    const about = el('div');
    const history = el('ul', {class: 'plain-list'});
    const historyTitle = el('h3', {}, 'Events since this page was opened');
    const version = el('span', {class: 'quiet'});
    const probation = el('span', {class: 'state', 'data-tone': 'wait', hidden: true}, 'on probation');
    const metrics = el('div');
    const reload = action('Reload', async () => {
      const answer = await post(path('plugins', first.name, 'reload'));
      say(answer.changed ? `${first.name}: generation ${answer.generation} (${answer.version}) is in service, after a pause of ${seconds(answer.pause_seconds)}.`
        : `${first.name}: its file has not changed; generation ${answer.generation} stays in service.`);
      await context.store.now();
    }, {'aria-label': `Reload ${first.name}`});
    const again = action('Force', async () => {
      const answer = await post(`${path('plugins', first.name, 'reload')}?force=true`);
      say(`${first.name}: generation ${answer.generation} (${answer.version}) is in service, after a pause of ${seconds(answer.pause_seconds)}.`);
      await context.store.now();
    }, {'aria-label': `Reload ${first.name} even if its file has not changed`});
    const node = el('section', {class: 'panel', 'aria-label': first.name},
      el('div', {class: 'head'}, el('h2', {}, first.name), version, probation, el('span', {class: 'push'}, reload, again)), about, metrics, historyTitle, history);
    return {
      node,
      update({plugin, events}) {
        setText(version, `${plugin.version}, generation ${plugin.generation}`);
        probation.hidden = !plugin.on_probation;
        replace(about, facts([
          ['In service since', moment(plugin.in_service_since)],
          ['Reloads', `${number(plugin.reloads)} succeeded, ${number(plugin.reloads_failed)} failed, ${number(plugin.rolled_back)} rolled back`],
          ['Pause, last and longest', plugin.reloads > 0 ? `${seconds(plugin.last_pause_seconds)}, ${seconds(plugin.longest_pause_seconds)}` : null],
          ['Services', plugin.services.join(', ')],
          ['Triggers', plugin.triggers.length === 0 ? 'none' : plugin.triggers.slice(0, 20).map((name, index) => [index > 0 && ', ', el('a', {href: `#${path('triggers', name)}`}, name)])
            .concat(plugin.triggers.length > 20 ? [` and ${number(plugin.triggers.length - 20)} more`] : [])],
          ['File', el('code', {}, visible(plugin.file))], ['SHA-256', el('code', {}, plugin.sha256.slice(0, 16))],
        ]));
        replace(metrics, plugin.metrics.length > 0 && el('details', {class: 'inner', open: metrics.firstElementChild?.open}, el('summary', {}, plural(plugin.metrics.length, 'metric of its own', 'metrics of its own')),
          facts(plugin.metrics.slice(0, 100).map((one) => [`${one.name} (${one.trigger})`, number(one.value)]))));
        const own = events.filter((event) => event.plugin === plugin.name).slice(0, 8);
        historyTitle.hidden = own.length === 0;
        replace(history, own.map((event) => el('li', {class: 'row event'}, el('time', {class: 'quiet'}, clock(event.at)), el('span', {class: 'grow'}, visible(event.text)))));
      },
    };
  };
}

function packagePart(context) {
  return (first) => {
    const mark = stateMark();
    const about = el('span', {class: 'sub'});
    const problems = el('span', {class: 'sub', 'data-tone': 'down'});
    const buttons = el('span', {class: 'buttons'});
    let drawn = null;
    return {
      node: el('li', {class: 'row'}, el('span', {class: 'grow'}, el('span', {class: 'name'}, first.name), about, problems), mark.node, buttons),
      update(one) {
        mark.set(one.state);
        setText(about, [one.version, one.description, `${plural(one.aliases.length, 'alias', 'aliases')}, ${plural(one.triggers.length, 'trigger')}`].filter(Boolean).join(' · '));
        setText(problems, visible((one.problems ?? []).join(' ')));
        if (drawn === one.enabled) return;
        drawn = one.enabled;
        const verb = one.enabled ? 'disable' : 'enable';
        replace(buttons, action(one.enabled ? 'Disable' : 'Enable', async () => {
          await post(path('packages', one.name, verb));
          say(`package ${one.name} is ${verb}d.`);
          await context.store.now();
        }, {'aria-label': `${one.enabled ? 'Disable' : 'Enable'} package ${one.name}`}));
      },
    };
  };
}

export function plugins(context) {
  const list = el('div', {class: 'columns two'});
  const packageList = el('ul', {class: 'plain-list'});
  const packages = el('section', {class: 'panel', 'aria-labelledby': 'packages-title', hidden: true}, el('h2', {id: 'packages-title'}, 'Packages'), packageList);
  const empty = el('p', {class: 'empty', hidden: true}, 'No plugin is loaded: no trigger uses one.');
  const drawPlugins = keyed(list, (one) => one.plugin.name, pluginPart(context));
  const drawPackages = keyed(packageList, (one) => one.name, packagePart(context));
  const update = ({status, events}) => {
    drawPlugins(status.plugins.map((plugin) => ({plugin, events})));
    drawPackages(status.packages);
    packages.hidden = status.packages.length === 0;
    empty.hidden = status.plugins.length > 0;
  };
  const node = el('div', {}, el('div', {class: 'head'}, el('h1', {}, 'Plugins')), empty, list, packages);
  return {title: 'Plugins', node, update};
}
