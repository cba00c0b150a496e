"""triggerd, in each of its modes, and with services in other languages."""

import json
import sys

from bench.contenders import AT_ONCE, DURABLE, HANDLED, Contender, Job
from bench.processes import Failure, Process

READY_WITHIN = 60.0  # seconds; a thousand triggers or a million messages take some of them
BATCH = 50  # messages, of services that take several at once


class Triggerd(Contender):
    service = 'bench'
    topics = 'bench/#'

    def __init__(self, name, title, guarantee, program, plugins, acknowledge='durable',
                 sync='disk', isolated=False, brief=False, content=()):
        super().__init__(name, title, guarantee, ours=True)
        self._program = program
        self._plugins = plugins
        self.acknowledge = acknowledge
        self.sync = sync
        self._isolated = isolated
        self._brief = brief
        self._content = content  # lines of a trigger
        # With "finished" all that is acknowledged is handled.
        self.drains = acknowledge != 'finished'

    def start(self, job):
        (job.folder / 'triggers.toml').write_text(self._configuration(job))
        return Process(self.name, [self._program, '--config', job.folder / 'triggers.toml'],
                       job.folder)

    def why_no_tls(self, folder, tls):
        """What this triggerd says of an alias with TLS; '' where it has nothing against it."""
        job = Job('ssl://127.0.0.1:8883', 1, folder, ca=tls.certificate)
        (folder / 'triggers.toml').write_text(self._configuration(job))
        with Process('triggerd-check', [self._program, '--config', folder / 'triggers.toml',
                                        '--check'], folder) as process:
            if process.wait(READY_WITHIN) == 0:
                return ''
            return process.text().strip().splitlines()[0].replace(f'{folder}/', '')

    def wait_until_ready(self, process, within=READY_WITHIN):
        return process.wait_for(' runtime.ready ', within)

    def report(self, process, job):
        """Each instance of the service writes a line; the latencies are those of the first."""
        reports = []
        for number in range(job.triggers):
            try:
                lines = self._report(job, number).read_text().splitlines()
                reports.append(json.loads(lines[0]))
                # A reload has ended one instance and begun another.
                reports[-1]['received'] = sum(json.loads(line)['received'] for line in lines)
            except (OSError, IndexError, json.JSONDecodeError):
                raise Failure(f'the service of trigger {number} reported nothing: '
                              f'{process.last_words()}') from None
        return {**reports[0], 'received': sum(report['received'] for report in reports)}

    def version(self):
        return ''  # of this tree: machine.py names the commit

    def file(self):
        return self._program

    @staticmethod
    def _report(job, number):
        return job.folder / f'report-{number}'

    def _configuration(self, job):
        extra = job.extra
        text = [
            '[runtime]', 'name = "bench"',
            f'plugin_dirs = ["{extra.get("plugins", self._plugins)}"]',
            f'hot_reload = {str(extra.get("hot_reload", False)).lower()}',
            f'drain_timeout = "{extra.get("drain_timeout", "10s")}"',
            f'state_dir = "{extra.get("state_dir", "state")}"',
            '[admin]', 'listen = ""', 'socket = ""',
            '[inbox]', f'sync = "{self.sync}"', 'max_size = "16GiB"',
            '[aliases.bench]', f'host = "{job.url}"', 'client_id = "bench"',
            'max_packet_size = "16MiB"',
        ]
        if job.ca:
            text += ['truststore = "bench"', '[truststores.bench]', f'file = "{job.ca}"']
        for number in range(job.triggers):
            text += self._trigger(job, number)
        return '\n'.join(text + extra.get('triggers', []) + [''])

    def _trigger(self, job, number):
        if job.filters:
            topics = [f'  {{ filter = "bench/{i}", qos = {job.qos} }},' for i in range(job.filters)]
        else:
            topics = [f'  {{ filter = "{self.topics}", qos = {job.qos} }},']
        text = [
            '[[triggers]]', f'name = "t{number}"', 'alias = "bench"',
            f'service = "{self.service}"',
            'topics = [', *topics, ']', f'acknowledge = "{self.acknowledge}"',
        ]
        if self._isolated:
            text += ['isolation = "process"']
        if self._brief:
            text += ['brief = true']
        text += self._content
        if job.concurrency > 1:
            text += ['order = "none"', f'concurrency = {job.concurrency}']
        if job.queue_capacity:
            text += [f'queue_capacity = {job.queue_capacity}']
        return text + ['[triggers.settings]', *self._settings(job, number)]

    def _settings(self, job, number):
        text = [f'report = "{self._report(job, number)}"']
        if job.latency:
            text += ['latency = true']
        if job.work_us:
            text += [f'work = "{job.work_us}us"']
        return text


class Bridge(Triggerd):
    """Its service gets what another trigger publishes again, with or without an outbox."""

    topics = 'copied/#'

    def __init__(self, mode, paths, qos, outbox):
        kind = f'{"with" if outbox else "without"} an outbox, QoS {qos}'
        super().__init__(f'{mode.name}-bridge-{qos}{"-outbox" if outbox else ""}', kind,
                         mode.guarantee, mode.file(), paths.programs, mode.acknowledge, mode.sync)
        self._republish = paths.plugins
        self._qos = qos
        self._outbox = outbox

    def _configuration(self, job):
        text = super()._configuration(job).replace(
            f'plugin_dirs = ["{self._plugins}"]',
            f'plugin_dirs = ["{self._plugins}", "{self._republish}"]')
        return '\n'.join([
            text, '[aliases.out]', f'host = "{job.url}"', 'client_id = "out"',
            'max_inflight = 1000', *(['outbox = { max_size = "1GiB" }'] if self._outbox else []),
            '[[triggers]]', 'name = "bridge"', 'alias = "bench"', 'service = "republish"',
            'topics = [{ filter = "bench/#", qos = 1 }]', 'order = "none"', 'concurrency = 64',
            '[triggers.settings]', 'alias = "out"', 'topic = "copied/{topic}"',
            f'qos = {self._qos}', ''])


