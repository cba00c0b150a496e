"""Who is measured. README.md says how to add one."""

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from bench import statistics
from bench.processes import Process

# When a message of QoS 1 or 2 is acknowledged, and so what a crash of the contender loses. A later
# one promises more than an earlier one.
AT_ONCE = 'at once'
HANDLED = 'when handled'
DURABLE = 'when handled or on disk'
GUARANTEES = (AT_ONCE, HANDLED, DURABLE)


@dataclass
class Job:
    """What a contender is to do: subscribe to bench/#, count, and end at SIGTERM."""
    url: str
    qos: int
    folder: Path  # of its own, empty
    latency: bool = False
    ca: Path | None = None
    work_us: int = 0
    # Of triggerd only.
    concurrency: int = 1
    triggers: int = 1
    filters: int = 0  # 0: bench/#; N: bench/0 to bench/N-1
    queue_capacity: int = 0  # 0: its default
    extra: dict = field(default_factory=dict)

    @property
    def port(self):
        return int(self.url.rpartition(':')[2])


class Contender:
    """`name` is in bench.json and in file names, `title` in tables."""

    # At SIGTERM it handles everything that it has acknowledged, and ends when that is done.
    drains = False

    def __init__(self, name, title, guarantee, ours=False):
        self.name = name
        self.title = title
        self.guarantee = guarantee
        self.ours = ours

    def guarantee_at(self, qos):
        """At QoS 2 a message is the client's with PUBREC. The libraries write that before they call
        back, and keep the message in memory alone."""
        return AT_ONCE if qos == 2 and not self.ours else self.guarantee

    def start(self, job):
        """A running Process."""
        raise NotImplementedError

    def report(self, process, job):
        """After its end: {"received": N, "latency_ns": {...}}."""
        return process.report()

    def version(self):
        return ''

    def file(self):
        """The program, for its size."""
        return None


class Native(Contender):
    """A program of native/contenders/."""

    def __init__(self, programs, name, title, guarantee, package):
        super().__init__(name, title, guarantee)
        self._program = programs / f'bench-{name}'
        self._package = package

    def start(self, job):
        command = [self._program, '--url', job.url, '--qos', job.qos]
        command += ['--latency'] if job.latency else []
        command += ['--ca', job.ca] if job.ca else []
        command += ['--work-us', job.work_us] if job.work_us else []
        return Process(self.name, command, job.folder)

    def version(self):
        return package_version(self._package) if self._package else ''

    def file(self):
        return self._program


class MqttJs(Contender):
    def __init__(self, npm):
        super().__init__('mqttjs', 'MQTT.js', HANDLED)
        self._npm = npm

    def start(self, job):
        command = ['node', self._npm / 'mqttjs.js', '--url', job.url, '--qos', job.qos]
        command += ['--latency'] if job.latency else []
        command += ['--ca', job.ca] if job.ca else []
        command += ['--work-us', job.work_us] if job.work_us else []
        return Process(self.name, command, job.folder)

    def version(self):
        return module_version(self._npm, 'mqtt')


class NodeRed(Contender):
    """A flow of two nodes: mqtt in, and a function that counts. Not over TLS."""

    def __init__(self, npm):
        super().__init__('node-red', 'Node-RED', AT_ONCE)
        self._npm = npm

    def start(self, job):
        flow = json.loads((self._npm / 'node-red-flow.json').read_text())
        for node in flow:
            if node['type'] == 'mqtt in':
                node['qos'] = str(job.qos)
            elif node['type'] == 'mqtt-broker':
                node['port'] = str(job.port)
        (job.folder / 'flow.json').write_text(json.dumps(flow))
        return Process(
            self.name,
            ['node', self._npm / 'node_modules/node-red/red.js', '--userDir', job.folder,
             '--settings', self._npm / 'node-red-settings.js', job.folder / 'flow.json'],
            job.folder, {'BENCH_LATENCY': '1' if job.latency else '0'})

    def version(self):
        return module_version(self._npm, 'node-red')


class Shell(Contender):
    """mosquitto_sub | while read line, where bash reads a byte at a time, as it has to."""

    drains = True

    def __init__(self, script):
        super().__init__('mosquitto_sub', 'mosquitto_sub, while read', AT_ONCE)
        self._script = script

    def start(self, job):
        latencies = job.folder / 'latencies' if job.latency else ''
        work = f'{job.work_us / 1e6:.6f}' if job.work_us else ''
        tls = ['--cafile', job.ca] if job.ca else []
        return Process(self.name, [self._script, job.port, job.qos, latencies, work, *tls],
                       job.folder)

    def report(self, process, job):
        said = process.report()
        if job.latency:
            lines = (job.folder / 'latencies').read_text().split()
            said['latency_ns'] = statistics.latency_of([int(line) for line in lines])
        return said

    def version(self):
        return package_version('mosquitto-clients')


def package_version(package):
    """Of a Debian package; '' where it is not one."""
    done = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', package],
                          capture_output=True, text=True, check=False)
    return re.sub(r'^\d+:', '', done.stdout) if done.returncode == 0 else ''


def module_version(npm, module):
    try:
        return json.loads((npm / f'node_modules/{module}/package.json').read_text())['version']
    except OSError:
        return ''


def rivals(paths):
    """All that is not ours, in the order of the tables."""
    programs = paths.programs
    return [
        Native(programs, 'mosquitto', 'libmosquitto', AT_ONCE, 'libmosquitto1'),
        Native(programs, 'paho', 'Paho C', HANDLED, 'libpaho-mqtt1.3'),
        MqttJs(paths.npm),
        NodeRed(paths.npm),
        Shell(paths.source / 'shell/mosquitto_sub_while_read'),
    ]


def ceiling(paths):
    """The discarding reader: what the fake server could do at most. It takes part in no
    comparison."""
    return Native(paths.programs, 'discard', 'ceiling of the fake server', AT_ONCE, '')
