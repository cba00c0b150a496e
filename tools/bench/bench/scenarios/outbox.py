"""11. What it costs to keep what is published until the server has it."""

from bench import triggerd
from bench.measuring import Cell, Scenario
from bench.scenarios import end_to_end
from bench.scenarios.end_to_end import CPU, P50, P99, RATE

ABOUT = '''\
triggerd in its default mode with two triggers on the real mosquitto of scenario 2: one publishes
each message again, with `republish`, and an empty service of the other gets the copy. Copies go out
on an alias of their own without and with an outbox, with QoS 1 and 2. Latency is from the first
publisher to the service, so it has the way to the server and back twice. With an outbox a message
is ok once it is on the disk or confirmed, and without once it is confirmed. Up to 1000 messages are
in flight.'''


def contenders(setting):
    """Those that no other scenario has."""
    return triggerd.bridges(setting.default, setting.paths)


def scenario(setting):
    everybody = contenders(setting)
    base = everybody[0]
    if setting.profile != 'full':
        everybody = everybody[:2]
    cells = []

    def cell(name, title, metrics, measured, **publishing):
        cells.append(Cell(
            name, title, metrics, everybody,
            lambda contender, folder: measured(setting, contender, folder, **publishing),
            f'outbox, {title}', publishing, {}, base.name))

    cell('rate-1000', '1 k messages/s', [P50, P99, CPU], end_to_end.measure_latency, rate=1000,
         publishers=end_to_end.PUBLISHERS, seconds=setting.pick(2.0, 1.0, 0.5))
    if setting.profile == 'full':
        cell('flood', 'more than gets through', [RATE, CPU], end_to_end.measure_rate, rate=60000,
             publishers=end_to_end.PUBLISHERS, seconds=1.5)
    return Scenario('outbox', '11. An outbox', ABOUT, cells)
