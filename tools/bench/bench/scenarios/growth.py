"""4. Growth: triggers, filters, payload, and what waits in the inbox. Of triggerd alone: whether
the cost of a message stays flat."""

import shutil
import time

from bench.contenders import Job
from bench.measuring import Cell, Metric, Scenario
from bench.processes import Failure
from bench.servers import FakeServer
from bench.triggerd import READY_WITHIN

CPU = Metric('cpu', 'processor time of a message', 'us', 'lower')
RATE = Metric('rate', 'messages a second', 'messages/s', 'higher')
READY = Metric('ready', 'start to ready', 's', 'lower')
MEMORY = Metric('memory', 'resident memory, the most', 'bytes', 'lower')
ACCEPTED = Metric('accepted', 'messages a second while the backlog grows', 'messages/s', 'higher')
RESTART = Metric('restart', 'restart until the backlog is worked off and ready', 's', 'lower')
BESIDE = Metric('beside', 'messages a second of another trigger beside it', 'messages/s',
                'higher')
ACCEPTING = Metric('accepting', 'resident memory with all of it in the queue', 'bytes', 'lower')

ABOUT = '''\
What a message costs as a configuration grows, in triggerd's default mode at QoS 1 with 20 in
flight on each connection. Each trigger has a connection of its own, and the fake server sends to
all of them; filters are of one trigger, and messages go round through all of their topics. A
backlog is made by a service that takes 200 ms, behind which messages are accepted as rows
of the inbox; then triggerd is stopped and started again, once with that service beside another
trigger whose messages are measured, and once with an empty service. Flat is: processor time of a
message grows by less than a quarter over the whole range. The report says where it does not.'''

# Why a cost is not flat, as far as somebody has looked; said where the figures say that it is not.
WHY = {
    'growth: triggers':
        'Each trigger has a connection and a worker, so messages that come to one connection in one '
        'batch come one by one to many.',
    'growth: payload':
        'Each byte is copied out of the socket and into the message.',
}

SLOW = '200ms'


def _load(setting, contender, folder, job, server):
    """Ready, then loaded until the server's end."""
    with contender.start(job) as process:
        began = time.monotonic()
        contender.wait_until_ready(process)
        ready = time.monotonic() - began
        before = process.cpu_seconds()
        result = server.result(process)
        cpu = process.cpu_seconds() - before
        memory = process.memory('VmHWM')
        process.stop()
        received = contender.report(process, job)['received']
    if received < result['messages']:
        raise Failure(f'it acknowledged {result["messages"]} messages and counted {received}')
    return {'cpu': cpu / received * 1e6, 'rate': result['rate'], 'ready': ready, 'memory': memory}


def measure_load(setting, contender, folder, *, triggers=1, filters=0, payload=64):
    many = triggers >= 1000  # the first round of all of them takes a while
    with FakeServer(setting.paths.programs, folder,
                    seconds=2.5 if many else setting.pick(1.0, 0.6, 0.3),
                    warmup=1.0 if many else 0.2, qos=1, window=20, payload=payload,
                    connections=triggers,
                    filters=max(1, filters)) as server:
        job = Job(server.url, 1, folder, triggers=triggers, filters=filters)
        return _load(setting, contender, folder, job, server)


# ---- The backlog

def _slow_trigger(capacity):
    return ['[[triggers]]', 'name = "slow"', 'alias = "bench"', 'service = "bench"',
            'topics = ["bench/#"]', f'queue_capacity = {capacity}',
            '[triggers.settings]', f'work = "{SLOW}"']


def _accept(setting, contender, folder, backlog):
    """A state folder with so many messages in its inbox; how quickly they were accepted, and the
    memory that took."""
    folder.mkdir()
    with FakeServer(setting.paths.programs, folder, seconds=0, warmup=0, qos=1, window=1000,
                    backlog_first=backlog, pace=1) as server:
        job = Job(server.url, 1, folder, triggers=0, extra={
            'drain_timeout': '1s', 'state_dir': folder.parent / 'state',
            'triggers': _slow_trigger(backlog)})
        with contender.start(job) as process:
            result = server.result(process, backlog / 5000)
            memory = process.memory('VmHWM')
            process.stop()
    return {'accepted': backlog / result['backlog_seconds'], 'accepting': memory}


