// A triggerd and a mosquitto of a test's own, in a folder of its own; all of it is gone afterwards.
import {spawn, spawnSync} from 'node:child_process';
import {chmodSync, copyFileSync, createWriteStream, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync, appendFileSync} from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

// Each wait has it, so a step that fails costs no more.
export const patience = 60_000;

export async function until(what, condition) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${patience / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const {port} = server.address();
      server.close(() => resolve(port));
    });
  });
}

const answers = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

// A program with its output in a file.
class Program {
  constructor(command, args, log, options = {}) {
    this.log = log;
    const output = createWriteStream(log, {flags: 'a'});
    this.child = spawn(command, args, {stdio: ['ignore', 'pipe', 'pipe'], ...options});
    this.child.stdout.pipe(output);
    this.child.stderr.pipe(output);
    this.ended = new Promise((resolve) => this.child.on('close', (code, signal) => resolve(code ?? signal)));
    this.child.on('error', (error) => appendFileSync(log, `${error}\n`));
  }
  async stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    const last = setTimeout(() => this.child.kill('SIGKILL'), 15_000);
    const code = await this.ended;
    clearTimeout(last);
    return code;
  }
}

export class Site {
  constructor() {
    this.folder = mkdtempSync(path.join(os.tmpdir(), 'console-'));
    this.plugins = path.join(this.folder, 'plugins');
    mkdirSync(this.plugins);
  }
  log(name) { return path.join(this.folder, `${name}.log`); }

  async startMosquitto() {
    for (let attempt = 0; attempt < 5; ++attempt) {
      this.mqttPort ??= await freePort();
      const file = path.join(this.folder, 'mosquitto.conf');
      writeFileSync(file, `listener ${this.mqttPort} 127.0.0.1\nallow_anonymous true\npersistence false\n`);
      this.mosquitto = new Program('mosquitto', ['-c', file], this.log('mosquitto'),
        {env: {...process.env, PATH: `${process.env.PATH}:/usr/sbin`}});
      const runs = await Promise.race([until('mosquitto listens', () => answers(this.mqttPort)), this.mosquitto.ended.then(() => false)]);
      if (runs === true) return;
      this.mqttPort = undefined;
    }
    throw new Error(`mosquitto does not start: ${readFileSync(this.log('mosquitto'), 'utf8')}`);
  }

  // A certificate that is its own issuer, without its key.
  makeCertificate(name, subject) {
    const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', subject,
      '-days', '365', '-keyout', '/dev/null', '-out', path.join(this.folder, name)]);
    if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  }

  // `rest`: what the configuration has beside [runtime] and [admin].
  async startTriggerd({token, manage = true, rest = ''} = {}) {
    this.port ??= await freePort();
    const file = path.join(this.folder, 'triggers.toml');
    let admin = `[admin]\nlisten = "127.0.0.1:${this.port}"\nmanage = ${manage}\n`;
    if (token) {
      writeFileSync(path.join(this.folder, 'token'), `${token}\n`);
      chmodSync(path.join(this.folder, 'token'), 0o600);
      admin += 'token_file = "token"\n';
    }
    writeFileSync(file, `[runtime]\nname = "edge-1"\nplugin_dirs = ["plugins"]\ndrain_timeout = "2s"\n\n${admin}\n${rest}`);
    this.triggerd = new Program(process.env.TRIGGERD, ['--config', file], this.log('triggerd'));
    await Promise.race([
      until('triggerd listens', () => answers(this.port)),
      this.triggerd.ended.then((code) => { throw new Error(`triggerd ended with ${code}: ${readFileSync(this.log('triggerd'), 'utf8')}`); }),
    ]);
    this.url = `http://127.0.0.1:${this.port}`;
  }

  // `padding` makes another file of it that does the same.
  putPlugin(name, padding = '') {
    const place = path.join(this.plugins, `${name}.so`);
    const fresh = `${place}.new`;
    copyFileSync(path.join(process.env.PLUGINS, `${name}.so`), fresh);
    if (padding) appendFileSync(fresh, padding);
    renameSync(fresh, place);
  }

  publish(topic, ...payloads) {
    const done = spawnSync('mosquitto_pub', ['-h', '127.0.0.1', '-p', String(this.mqttPort), '-q', '1', '-t', topic, '-l'], {input: payloads.join('\n')});
    if (done.status !== 0) throw new Error(`mosquitto_pub: ${done.stderr}`);
  }

  lastWords() { return readFileSync(this.log('triggerd'), 'utf8').slice(-4000); }

  async close() {
    await this.triggerd?.stop();
    await this.mosquitto?.stop();
    rmSync(this.folder, {recursive: true, force: true});
  }
}
