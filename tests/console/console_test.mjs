// What somebody does with the console on one day, in this order, each step on what the ones before
// have left: from an empty triggerd to a dead letter that is handled.
import assert from 'node:assert/strict';
import {after, before, test as nodeTest} from 'node:test';
import {Browser} from './browser.mjs';
import {Site, until} from './servers.mjs';

const site = new Site();
const stores = '[truststores.plant-ca]\nfile = "ca.pem"\n';
let browser;
let page;

before(async () => {
  site.putPlugin('thermostat');
  site.putPlugin('log');
  site.makeCertificate('ca.pem', '/CN=Plant CA');
  await site.startMosquitto();
  await site.startTriggerd({rest: stores});
  browser = await Browser.open();
  page = browser.page;
  await page.goto(site.url);
});
after(async () => {
  await browser?.close();
  await site.close();
});

// What stands on a step that has failed would only fail too, later.
let failed = false;
const test = (name, run) => nodeTest(name, async (context) => {
  if (failed) {
    context.skip('a step before it has failed');
    return;
  }
  failed = true;
  try {
    await run();
    failed = false;
  } catch (error) {
    await browser.shot('failed');
    console.error(site.lastWords());
    throw error;
  }
});

const heading = (name) => page.getByRole('heading', {level: 1, name, exact: true}).waitFor();
const button = (name) => page.getByRole('button', {name, exact: true});
const subject = (name) => page.locator('#subjects').getByRole('link', {name: new RegExp(`^${name}`)}).click();
const shows = (text) => page.getByText(text).first().waitFor();
const field = (name) => page.getByLabel(name, {exact: true});
// What is not among those that are offered.
const another = async (name, text) => {
  await field(`${name} *`).selectOption('Another…');
  await field(`${name}, other value`).fill(text);
};
const wrongAt = async (control) => {
  assert.equal(await control.getAttribute('aria-invalid'), 'true');
  const ids = (await control.getAttribute('aria-describedby')).split(' ');
  return page.locator(`[id="${ids[0]}"]`).innerText();
};

test('an alias is made, tested and connected with the keyboard alone', async () => {
  await shows('There is no alias yet');
  await browser.tabTo('link', 'New alias');
  await page.keyboard.press('Enter');
  await heading('New alias');
  await until('the first field has the focus', () => page.evaluate(() => document.activeElement.tagName === 'INPUT'));
  await page.keyboard.type('plant');
  await browser.tabTo('textbox', 'Addresses');
  await page.keyboard.type(`tcp://127.0.0.1:${site.mqttPort}`);
  await browser.tabTo('textbox', 'Client id');
  await page.keyboard.type('edge-1');
  await browser.tabTo('button', 'Test the connection');
  await page.keyboard.press('Enter');
  await shows(/answered after/);
  await browser.tabTo('button', 'Create');
  await page.keyboard.press('Enter');
  await heading('plant');
  await page.locator('main .state', {hasText: 'connected'}).first().waitFor();
  await browser.assertFits();
  await browser.shot('alias');
});

