"""The hot pieces one by one: bench-micro, whose report is Google Benchmark's."""

import json

from bench.processes import Process

SECONDS = {'full': '0.2', 'quick': '0.02', 'smoke': '0.001'}  # for each of them


def measure(setting):
    """[{'name', 'ns', 'items_per_second'}]; `ns` is of one iteration."""
    with Process('bench-micro', [setting.paths.programs / 'bench-micro',
                                 '--benchmark_format=json',
                                 f'--benchmark_min_time={SECONDS[setting.profile]}'],
                 setting.paths.work) as process:
        process.finish(120)
        measured = json.loads(process.out.read_text())['benchmarks']
    return [{'name': each['name'].removesuffix('/real_time').removesuffix('/manual_time'),
             'ns': each['real_time'], 'items_per_second': each.get('items_per_second')}
            for each in measured]
