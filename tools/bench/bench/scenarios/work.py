"""3. Work: services that take 1 ms and 10 ms, and how far concurrency makes up for it."""

import time

from bench.contenders import Job
from bench.measuring import Cell, Metric, Scenario
from bench.processes import Failure
from bench.servers import FakeServer

RATE = Metric('rate', 'messages finished a second', 'messages/s', 'higher')
IDEAL = Metric('ideal', 'of the ideal', 'share')

ABOUT = '''\
The service, or callback, sleeps for each message. The ideal is concurrency divided by that time; a
sleep is in truth a little longer than it was asked to be, which at 1 ms costs every contender
some percent. A fixed number of messages is sent with at most 1000 in flight, the clock runs from
the first one until the last one is finished, and that all of them were handled is checked. The
other contenders have one callback at a time, so they are measured at concurrency 1.'''

AT_ONE = 'one callback at a time: see concurrency 1'


def measure(setting, contender, folder, *, work_us, concurrency, count):
    ideal = concurrency / work_us * 1e6
    # --pace: it sends nothing more after the fixed number.
    with FakeServer(setting.paths.programs, folder, seconds=0, warmup=0, qos=1, window=1000,
                    backlog_first=count, pace=1) as server:
        job = Job(server.url, 1, folder, work_us=work_us, concurrency=concurrency,
                  extra={'drain_timeout': '60s'})
        with contender.start(job) as process:
            result = server.result(process, 10 * count / ideal)
            seconds = result['backlog_seconds']
            began = time.monotonic() - seconds
            if contender.drains:
                # What was acknowledged need not be handled yet; when it has ended, it is.
                process.stop(20 + 10 * count / ideal)
                seconds = time.monotonic() - began
            else:
                time.sleep(2e-6 * work_us)  # one may have been acknowledged before its callback
                process.stop()
            received = contender.report(process, job)['received']
    if not count <= received <= count + 1:  # the pace may have been due
        raise Failure(f'of {count} messages {received} were handled')
    return {'rate': count / seconds, 'ideal': count / seconds / ideal}


def scenario(setting):
    cells = []
    modes = setting.named('triggerd-durable-disk', 'triggerd-finished')
    if setting.profile == 'full':
        modes = setting.named('triggerd-durable-disk', 'triggerd-durable-process',
                              'triggerd-finished', 'triggerd-received')
    rivals = setting.named(*setting.pick(['mosquitto', 'paho', 'mqttjs', 'mosquitto_sub'],
                                         ['paho'], ['paho']))
    for work_us in setting.pick([1000, 10000], [1000], [1000]):
        for concurrency in setting.pick([1, 8, 64], [1, 64], [1, 8]):
            count = int(concurrency / work_us * 1e6 * setting.pick(1.0, 0.5, 0.3))
            contenders, absent = modes + rivals, {}
            if concurrency > 1:
                contenders, absent = modes, {'all others': AT_ONE}
            elif setting.profile == 'full':
                absent = {'Node-RED': 'its function nodes cannot wait: work there is a timer each, '
                                      'of which there may be any number'}
            how = {'work_us': work_us, 'concurrency': concurrency, 'count': count}
            cells.append(Cell(
                f'{work_us // 1000}ms-{concurrency}', f'concurrency {concurrency}', [RATE, IDEAL],
                contenders,
                lambda contender, folder, how=how: measure(setting, contender, folder, **how),
                f'work of {work_us // 1000} ms', how, absent))
    return Scenario('work', '3. Services that take their time', ABOUT, cells)