test('a wrong trigger is explained field by field, and a right one runs', async () => {
  browser.expect(/status of 4(22|09|00) /);
  await subject('Triggers');
  await page.getByRole('link', {name: 'New trigger'}).click();
  await heading('New trigger');
  await field('Name *').fill('high-temperature');
  await another('Connection alias', 'plnt');
  await another('Service', 'thermostat');
  await field('Filter *').fill('plant/#/x');
  await page.getByText('Processing').click();
  await field('Concurrency').fill('many');
  await button('Create').click();
  const summary = page.getByRole('alert').filter({hasText: 'Connection alias'});
  await summary.waitFor();
  assert.match(await wrongAt(field('Connection alias *')), /plnt/);
  assert.match(await wrongAt(field('Filter *')), /#/);
  assert.match(await wrongAt(field('Concurrency')), /integer/);
  assert.equal(await field('Name *').getAttribute('aria-invalid'), null);
  await browser.shot('wrong-form');
  // A line of the summary leads to its field.
  await summary.getByRole('link', {name: 'Concurrency'}).click();
  await until('the field has the focus', () => page.evaluate(() => document.activeElement.getAttribute('aria-invalid') === 'true'));
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.press('Delete');
  await field('Connection alias *').selectOption('plant');
  await field('Filter *').fill('plant/+/temperature');
  await field('Calls are brief').selectOption('yes');
  await page.getByText('Service settings').click();
  await field('Settings, as JSON').fill('{"limit_celsius": ');
  await button('Check').click();
  assert.match(await wrongAt(field('Settings, as JSON')), /not valid JSON/);
  await field('Settings, as JSON').fill('{"limit_celsius": 80}');
  await button('Check').click();
  await shows('No errors; nothing has been changed.');
  await button('Create').click();
  await heading('high-temperature');
  await page.locator('main .state', {hasText: 'running'}).first().waitFor();
  const made = await page.evaluate(async () => (await fetch('/api/v1/triggers/high-temperature')).json());
  assert.equal(made.definition.brief, true);
});

test('a message that is published in the console goes where match says, and is seen in the tail', async () => {
  await subject('Try');
  await field('Topic of a message').fill('plant/boiler/temperature');
  await button('Match').click();
  await shows('gets it');
  await subject('Tail');
  await shows('live');
  const other = await browser.context.newPage();
  await other.goto(`${site.url}/#/try`);
  await other.getByLabel('Alias *', {exact: true}).selectOption('plant');
  await other.getByLabel('Topic *', {exact: true}).fill('plant/boiler/temperature');
  await other.getByLabel('Payload', {exact: true}).fill('21.5');
  await other.getByRole('button', {name: 'Publish', exact: true}).click();
  await other.getByText(/Published on/).waitFor();
  await other.close();
  const row = page.locator('.tail-row', {hasText: 'plant/boiler/temperature'}).first();
  await row.waitFor();
  assert.match(await row.innerText(), /ok[\s\S]*high-temperature[\s\S]*21\.5/);
});

test('rate, latency and what was received show in the list and at the trigger', async () => {
  await subject('Triggers');
  const row = page.getByRole('row', {name: /high-temperature/});
  await row.waitFor();
  await until('the list has a rate', async () => {
    site.publish('plant/boiler/temperature', ...Array(100).fill('22'));
    const cells = await row.getByRole('cell').allInnerTexts();
    return Number(cells[3].replaceAll(',', '')) > 0 && /[µm]?s/.test(cells[5]);
  });
  await browser.shot('triggers');
  await row.getByRole('link', {name: 'high-temperature', exact: true}).click();
  await heading('high-temperature');
  await until('what was received is counted', async () => /Received\s+[1-9]/.test(await page.locator('main').innerText()));
  await field('Topic *').fill('plant/boiler/temperature');
  await field('Payload').fill('hot');
  await button('Call the service').click();
  await shows(/is not a temperature/);
  await browser.shot('trigger');
});

test('a payload that nobody can trust is shown and does nothing', async () => {
  site.publish('plant/evil/temperature', '<img src=x onerror="document.title=1">\u202e\u0007');
  await subject('Dead letters');
  await shows('plant/evil/temperature');
  await page.getByRole('link', {name: /^Dead letter \d+$/}).first().click();
  await shows('<img src=x onerror="document.title=1">\\u{202e}\\u{7}');
  await button('Hex').click();
  await shows(/000000 {2}3c 69 6d 67/);
  assert.equal(await page.locator('main img').count(), 0);
  await button('Drop').click();
  await page.getByRole('dialog').getByRole('button', {name: 'Drop', exact: true}).click();
  await shows('No dead letters.');
});

test('a dead letter is edited and replayed', async () => {
  site.publish('plant/boiler/temperature', 'hot');
  await shows(/"hot" is not a temperature/);
  await browser.shot('dead-letters');
  await page.getByRole('link', {name: /^Dead letter \d+$/}).first().click();
  await button('Edit').click();
  await page.getByRole('textbox', {name: 'Payload', exact: true}).fill('23.5');
  await browser.shot('dead-letter');
  await button('Save and replay').click();
  await shows(/was replayed/);
  await heading('Dead letters');
  await shows('No dead letters.');
});

test('a plugin is reloaded: what is the same is left, what is new serves', async () => {
  await subject('Plugins');
  await page.getByRole('button', {name: 'Reload thermostat', exact: true}).click();
  await shows(/has not changed; generation \d+ stays in service/);
  site.putPlugin('thermostat', 'another file');
  await page.getByRole('button', {name: 'Reload thermostat', exact: true}).click();
  await shows(/generation \d+ \(.*\) is in service, after/);
  await shows(/1 succeeded, 0 failed/);
  await shows('Events since this page was opened');
  await browser.shot('plugins');
});

test('a trigger is edited, disabled with a reason, enabled and deleted', async () => {
  await page.goto(`${site.url}/#/triggers/high-temperature`);
  await page.getByRole('link', {name: 'Edit', exact: true}).click();
  await heading('Edit trigger high-temperature');
  await field('Description').fill('tells the control room');
  await button('Save').click();
  await heading('high-temperature');
  await shows('tells the control room');
  await shows(/limit_celsius = 80/);
  await button('Disable').click();
  await page.getByLabel('Reason (for the record)').fill('maintenance of the boiler');
  await page.getByRole('dialog').getByRole('button', {name: 'Disable', exact: true}).click();
  await page.locator('main .state', {hasText: 'disabled'}).first().waitFor();
  await shows(/maintenance of the boiler/);
  await button('Enable').click();
  await page.locator('main .state', {hasText: 'running'}).first().waitFor();
});

test('what is not connected is said with its reason, and so is a daemon that is gone', async () => {
  browser.expect(/ERR_/);
  await page.goto(`${site.url}/#/`);
  await heading('Overview');
  await site.mosquitto.stop();
  await page.locator('.health', {hasText: 'not ready'}).waitFor();
  await shows(/refused|lost|closed|cannot connect/i);
  await page.locator('.alarm').getByRole('link', {name: 'alias plant'}).waitFor();
  await browser.shot('not-connected');
  await site.startMosquitto();
  await page.locator('.health', {hasText: 'healthy'}).waitFor();
  await site.triggerd.stop();
  await page.locator('#lost', {hasText: 'triggerd does not answer'}).waitFor();
  await browser.shot('gone');
  await site.startTriggerd({rest: stores});
  await page.locator('#lost').waitFor({state: 'hidden'});
  await page.locator('.health', {hasText: 'healthy'}).waitFor();
});

test('certificates show with when they end and who uses them', async () => {
  await subject('Aliases');
  const panel = page.locator('section', {hasText: 'Truststores and keystores'});
  await panel.getByText('no alias uses it').waitFor();
  await panel.getByText(/truststore · .*ca\.pem · until /).waitFor();
  await panel.getByText('1 certificate', {exact: true}).click();
  await panel.getByText('CN=Plant CA', {exact: true}).waitFor();
  await browser.assertFits();
  await browser.shot('stores');
});

test('an alias and a service are picked from what there is', async () => {
  await page.goto(`${site.url}/#/new/trigger`);
  await heading('New trigger');
  await until('they are there', async () => (await field('Service *').locator('option').allInnerTexts()).includes('thermostat'));
  assert.deepEqual(await field('Connection alias *').locator('option').allInnerTexts(), ['choose one', 'plant', 'Another…']);
  await page.goto(`${site.url}/#/new/alias`);
  await page.getByText('Login and TLS').click();
  await until('they are there', async () => (await field('Truststore').locator('option').allInnerTexts()).includes('plant-ca'));
});

// Every page, and what may be sent on it.
const offered = async (pages) => {
  const found = [];
  for (const address of pages) {
    await page.goto(`${site.url}/#/${address}`);
    await page.locator('main h1').waitFor();
    await page.locator('.health', {hasText: /healthy|ready/}).waitFor();
    for (const control of await page.locator('main').locator('button, a.button, form').all()) {
      if (await control.isVisible()) found.push(`${address}: ${(await control.innerText()).split('\n')[0]}`);
    }
  }
  return found.join('\n');
};
const everywhere = ['', 'aliases', 'aliases/plant', 'aliases/plant/edit', 'new/alias', 'triggers', 'triggers/high-temperature', 'triggers/high-temperature/edit',
  'new/trigger', 'dead-letters', 'plugins', 'try'];

test('who may only look is offered nothing that changes anything', async () => {
  await page.route('**/api/v1/status', async (route) => {
    const response = await route.fetch();
    await route.fulfill({response, json: {...await response.json(), may: ['look']}});
  });
  await page.reload();
  const found = await offered(everywhere);
  for (const line of found.split('\n')) {
    assert.doesNotMatch(line, /: (New|Edit|Copy|Delete|Enable|Disable|Suspend|Resume|Reload|Force|Replay|Drop|Test|Call|Publish$|Alias \*|Save|Create|Check)/, found);
  }
  await page.unroute('**/api/v1/status');
});

test('without manage nothing is offered that defines', async () => {
  browser.expect(/ERR_/);
  await site.triggerd.stop();
  await site.startTriggerd({rest: stores, manage: false});
  await page.reload();
  const found = await offered(everywhere);
  assert.doesNotMatch(found, /: (New|Edit|Copy|Delete|Save|Create|Check)/);
  assert.match(found, /triggers\/high-temperature: Suspend/);
  assert.match(found, /try: Publish/);
  await page.goto(`${site.url}/#/new/alias`);
  await shows(/cannot be changed at run time/);
  await site.triggerd.stop();
  await site.startTriggerd({rest: stores});
  await page.reload();  // what the page shows until it asks again is of the one before
  await page.locator('.health', {hasText: 'healthy'}).waitFor();
});

test('on a phone every page fits, in the dark', async () => {
  await page.setViewportSize({width: 390, height: 844});
  await page.emulateMedia({colorScheme: 'dark'});
  site.publish('plant/boiler/temperature', 'hot', 'hot as well, and long enough to need more than one line of a phone');
  const pages = {overview: '', aliases: 'aliases', alias: 'aliases/plant', triggers: 'triggers', trigger: 'triggers/high-temperature', 'edit-trigger': 'triggers/high-temperature/edit',
    'new-alias': 'new/alias', 'dead-letters': 'dead-letters', plugins: 'plugins', try: 'try', tail: 'tail'};
  for (const [name, address] of Object.entries(pages)) {
    await page.goto(`${site.url}/#/${address}`);
    await page.locator('main h1').waitFor();
    if (name === 'dead-letters') await shows(/"hot" is not a temperature/);
    if (name === 'edit-trigger') {
      await button('Save').waitFor();
      await page.evaluate(() => document.querySelectorAll('main details').forEach((group) => { group.open = true; }));
    }
    await browser.assertFits();
    await browser.shot(`phone-${name}`);
  }
  await page.goto(`${site.url}/#/dead-letters`);
  await page.getByRole('link', {name: /^Dead letter \d+$/}).first().click();
  await button('Hex').click();
  await browser.assertFits();
  await browser.shot('phone-dead-letter');
});

test('nothing is written on the console of the browser but what was brought about', async () => {
  await until('the page has had time', () => page.evaluate(() => document.readyState === 'complete'));
  browser.assertQuiet();
});
