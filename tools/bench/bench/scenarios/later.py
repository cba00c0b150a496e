"""6. What cannot be measured yet. A slot becomes a scenario when it gets cells: see README.md."""

from bench.measuring import Scenario


def scenarios(_):
    return [
        Scenario('reload', '6a. Pause of a hot reload', '''\
From the last message that the old generation of a plugin handles to the first one of the new one,
under a steady 1 k and 10 k messages/s: longest gap, and messages handled twice.''', [],
                 'triggerd has no hot reload yet'),
    ]
