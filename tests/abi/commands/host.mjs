// exec's side of the protocol, scripted: starts a command, writes lines, and reads its lines. Every
// wait is for a line or for the end; node --test gives up on it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export function of(token, topic, payload = '', members = {}) {
  const content = 'payload_base64' in members ? {} : { payload };
  return {
    token, id: `id-${token}`, topic, qos: 1, retained: false, duplicate: false, attempt: 1,
    received: 1764490000123, timeout_ms: 30000, ...content, ...members,
  };
}

export class Host {
  #lines;
  #closed;
  errors = '';

  constructor(test, command, { settings = {}, begin = true } = {}) {
    this.process = spawn(process.execPath, command);
    test.after(() => this.process.kill('SIGKILL'));
    this.process.stdin.on('error', () => {});
    this.process.stderr.setEncoding('utf8').on('data', (text) => { this.errors += text; });
    this.#lines = lines(this.process.stdout);
    this.#closed = once(this.process, 'close');
    if (begin) {
      this.write({
        type: 'start', protocol: 1, trigger: 'alarms', alias: 'plant', process: 2, in_flight: 4,
        settings, unknown: { from: 'a later version' },
      });
    }
  }

  raw(data) {
    this.process.stdin.write(data);
  }

  write(known) {
    this.raw(`${JSON.stringify(known)}\n`);
  }

  message(...rest) {
    this.write({ type: 'message', ...of(...rest) });
  }

  // The next object, or undefined at the end of the output.
  async read() {
    const { value, done } = await this.#lines.next();
    return done ? undefined : JSON.parse(value);
  }

  // Every object until the end.
  async rest() {
    const all = [];
    for (let read = await this.read(); read; read = await this.read()) all.push(read);
    return all;
  }

  async expect(known) {
    assert.deepEqual(await this.read(), known);
  }

  verdict(token, verdict, members = {}) {
    return this.expect({ type: 'verdict', token, verdict, ...members });
  }

  closeInput() {
    this.process.stdin.end();
  }

  stop() {
    this.write({ type: 'stop' });
    this.closeInput();
  }

  async exitCode() {
    return (await this.#closed)[0];
  }
}

async function* lines(stream) {
  let parts = [];
  for await (const bytes of stream) {
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      yield Buffer.concat([...parts, bytes.subarray(from, end)]).toString();
      parts = [];
      from = end + 1;
    }
    parts.push(bytes.subarray(from));
  }
  assert.equal(Buffer.concat(parts).length, 0, 'the last line has no end');
}