def _beside(setting, contender, folder, backlog):
    """The rate of another trigger, while the backlog waits for its slow service. That one has so
    little room that it does not connect: the fake server would send to it, too."""
    folder.mkdir()
    with FakeServer(setting.paths.programs, folder, seconds=setting.pick(1.0, 0.6, 0.3),
                    warmup=0.2, qos=1, window=20) as server:
        job = Job(server.url, 1, folder, extra={
            'drain_timeout': '1s', 'state_dir': folder.parent / 'state',
            'triggers': _slow_trigger(100) if backlog > 0 else []})
        with contender.start(job) as process:
            result = server.result(process)
            process.stop()
    return result['rate']


def _restart(setting, contender, folder):
    """With a service that is quick: the trigger connects when nothing of the backlog is left
    outside of memory, and then all is ready."""
    folder.mkdir()
    slow = _slow_trigger(1000)
    with FakeServer(setting.paths.programs, folder, seconds=0.2, warmup=0, qos=1, window=20,
                    pace=1) as server:
        job = Job(server.url, 1, folder, triggers=0, extra={
            'state_dir': folder.parent / 'state',
            'triggers': slow[:slow.index('[triggers.settings]')]})
        with contender.start(job) as process:
            contender.wait_until_ready(process, READY_WITHIN + 60)
            seconds = time.monotonic() - process.began
            memory = process.memory('VmHWM')
            server.result(process)
            process.stop()
    return {'restart': seconds, 'memory': memory}


def measure_backlog(setting, contender, folder, *, backlog):
    figures = {'accepted': None, 'accepting': None}
    if backlog > 0:
        figures = _accept(setting, contender, folder / 'accept', backlog)
    figures['beside'] = _beside(setting, contender, folder / 'beside', backlog)
    figures.update(_restart(setting, contender, folder / 'restart'))
    shutil.rmtree(folder / 'state', ignore_errors=True)
    return figures


# ---- All of it

def scenario(setting):
    cells = []
    default = [setting.default]

    def cell(name, title, group, metrics, measured, **how):
        cells.append(Cell(
            name, title, metrics, default,
            lambda contender, folder: measured(setting, contender, folder, **how), group, how))

    load = [CPU, RATE, READY, MEMORY]
    for triggers in setting.pick([1, 10, 100, 1000], [1, 100], [1, 10]):
        cell(f'triggers-{triggers}', f'{triggers} trigger{"s" if triggers > 1 else ""}',
             'growth: triggers', load, measure_load, triggers=triggers)
    for filters in setting.pick([1, 100, 10000], [1, 10000], [1, 100]):
        cell(f'filters-{filters}', f'{filters} filter{"s" if filters > 1 else ""}',
             'growth: filters of one trigger', load, measure_load, filters=filters)
    for payload in setting.pick([64, 1024, 16384, 262144], [], []):
        title = f'{payload} bytes' if payload < 1024 else f'{payload // 1024} KiB'
        cell(f'payload-{payload}', title, 'growth: payload', load, measure_load, payload=payload)
    for backlog in setting.pick([0, 10000, 1000000], [0, 10000], [0, 1000]):
        title = {1000000: '1 M', 10000: '10 k'}.get(backlog, str(backlog))
        cell(f'backlog-{backlog}', f'{title} messages', 'growth: backlog in the inbox',
             [BESIDE, ACCEPTED, ACCEPTING, RESTART, MEMORY], measure_backlog, backlog=backlog)
    return Scenario('growth', '4. Growth', ABOUT, cells, reasons=WHY)
