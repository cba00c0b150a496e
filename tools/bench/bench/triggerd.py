"""triggerd, in each of its modes."""

import json

from bench.contenders import AT_ONCE, DURABLE, HANDLED, Contender, Job
from bench.processes import Failure, Process

READY_WITHIN = 60.0  # seconds; a thousand triggers or a million messages take some of them


class Triggerd(Contender):
    def __init__(self, name, title, guarantee, program, plugins, acknowledge='durable',
                 sync='disk', isolated=False, brief=False):
        super().__init__(name, title, guarantee, ours=True)
        self._program = program
        self._plugins = plugins
        self.acknowledge = acknowledge
        self.sync = sync
        self._isolated = isolated
        self._brief = brief
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
            topics = [f'  {{ filter = "bench/#", qos = {job.qos} }},']
        text = [
            '[[triggers]]', f'name = "t{number}"', 'alias = "bench"', 'service = "bench"',
            'topics = [', *topics, ']', f'acknowledge = "{self.acknowledge}"',
        ]
        if self._isolated:
            text += ['isolation = "process"']
        if self._brief:
            text += ['brief = true']
        if job.concurrency > 1:
            text += ['order = "none"', f'concurrency = {job.concurrency}']
        if job.queue_capacity:
            text += [f'queue_capacity = {job.queue_capacity}']
        text += ['[triggers.settings]', f'report = "{self._report(job, number)}"']
        if job.latency:
            text += ['latency = true']
        if job.work_us:
            text += [f'work = "{job.work_us}us"']
        return text


def isolated(mode, paths):
    """The default mode, with its services in processes of their own."""
    return Triggerd(f'{mode.name}-isolated', f'{mode.title}, isolated', mode.guarantee,
                    mode.file(), paths.programs, mode.acknowledge, mode.sync, isolated=True)


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
