"""5. Footprint: start, memory, size, end."""

import time

from bench.contenders import Job
from bench.measuring import Cell, Metric, Scenario
from bench.processes import run
from bench.servers import Mosquitto, publish

SUBSCRIBED = Metric('subscribed', 'start to subscribed', 's', 'lower')
# Not compared: of triggerd it is the one that tries the plugin in processes of its own first.
FIRST = Metric('first', 'the first start to subscribed', 's')
IDLE = Metric('idle', 'resident memory, idle', 'bytes', 'lower')
LOADED = Metric('loaded', 'resident memory, the most under load', 'bytes', 'lower')
# Not compared: who promises nothing ends at once.
STOP = Metric('stop', 'SIGTERM to the end', 's')
SIZE = Metric('size', 'program without its libraries', 'bytes')

ABOUT = '''\
On a real mosquitto, QoS 1: from the start of the process to its subscription at the server (of
triggerd: the last one before it is ready), the first time and the second, which is the one that is
compared; memory one second later, the most memory after a load
of 10 k messages/s, and the time from SIGTERM to the end. The empty clients end where they stand;
triggerd finishes what is in flight and says goodbye to the server. The size is that of the stripped
program file; programs on Node.js are folders, and have none here. The container image is not measured
here: tools/container/test builds it and holds its size to a bound.'''


def _size(program, folder):
    """Without what is there for a debugger; None for what is no program."""
    if program is None:
        return None
    run(['strip', '-o', folder / 'stripped', program], folder, 30)
    return (folder / 'stripped').stat().st_size


def _until_subscribed(server, contender, process):
    subscribed = server.wait_for_subscriber(process)
    if contender.ours:
        contender.wait_until_ready(process)
        subscribed = time.monotonic()
    return subscribed - process.began


def _first_start(contender, folder):
    with Mosquitto(folder) as server:
        with contender.start(Job(server.url, 1, folder)) as process:
            subscribed = _until_subscribed(server, contender, process)
            process.stop()
        server.stop()
    for report in folder.glob('report-*'):
        report.unlink()
    return subscribed


def measure(setting, contender, folder):
    first = _first_start(contender, folder)
    with Mosquitto(folder) as server:
        job = Job(server.url, 1, folder)
        with contender.start(job) as process:
            subscribed = _until_subscribed(server, contender, process)
            time.sleep(setting.pick(1.0, 0.5, 0.2))
            idle = process.memory()
            publish(setting.paths.programs, folder, server, qos=1, payload=64, rate=10000,
                    publishers=4, seconds=setting.pick(1.5, 0.7, 0.3))
            time.sleep(0.2)
            loaded = process.memory('VmHWM')
            stop = process.stop()
            contender.report(process, job)
        server.stop()
    return {'subscribed': subscribed, 'first': first, 'idle': idle, 'loaded': loaded, 'stop': stop,
            'size': _size(contender.file(), folder)}


def scenario(setting):
    contenders = setting.named('triggerd-durable-disk', 'mosquitto', 'paho', 'mqttjs', 'node-red',
                               'mosquitto_sub')
    if setting.profile != 'full':
        contenders = setting.named('triggerd-durable-disk', 'mosquitto', 'paho')
    return Scenario('footprint', '5. Start, memory, size, end', ABOUT, [Cell(
        'footprint', 'start, memory, size, end', [SUBSCRIBED, FIRST, IDLE, LOADED, STOP, SIZE],
        contenders, lambda contender, folder: measure(setting, contender, folder), 'footprint')])
