"""9. What conditions and mappings cost a trigger."""

from bench import triggerd
from bench.measuring import Cell, Metric, Scenario
from bench.scenarios import ingest

# 64 bytes with blanks, and a kilobyte.
SMALL = '{"device":"b7","temperature":81.5,"unit":"C"}'
LARGE = ('{"device":"b7","temperature":81.5,"unit":"C","metrics":['
         + ','.join(f'{{"name":"metric {number}","value":{number}.25}}' for number in range(24))
         + ']}')
ABOUT = '''\
triggerd in its default mode with an empty service, which gets every message as it came, only those
with a temperature over 80 (all of them have one), what a short program makes of them, or those that
keep to a JSON Schema; and where no message is wanted. The same in a process of its own. Messages
are JSON of 64 bytes, and of 1 KiB with 24 metrics, from the fake server of scenario 1, QoS 1 with
100 in flight. One worker evaluates and handles them.'''

RATE = Metric('rate', 'messages a second', 'messages/s', 'higher')
PROGRAMS = (
    ('when', 'when', ["when = '.temperature > 80'"]),
    ('when-transform', 'when and transform',
     ["when = '.temperature > 80'", "transform = '{id: .device, celsius: .temperature}'"]),
    ('filtered', 'none is wanted', ["when = '.temperature > 90'"]),
)


def contenders(setting):
    """Those that no other scenario has."""
    mode, paths = setting.default, setting.paths
    schema = paths.source / 'services/reading_schema.json'
    return [
        *(triggerd.content(mode, paths, name, title, lines) for name, title, lines in PROGRAMS),
        triggerd.content(mode, paths, 'schema', 'schema', [f'schema = "{schema}"']),
        triggerd.content(mode, paths, 'when-transform-isolated', 'when and transform, isolated',
                         PROGRAMS[1][2], isolated=True),
    ]


def scenario(setting):
    base = setting.default
    everybody = [base, *contenders(setting)]
    if setting.profile != 'full':
        everybody = everybody[:3]
    cells = []

    def rate(payload, content):
        size = f'{payload // 1024} KiB' if payload >= 1024 else f'{payload} bytes'
        how = {'qos': 1, 'window': 100, 'payload': payload}
        cells.append(Cell(
            f'rate-{payload}', size, [RATE], everybody,
            lambda each, folder: ingest.measure(setting, each, folder, **how, content=content,
                                                arrives='filtered' not in each.name),
            'content, rate, QoS 1, 100 in flight', how, {}, base.name))

    rate(64, SMALL)
    if setting.profile == 'full':
        rate(1024, LARGE)
    return Scenario('content', '9. Conditions and mappings', ABOUT, cells)
