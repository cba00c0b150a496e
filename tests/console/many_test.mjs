// A triggerd with a token and a thousand triggers.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {Browser} from './browser.mjs';
import {Site, until} from './servers.mjs';

const TOKEN = 'a-token-that-nobody-guesses';
const COUNT = 1000;
const site = new Site();
let browser;
let page;

before(async () => {
  site.putPlugin('log');
  // Nobody answers there: it is about the page.
  let rest = '[aliases.plant]\nhost = "tcp://127.0.0.1:1"\nenabled = false\n';
  for (let index = 0; index < COUNT; ++index) {
    rest += `\n[[triggers]]\nname = "sensor-${String(index).padStart(4, '0')}"\nalias = "plant"\ntopics = ["plant/${index}/#"]\nservice = "log"\nenabled = false\n`;
  }
  await site.startTriggerd({token: TOKEN, rest});
  browser = await Browser.open();
  page = browser.page;
});
after(async () => {
  await browser?.close();
  await site.close();
});

test('the token is asked for, a wrong one is refused, and the right one lasts as long as the tab', async () => {
  browser.expect(/status of 401 /);
  await page.goto(`${site.url}/#/triggers`);
  await page.getByRole('heading', {name: 'Token required'}).waitFor();
  await page.keyboard.type('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('Wrong token.').waitFor();
  await page.getByLabel('Token *').fill(TOKEN);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', {name: 'Triggers', exact: true}).waitFor();
  await page.reload();
  await page.getByRole('heading', {name: 'Triggers', exact: true}).waitFor();
  await page.goto(`${site.url}/#/tail`);
  await page.getByText('live', {exact: true}).waitFor();
  assert.equal(await page.evaluate(() => localStorage.length + document.cookie.length), 0);
});

test('of a thousand triggers a page is shown, and the filter finds one', async () => {
  await page.goto(`${site.url}/#/triggers`);
  await page.getByText('1,000 triggers').waitFor();
  assert.equal(await page.getByRole('row').count(), 51);
  await page.getByRole('button', {name: 'Next', exact: true}).click();
  await page.getByText('sensor-0050').first().waitFor();
  await page.getByLabel('Filter triggers').fill('sensor-0777');
  await page.getByText('1 of 1,000 triggers').waitFor();
  assert.equal(await page.getByRole('row').count(), 2);
  await browser.shot('thousand');
});

test('it asks one thing at a time, seldom, and nothing while nobody looks', async () => {
  let asked = 0;
  // Those that are asked; one from before does not count.
  const open = new Set();
  let most = 0;
  page.on('request', (request) => {
    if (!request.url().endsWith('/status')) return;
    ++asked;
    open.add(request);
    most = Math.max(most, open.size);
  });
  const over = (request) => open.delete(request);
  page.on('requestfinished', over);
  page.on('requestfailed', over);
  const began = Date.now();
  await until('it has asked', () => asked >= 5);
  // One at the beginning, and one that the browser told of late.
  assert.ok(asked <= 2 + (Date.now() - began) / 1900, `${asked} requests in ${Date.now() - began} ms`);
  assert.equal(most, 1);
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', {value: true, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await until('the last one is answered', () => open.size === 0);
  const before = asked;
  await page.waitForTimeout(5000);
  assert.equal(asked, before);
});

test('nothing is written on the console of the browser but what was brought about', () => browser.assertQuiet());
