"""10. What a highest rate and a delay cost a trigger."""

from bench import triggerd
from bench.measuring import Cell, Metric, Scenario
from bench.scenarios import ingest

ABOUT = '''\
triggerd in its default mode with an empty service: without max_rate and delay, with a max_rate that
is never reached, and with a delay of a millisecond, which has every message written to the inbox
and handed over by the timer. Messages of 64 bytes from the fake server of scenario 1, QoS 1 with
1000 in flight.'''

RATE = Metric('rate', 'messages a second', 'messages/s', 'higher')
HOW = {'qos': 1, 'window': 1000, 'payload': 64}


def contenders(setting):
    """Those that no other scenario has."""
    mode, paths = setting.default, setting.paths
    return [
        triggerd.paced(mode, paths, 'max-rate', 'highest rate', ['max_rate = "10000000/s"']),
        triggerd.paced(mode, paths, 'delay', 'delay of 1 ms', ['delay = "1ms"']),
    ]


def scenario(setting):
    base = setting.default
    cell = Cell('rate', '64 bytes', [RATE], [base, *contenders(setting)],
                lambda each, folder: ingest.measure(setting, each, folder, **HOW),
                'pacing, rate, QoS 1, 1000 in flight', HOW, {}, base.name)
    return Scenario('pacing', '10. Highest rate and delay', ABOUT, [cell])
