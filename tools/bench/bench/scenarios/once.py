"""12. What it costs to handle each message once."""

from bench import triggerd
from bench.measuring import Cell, Metric, Scenario
from bench.scenarios import end_to_end, ingest

ABOUT = '''\
triggerd in its default mode, with an empty service, and the same with
deduplicate = { key = "payload" }. With messages that are all different, from a real mosquitto as in
scenario 2: each is written for its key before it is acknowledged. With messages that are all the
same, from the fake server of scenario 1, QoS 1 with 100 in flight: all but the first are duplicates,
which are acknowledged and written nowhere.'''

RATE = Metric('rate', 'messages a second', 'messages/s', 'higher')


def contenders(setting):
    """Those that no other scenario has."""
    return [triggerd.content(setting.default, setting.paths, 'once', 'each message once',
                             ['deduplicate = { key = "payload" }'])]


def scenario(setting):
    base = setting.default
    everybody = [base, *contenders(setting)]
    cells = []

    def cell(name, title, group, metrics, measure, **how):
        cells.append(Cell(name, title, metrics, everybody,
                          lambda each, folder: measure(setting, each, folder, **how), group, how,
                          {}, base.name))

    cell('different', '1 k messages/s, all different', 'once, at a steady rate',
         [end_to_end.P50, end_to_end.P99, end_to_end.CPU, end_to_end.COUNT],
         end_to_end.measure_latency, rate=1000, publishers=end_to_end.PUBLISHERS,
         seconds=setting.pick(2.0, 1.0, 0.5))
    if setting.profile == 'full':
        cell('flood', 'more than gets through, all different', 'once, sustained rate',
             [end_to_end.RATE, end_to_end.CPU], end_to_end.measure_rate, rate=60000,
             publishers=end_to_end.PUBLISHERS, seconds=1.5)

    def same(_, each, folder, **how):
        return ingest.measure(setting, each, folder, **how, arrives=each is base)

    cell('same', '64 bytes, all the same', 'once, rate of duplicates, 100 in flight', [RATE], same,
         qos=1, window=100, payload=64)
    return Scenario('once', '12. Each message once', ABOUT, cells)
