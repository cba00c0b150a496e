"""What a service in Python counts: the same figures, to the same precision, as npm/arrivals.js."""

import json
import math
import time

STAMP_DIGITS = 20
PART_BITS = 7


class Arrivals:
    def __init__(self, latency):
        self._latency = latency
        self._received = 0
        self._counts = {}
        self._max = 0

    def add(self, payload):
        """The empty callback, but for what was asked for. `payload` is bytes."""
        self._received += 1
        if not self._latency or len(payload) < 2 * STAMP_DIGITS + 1:
            return
        if payload[STAMP_DIGITS] != 0x20:
            return
        try:
            sent = int(payload[:STAMP_DIGITS])
        except ValueError:
            return
        took = max(0, time.monotonic_ns() - sent)  # CLOCK_MONOTONIC
        self._max = max(self._max, took)
        part = _part_size(took)
        lowest = took // part * part
        self._counts[lowest] = self._counts.get(lowest, 0) + 1

    def percentiles(self):
        ordered = sorted(self._counts.items())
        count = sum(number for _, number in ordered)

        def at(share):
            below = 0
            for lowest, number in ordered:
                below += number
                if below >= math.ceil(share * count):
                    return min(self._max, lowest + _part_size(lowest) // 2)
            return 0

        return {'count': count, 'p50': at(0.5), 'p90': at(0.9), 'p99': at(0.99),
                'p999': at(0.999), 'max': self._max}

    def line(self):
        said = {'received': self._received}
        if self._latency:
            said['latency_ns'] = self.percentiles()
        return json.dumps(said)


def _part_size(ns):
    """Each power of two is cut into 128 equal parts."""
    return 1 << max(0, ns.bit_length() - 1 - PART_BITS)
