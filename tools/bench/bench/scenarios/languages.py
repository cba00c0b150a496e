"""8. What a service costs that is written in another language, and runs in no plugin."""

from bench import triggerd
from bench.measuring import Cell, Metric, Scenario
from bench.scenarios import end_to_end, ingest, isolation
from bench.scenarios.end_to_end import CPU, P50

CONCURRENCY = 100
# Messages in memory before receiving pauses. What waits in front of a slow service is acknowledged
# when it is on disk, so that a rate over a short time is known to half as many.
QUEUE_CAPACITY = 250
ABOUT = f'''\
triggerd in its default mode with empty services: in the runtime, in a process of their own
(`isolation = "process"`), as a command in Node.js and in Python with the SDKs (plugin `exec`; in
batches of up to {triggerd.BATCH}, too), and as an HTTP server on Node.js on loopback (plugin
`http-forward`). Rates are from the fake server of scenario 1, all of them with `order = "none"`, a
concurrency of {CONCURRENCY}, and at most {QUEUE_CAPACITY} messages in memory; with that concurrency
an empty service in the runtime is slower than in scenario 1, as {CONCURRENCY} workers share the
processors. Latencies are through the real mosquitto of scenario 2, with one message at a time.
Processor time is that of the runtime and of all processes of the service. A message that was
acknowledged and did not arrive is a failure, and so is one that did not arrive in time through
mosquitto.'''

RATE = Metric('rate', 'messages a second', 'messages/s', 'higher')


def contenders(setting):
    """Those that no other scenario has."""
    return triggerd.languages(setting.default, setting.paths)


def scenario(setting):
    base = setting.default
    everybody = [base, isolation.contender(setting), *contenders(setting)]
    commands = [each for each in everybody if isinstance(each, triggerd.Command)]
    if setting.profile == 'quick':
        everybody = [each for each in everybody
                     if each is base or each.name in ('triggerd-exec-node', 'triggerd-exec-python')]
    cells = []

    def rate(processes, chosen, absent):
        # Commands are still starting when messages come, and compile their code after thousands.
        how = {'qos': 1, 'window': 100, 'concurrency': CONCURRENCY,
               'queue_capacity': QUEUE_CAPACITY,
               'seconds': setting.pick(2.0, 1.0, 0.3), 'warmup': setting.pick(1.5, 1.0, 0.5)}
        cells.append(Cell(
            f'rate-{processes}', f'{processes} process' + ('es' if processes > 1 else ''), [RATE],
            chosen,
            lambda each, folder: ingest.measure(setting, each, folder, **how,
                                                extra={'processes': processes}),
            'languages, rate, QoS 1, 100 in flight', {**how, 'processes': processes}, absent,
            base.name))

    def latency(messages, chosen, absent):
        publishing = {'rate': messages, 'publishers': end_to_end.PUBLISHERS,
                      'seconds': setting.pick(2.0, 1.0, 0.5)}
        cells.append(Cell(
            f'latency-{messages}', f'{messages // 1000} k messages/s', [P50, CPU], chosen,
            lambda each, folder: end_to_end.measure_latency(setting, each, folder, **publishing),
            'languages, latency', publishing, absent, base.name))

    rate(1, everybody, {})
    if setting.profile != 'quick':
        rate(2, [base, *commands], {'all others': 'have no processes that can be counted'})
        latency(1000, [each for each in everybody if 'batch' not in each.name],
                {'batches': 'one message at a time makes none'})
    return Scenario('languages', '8. Services in other languages', ABOUT, cells)
