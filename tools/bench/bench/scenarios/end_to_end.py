"""2. End to end through a real mosquitto: rate, cost of a message, latency."""

import time

from bench import triggerd
from bench.contenders import Job
from bench.measuring import Cell, Metric, Scenario
from bench.processes import Failure
from bench.servers import Mosquitto, publish

PUBLISHERS = 4
SETTLE = 0.3  # seconds after the subscription, and after the last publish
P50 = Metric('p50', 'latency, median', 'us', 'lower')
P99 = Metric('p99', 'latency, 99th percentile', 'us', 'lower')
P999 = Metric('p999', 'latency, 99.9th percentile', 'us', 'lower')
MAX = Metric('max', 'latency, worst', 'us')
P90 = Metric('p90', 'latency, 90th percentile', 'us')
CPU = Metric('cpu', 'processor time of a message', 'us', 'lower')
RATE = Metric('rate', 'sustained rate', 'messages/s', 'higher')
BEHIND = Metric('late', 'publishes that left over 1 ms late', 'share')
COUNT = Metric('count', 'messages', 'messages')

ABOUT = f'''\
{PUBLISHERS} publishers, QoS 1, 64 bytes, a real mosquitto between them and the contender, all on
this machine. Latency is from the moment a message leaves its publisher to the service, or
callback; processor time is that of all processes of the contender. Before each run
{Mosquitto.WARM_UP} messages that do not count warm everything up. The sustained rate is what gets
through while the publishers offer more than that: mosquitto and publishers share the processors
with the contender, and where all contenders reach the same, the limit is mosquitto. mosquitto has:
{"; ".join(Mosquitto.SETTINGS)}.'''


class _Run:
    """A contender on a real mosquitto, warm."""

    def __init__(self, setting, contender, folder, latency):
        self._setting = setting
        self._contender = contender
        self._folder = folder
        self._latency = latency

    def measure(self, **publishing):
        with Mosquitto(self._folder) as server:
            job = Job(server.url, 1, self._folder, latency=self._latency)
            with self._contender.start(job) as process:
                server.wait_for_subscriber(process)
                time.sleep(SETTLE)
                warm = server.warm_up(self._folder)
                time.sleep(SETTLE)
                before = process.cpu_seconds()
                said, seconds = publish(self._setting.paths.programs, self._folder, server,
                                        qos=1, payload=64, **publishing)
                time.sleep(0 if 'flood' in self._folder.name else SETTLE)
                cpu = process.cpu_seconds() - before
                process.stop()
                report = self._contender.report(process, job)
            server.stop()
        received = report['received'] - warm
        if received <= 0:
            raise Failure(f'it received {received} of {said["sent"]} messages')
        return said, seconds, received, cpu, report.get('latency_ns', {})


def measure_latency(setting, contender, folder, **publishing):
    run = _Run(setting, contender, folder, latency=True)
    said, _, received, cpu, latency = run.measure(**publishing)
    # A test has no bound on how slow the machine may be.
    if received < said['sent'] and setting.profile != 'smoke':
        raise Failure(f'it does not keep up: of {said["sent"]} messages {received} had arrived '
                      f'{SETTLE:g} s after the last one was sent')
    return {
        **{name: latency[name] / 1000 for name in ('p50', 'p90', 'p99', 'p999', 'max')},
        'cpu': cpu / received * 1e6,
        'late': said['behind'] / said['sent'],
        'count': received,
    }


def measure_rate(setting, contender, folder, **publishing):
    run = _Run(setting, contender, folder, latency=False)
    _, seconds, received, cpu, _ = run.measure(**publishing)
    return {'rate': received / seconds, 'cpu': cpu / received * 1e6}


def brief(setting):
    modes = ['triggerd-durable-disk', 'triggerd-finished']
    if setting.profile == 'full':
        modes.append('triggerd-received')
    return [triggerd.brief(mode, setting.paths) for mode in setting.named(*modes)]


def scenario(setting):
    everybody = setting.everybody
    if setting.profile != 'full':
        everybody = setting.named('triggerd-durable-disk', 'triggerd-finished', 'mosquitto',
                                  'paho', 'mqttjs')
    # As the service that counts is: called by the thread that has read its message.
    everybody = everybody + brief(setting)
    few = setting.named('triggerd-durable-disk', 'mosquitto', 'paho', 'mqttjs')
    latencies = [P50, P99, P999, P90, MAX, CPU, BEHIND, COUNT]
    cells = []

    def cell(name, title, group, metrics, contenders, measured, absent=None, **publishing):
        cells.append(Cell(
            name, title, metrics, contenders,
            lambda contender, folder: measured(setting, contender, folder, **publishing),
            group, publishing, absent or {}))

    for rate in setting.pick([1000, 10000], [10000], [1000]):
        cell(f'rate-{rate}', f'{rate // 1000} k messages/s', 'end to end at a steady rate',
             latencies, everybody, measure_latency,
             rate=rate, publishers=PUBLISHERS, seconds=setting.pick(2.0, 1.0, 0.5))
    if setting.profile == 'full':
        cell('sparse', 'gaps of 20 ms to 1.5 s', 'end to end, sparse messages',
             [P50, MAX, COUNT], few, measure_latency,
             {'all others': 'the sparse runs are long; these show what libraries differ in'},
             sparse='20:1500', publishers=1, seconds=7)
    if setting.profile == 'full':
        cell('flood', 'more than gets through', 'end to end, sustained rate', [RATE, CPU],
             everybody, measure_rate, rate=60000, publishers=PUBLISHERS, seconds=1.5)
    return Scenario('end-to-end', '2. End to end through a real mosquitto', ABOUT, cells)
