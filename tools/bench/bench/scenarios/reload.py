"""6. How long messages wait while another build of a plugin takes over."""

import os
import re
import shutil
import time
from statistics import median

from bench.contenders import Job
from bench.measuring import Cell, Metric, Scenario
from bench.processes import Failure
from bench.scenarios.end_to_end import PUBLISHERS, SETTLE
from bench.servers import Mosquitto, publish_beside

PAUSE = Metric('pause', 'messages waited, median', 'us', 'lower')
WORST = Metric('worst', 'messages waited, longest', 'us')
RELOADS = Metric('reloads', 'reloads', 'reloads')
LOST = Metric('lost', 'messages lost', 'messages')
TWICE = Metric('twice', 'messages handled twice', 'messages')

ABOUT = '''\
With hot_reload = true, the plugin's file is replaced by another build again and again while messages
come through a real mosquitto, QoS 1, 64 bytes. Messages wait from the moment the old generation gets
no more of them to that in which the new one is in service, as triggerd measures and logs it; what
all generations have handled is counted and compared with what was sent.'''

RELOADED = re.compile(r'plugin\.reloaded .*messages waited ([0-9.]+) ms')


def measure(setting, contender, folder, *, rate, reloads):
    plugins = folder / 'plugins'
    plugins.mkdir()
    built = setting.paths.programs / 'bench.so'
    shutil.copy(built, plugins / 'bench.so')
    with Mosquitto(folder) as server:
        job = Job(server.url, 1, folder, extra={'plugins': plugins, 'hot_reload': True})
        with contender.start(job) as process:
            server.wait_for_subscriber(process)
            time.sleep(SETTLE)
            with publish_beside(setting.paths.programs, folder, server, qos=1, payload=64, rate=rate,
                                publishers=PUBLISHERS, seconds=reloads) as publisher:
                for number in range(reloads):
                    _rebuild(built, plugins, number)
                    _wait_for(process, number + 1)
                publisher.finish(reloads + 30)
                sent = publisher.report()['sent']
            time.sleep(SETTLE)
            process.stop()
            received = contender.report(process, job)['received']
            pauses = [float(found) * 1000 for found in RELOADED.findall(process.text())]
        server.stop()
    return {'pause': median(pauses), 'worst': max(pauses), 'reloads': len(pauses),
            'lost': max(0, sent - received), 'twice': max(0, received - sent)}


def _rebuild(built, plugins, number):
    """Another file with the same code: what follows the last section is nobody's."""
    new = plugins / 'bench.so.new'
    new.write_bytes(built.read_bytes() + b'\0' * (number + 1))
    os.replace(new, plugins / 'bench.so')


def _wait_for(process, reloads):
    deadline = time.monotonic() + 30
    while len(RELOADED.findall(process.text())) < reloads:
        if not process.running() or time.monotonic() > deadline:
            raise Failure(f'reload {reloads} did not happen: {process.last_words()}')
        time.sleep(0.01)


def scenario(setting):
    reloads = setting.pick(6, 3, 2)
    cells = [Cell(f'reload-{rate}', f'{rate // 1000} k messages/s', [PAUSE, WORST, RELOADS, LOST,
                                                                     TWICE], [setting.default],
                  lambda contender, folder, rate=rate: measure(setting, contender, folder, rate=rate,
                                                               reloads=reloads),
                  'pause of a hot reload', {'rate': rate})
             for rate in setting.pick([1000, 10000], [10000], [1000])]
    return Scenario('reload', '6. Pause of a hot reload', ABOUT, cells)
