"""6. What cannot be measured yet. A slot becomes a scenario when it gets cells: see README.md."""

from bench.measuring import Scenario


def scenarios(_):
    return [
        Scenario('reload', '6a. Pause of a hot reload', '''\
From the last message that the old generation of a plugin handles to the first one of the new one,
under a steady 1 k and 10 k messages/s: longest gap, and messages handled twice.''', [],
                 'triggerd has no hot reload yet'),
        Scenario('isolation', '6b. Cost of process isolation', '''\
The cells of scenarios 1 and 2 in triggerd's default mode, with services in processes of their own
against services in the runtime: rate, processor time, latency.''', [],
                 'triggerd has no process isolation yet'),
    ]
