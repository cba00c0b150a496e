// A Chromium of a test's own, and what the tests do with a page.
import assert from 'node:assert/strict';
import {mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {chromium} from 'playwright-core';
import {patience} from './servers.mjs';

const screenshots = path.resolve('screenshots');
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

// The browser itself writes a line for each answer that is an error; those that a test asks for, it
// names. Everything else on the console is a fault of the page.
const network = /^Failed to load resource: (.*)$/;

export class Browser {
  static async open(options = {}) {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'console-profile-'));
    const context = await chromium.launchPersistentContext(folder, {
      executablePath: process.env.CHROMIUM, args: flags, viewport: {width: 1280, height: 860}, ...options,
    });
    return new Browser(context, folder);
  }
  constructor(context, folder) {
    this.context = context;
    this.folder = folder;
    this.page = context.pages()[0];
    this.errors = [];
    this.expected = [];
    this.page.setDefaultTimeout(patience);
    this.page.on('pageerror', (error) => this.errors.push(String(error.stack ?? error)));
    this.page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.errors.push(message.text());
    });
  }
  // Answers and failures that the test brings about.
  expect(...patterns) { this.expected.push(...patterns); }
  assertQuiet() {
    const loud = this.errors.filter((text) => {
      const what = network.exec(text)?.[1];
      return what === undefined || !this.expected.some((pattern) => pattern.test(what));
    });
    assert.deepEqual(loud, []);
  }
  async shot(name) {
    mkdirSync(screenshots, {recursive: true});
    await this.page.screenshot({path: path.join(screenshots, `${name}.png`)});
  }
  async assertFits() {
    const [wide, room] = await this.page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(wide <= room, `${this.page.url()} is ${wide} wide in ${room}`);
  }
  // Presses Tab until what is focused has this role and name, as somebody without a mouse does.
  async tabTo(role, name) {
    const wanted = this.page.getByRole(role, {name, exact: true});
    await wanted.waitFor();
    for (let presses = 0; presses < 80; ++presses) {
      if (await wanted.evaluate((node) => node === document.activeElement)) {
        const outline = await wanted.evaluate((node) => getComputedStyle(node).outlineStyle);
        assert.notEqual(outline, 'none', `focus on ${role} "${name}" does not show`);
        return;
      }
      await this.page.keyboard.press('Tab');
    }
    assert.fail(`Tab never comes to ${role} "${name}"`);
  }
  async close() {
    await this.context.close();
    rmSync(this.folder, {recursive: true, force: true});
  }
}
