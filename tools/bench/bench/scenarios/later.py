"""7. What cannot be measured yet. A slot becomes a scenario when it gets cells: see README.md."""

from bench.measuring import Scenario


def scenarios(_):
    return [
        Scenario('isolation', '7. Cost of process isolation', '''\
The cells of scenarios 1 and 2 in triggerd's default mode, with services in processes of their own
against services in the runtime: rate, processor time, latency.''', [],
                 'triggerd has no process isolation yet'),
    ]
