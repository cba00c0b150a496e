"""7. What a process of its own costs a service."""

from bench import triggerd
from bench.measuring import Cell, Metric, Scenario
from bench.scenarios import end_to_end, ingest

ABOUT = '''\
triggerd in its default mode, its empty service in a process of its own (`isolation = "process"`)
and in the runtime, one right after the other in each repetition, in turns. Rates are from the fake
server of scenario 1, latencies through the real mosquitto of scenario 2. The promise is a share of
at least 0.6 of the rate, and less than 30 us more in the middle of the latencies.'''

SHARE = Metric('share', 'rate, of that in the runtime', 'share', 'higher')
RATE = Metric('rate', 'messages a second', 'messages/s', 'higher')
RATE_HERE = Metric('rate-here', 'messages a second in the runtime', 'messages/s')
ADDED = Metric('added', 'added to the median latency', 'us', 'lower')
P50 = Metric('p50', 'latency, median', 'us', 'lower')
P50_HERE = Metric('p50-here', 'latency in the runtime, median', 'us')
CPU = Metric('cpu', 'processor time of a message', 'us', 'lower')
CPU_HERE = Metric('cpu-here', 'processor time of a message in the runtime', 'us')


class _Pair:
    """Measures both, in another order each time."""

    def __init__(self, here, measure):
        self._here = here
        self._measure = measure
        self._turn = 0

    def __call__(self, contender, folder):
        self._turn += 1
        pair = [('process', contender), ('here', self._here)]
        figures = {}
        for name, each in pair if self._turn % 2 else reversed(pair):
            work = folder / name
            work.mkdir()
            figures[name] = self._measure(each, work)
        return figures['process'], figures['here']


def contender(setting):
    return triggerd.isolated(setting.default, setting.paths)


def scenario(setting):
    isolated = contender(setting)
    cells = []

    def rate(qos, window):
        pair = _Pair(setting.default, lambda each, folder: ingest.measure(
            setting, each, folder, qos=qos, window=window))

        def measure(each, folder):
            process, here = pair(each, folder)
            return {'share': process['rate'] / here['rate'] if here['rate'] else 0,
                    'rate': process['rate'], 'rate-here': here['rate']}
        cells.append(Cell(f'rate-qos{qos}-{window}', f'QoS {qos}' + (f', {window} in flight' if qos else ''),
                          [SHARE, RATE, RATE_HERE], [isolated], measure, 'isolation, rate',
                          {'qos': qos, 'window': window}))

    def latency(messages):
        publishing = {'rate': messages, 'publishers': end_to_end.PUBLISHERS,
                      'seconds': setting.pick(2.0, 1.0, 0.5)}
        pair = _Pair(setting.default, lambda each, folder: end_to_end.measure_latency(
            setting, each, folder, **publishing))

        def measure(each, folder):
            process, here = pair(each, folder)
            return {'added': process['p50'] - here['p50'], 'p50': process['p50'],
                    'p50-here': here['p50'], 'cpu': process['cpu'], 'cpu-here': here['cpu']}
        cells.append(Cell(f'latency-{messages}', f'{messages // 1000} k messages/s',
                          [ADDED, P50, P50_HERE, CPU, CPU_HERE], [isolated], measure,
                          'isolation, latency', publishing))

    for qos, window in setting.pick([(0, 20), (1, 20), (1, 100), (1, 1000)], [(1, 100)]):
        rate(qos, window)
    for messages in setting.pick([1000, 10000], [1000]):
        latency(messages)
    return Scenario('isolation', '7. Cost of process isolation', ABOUT, cells)
