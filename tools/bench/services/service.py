"""The service in Python that stands for an empty callback, run by the plugin `exec`.

    python3 service.py --report FILE [--latency]

Each process of it adds a line to FILE at its end."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / 'plugin-sdk/python'))
# pylint: disable=wrong-import-position
from arrivals import Arrivals
from trigger_service import Service, ok, run


class Bench(Service):
    def __init__(self, report, latency):
        self._report = report
        self._arrivals = Arrivals(latency)

    def handle(self, message):
        self._arrivals.add(message.payload)
        return ok()

    def stop(self):
        with open(self._report, 'a', encoding='ascii') as file:
            file.write(self._arrivals.line() + '\n')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--report', required=True)
    parser.add_argument('--latency', action='store_true')
    chosen = parser.parse_args()
    run(Bench(chosen.report, chosen.latency))


if __name__ == '__main__':
    main()
