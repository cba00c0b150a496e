"""1. Ingest: how many messages a second, from a server that is never the bottleneck."""

from bench.contenders import Job
from bench.measuring import Cell, Metric, Scenario
from bench.processes import Failure
from bench.servers import FakeServer

RATE = Metric('rate', 'messages a second', 'messages/s', 'higher')

ABOUT = '''\
A fake server on loopback sends as fast as the contender takes it; the service, or callback, is
empty. What counts is what was sent (QoS 0) or completely acknowledged (QoS 1, 2), which for each
contender is checked against what it says it has received. The ceiling is what a reader reaches
that looks at nothing but the front of each packet. At QoS 0 there are no acknowledgements, so one
mode of triggerd stands for all.'''

NOT_HERE = 'measured with 64 bytes over TCP only, which says what they cost'


def measure(setting, contender, folder, *, qos, window=20, payload=64, tls=False, seconds=None,
            warmup=None, content=None, arrives=True, **of_job):
    with FakeServer(setting.paths.programs, folder,
                    seconds=seconds or setting.pick(1.0, 0.5, 0.3),
                    warmup=warmup or setting.pick(0.4, 0.3, 0.1), qos=qos, window=window,
                    payload=payload, tls=setting.tls if tls else None,
                    **({'content': content} if content else {})) as server:
        job = Job(server.url, qos, folder, ca=setting.tls.certificate if tls else None,
                  **of_job)
        with contender.start(job) as process:
            result = server.result(process)
            process.stop()
            received = contender.report(process, job)['received']
    if arrives and qos > 0 and received < result['messages']:
        raise Failure(f'it acknowledged {result["messages"]} messages and counted {received}')
    return {'rate': result['rate']}


def scenario(setting):
    cells = []

    def cell(name, title, group, contenders, absent, **how):
        cells.append(Cell(
            name, title, [RATE], contenders,
            lambda contender, folder: measure(setting, contender, folder, **how),
            group, how, absent))

    def contenders(qos, small=False):
        if small:
            chosen = setting.named('triggerd-durable-disk', 'triggerd-finished',
                                   'triggerd-received', 'mosquitto', 'paho', 'mqttjs')
        elif setting.profile == 'full':
            chosen = setting.everybody
        else:
            chosen = setting.named('triggerd-durable-disk', 'triggerd-finished', 'mosquitto',
                                   'paho', 'mqttjs')
        if qos == 0:
            chosen = [each for each in chosen
                      if not each.ours or each.name == 'triggerd-durable-disk']
        return chosen + [setting.ceiling]

    flat = 'ingest, 64 bytes over TCP'
    quick = 'in the full run only'
    left_out = {} if setting.profile == 'full' else {'all others': quick}
    for qos, window in setting.pick(
            [(0, 20), (1, 20), (1, 100), (1, 1000), (2, 100)],
            [(0, 20), (1, 20), (1, 100)],
            [(0, 20), (1, 20)]):
        title = f'QoS {qos}' + (f', {window} in flight' if qos else '')
        cell(f'qos{qos}' + (f'-{window}' if qos else ''), title, flat, contenders(qos), left_out,
             qos=qos, window=window)

    for qos, payload in setting.pick(
            [(0, 1024), (1, 1024), (0, 65536), (1, 65536)], [], []):
        size = f'{payload // 1024} KiB'
        cell(f'qos{qos}-{payload // 1024}k', f'QoS {qos}, {size}' + (', 100 in flight' if qos
                                                                     else ''),
             'ingest, larger payloads over TCP', contenders(qos, small=True),
             {'all others': NOT_HERE}, qos=qos, window=100, payload=payload)

    for qos, payload in setting.pick([(0, 64), (1, 64), (1, 1024)], [], []):
        chosen, absent = contenders(qos, small=True), {'all others': NOT_HERE}
        if setting.why_no_tls:
            chosen = [each for each in chosen if not each.ours]
            absent['triggerd'] = f'has no TLS yet ({setting.why_no_tls})'
        cell(f'tls-qos{qos}-{payload}', f'QoS {qos}, {payload} bytes' + (', 100 in flight' if qos
                                                                         else ''),
             'ingest over TLS', chosen, absent, qos=qos, window=100, payload=payload, tls=True)

    return Scenario('ingest', '1. Ingest from a server that is never the bottleneck', ABOUT, cells)