class Command(Triggerd):
    """Its service is a command, in as many processes as `job.extra` says."""

    service = 'exec'

    def __init__(self, mode, paths, name, title, command, batch=1):
        super().__init__(f'triggerd-exec-{name}', f'exec, {title}', mode.guarantee, mode.file(),
                         paths.plugins, mode.acknowledge, mode.sync)
        self._command = command
        self._batch = batch

    def _settings(self, job, number):
        command = [*self._command, '--report', self._report(job, number)]
        command += ['--latency'] if job.latency else []
        text = [f'command = {json.dumps([str(word) for word in command])}',
                f'processes = {job.extra.get("processes", 1)}']
        if self._batch > 1:
            text += [f'batch = {self._batch}']
        return text


class Forward(Triggerd):
    """Its service passes messages on to an HTTP server, which runs beside it."""

    service = 'http-forward'

    def __init__(self, mode, paths, name, title, command):
        super().__init__(f'triggerd-http-{name}', f'http-forward, {title}', mode.guarantee,
                         mode.file(), paths.plugins, mode.acknowledge, mode.sync)
        self._command = command

    def start(self, job):
        server = Process('http-server', [*self._command, *(['--latency'] if job.latency else [])],
                         job.folder)
        try:
            port = int(server.wait_for('port ', READY_WITHIN).split()[1])
            job.extra['url'] = f'http://127.0.0.1:{port}/'
            (job.folder / 'triggers.toml').write_text(self._configuration(job))
            return _WithServer(server, self.name, [self._program, '--config',
                                                   job.folder / 'triggers.toml'], job.folder)
        except BaseException:
            server.kill()
            raise

    def report(self, process, job):
        return process.server.report()

    def _settings(self, job, number):
        return [f'url = "{job.extra["url"]}"']


class _WithServer(Process):
    """A process and the server that it needs: they cost together, and end one after the other."""

    def __init__(self, server, *what):
        self.server = server
        super().__init__(*what)

    def members(self):
        return super().members() + self.server.members()

    def finish(self, within):
        super().finish(within)
        self.server.stop()

    def kill(self):
        super().kill()
        self.server.kill()


def isolated(mode, paths):
    """The default mode, with its services in processes of their own."""
    return Triggerd(f'{mode.name}-isolated', f'{mode.title}, isolated', mode.guarantee,
                    mode.file(), paths.programs, mode.acknowledge, mode.sync, isolated=True)


def languages(mode, paths):
    """The same mode, with empty services that are in no plugin."""
    services = paths.source / 'services'
    node = ['node', services / 'service.js']
    python = [sys.executable, '-B', services / 'service.py']
    return [
        Command(mode, paths, 'node', 'Node.js', node),
        Command(mode, paths, 'node-batch', 'Node.js, batches', node, BATCH),
        Command(mode, paths, 'python', 'Python', python),
        Command(mode, paths, 'python-batch', 'Python, batches', python, BATCH),
        Forward(mode, paths, 'node', 'Node.js', ['node', services / 'http_server.js']),
    ]


def content(mode, paths, name, title, lines, isolated=False):
    """The same mode, with a trigger that asks something of the content of its messages, which is
    isolated by itself."""
    if not isolated:
        lines = [*lines, 'isolation = "none"']
    return Triggerd(f'{mode.name}-{name}', f'{mode.title}, {title}', mode.guarantee, mode.file(),
                    paths.programs, mode.acknowledge, mode.sync, isolated=isolated, content=lines)


def paced(mode, paths, name, title, lines):
    """The same mode, with a highest rate or a delay."""
    return Triggerd(f'{mode.name}-{name}', f'{mode.title}, {title}', mode.guarantee, mode.file(),
                    paths.programs, mode.acknowledge, mode.sync, content=lines)


def bridges(mode, paths):
    """The same mode, behind another trigger that publishes again. The first one is the base."""
    return [Bridge(mode, paths, qos, outbox) for qos in (1, 2) for outbox in (False, True)]


def brief(mode, paths):
    """The same mode, with a service that says that it never takes long."""
    return Triggerd(f'{mode.name}-brief', f'{mode.title}, a brief service', mode.guarantee,
                    mode.file(), paths.programs, mode.acknowledge, mode.sync, brief=True)


def modes(paths):
    """The first one is the default: what triggerd does unless told otherwise."""
    program = paths.build / 'bin/triggerd'

    def mode(name, title, guarantee, *settings):
        return Triggerd(f'triggerd-{name}', f'triggerd, {title}', guarantee, program,
                        paths.programs, *settings)

    return [
        mode('durable-disk', 'durable, sync disk', DURABLE, 'durable', 'disk'),
        mode('durable-process', 'durable, sync process', DURABLE, 'durable', 'process'),
        mode('finished', 'finished', HANDLED, 'finished'),
        mode('received', 'received', AT_ONCE, 'received'),
    ]
