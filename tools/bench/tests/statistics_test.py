"""What is made of the figures."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import report, statistics  # noqa: E402


class Summary(unittest.TestCase):
    def test_is_of_the_repetitions_that_have_a_figure(self):
        made = statistics.summary([30, None, 10, 20])
        self.assertEqual((made['median'], made['min'], made['max']), (20, 10, 30))
        self.assertEqual(made['repetitions'], 3)
        self.assertIsNone(statistics.summary([None, None]))

    def test_marks_noise(self):
        self.assertFalse(statistics.summary([100, 90, 110])['noisy'])
        self.assertTrue(statistics.summary([100, 80, 110])['noisy'])
        self.assertTrue(report.entry(statistics.summary([100, 80, 110]), 'us').startswith('~'))


class Ratios(unittest.TestCase):
    def test_are_of_figures_from_one_repetition(self):
        # The machine was twice as fast in the second one: the ratio does not see it.
        made = statistics.ratios([100, 200, 110], [50, 100, 55])
        self.assertEqual((made['median'], made['min'], made['max']), (2, 2, 2))

    def test_above_one_is_better_whatever_is(self):
        self.assertEqual(statistics.ratios([10], [20], 'lower')['median'], 2)
        self.assertEqual(statistics.ratios([10], [20], 'higher')['median'], 0.5)

    def test_leave_out_what_failed(self):
        self.assertEqual(statistics.ratios([10, None, 30], [10, 10, None])['repetitions'], 1)
        self.assertIsNone(statistics.ratios([1], [0]))


class Latency(unittest.TestCase):
    def test_percentiles_are_values_that_were_seen(self):
        made = statistics.latency_of(range(1000, 0, -1))
        self.assertEqual((made['p50'], made['p99'], made['p999']), (500000, 990000, 999000))
        self.assertEqual((made['count'], made['max']), (1000, 1000000))
        self.assertEqual(statistics.latency_of([]), {'count': 0})


def compared(guarantee, rival_guarantee, ratios):
    """A scenario of one cell: one of our modes, and one rival."""
    return [{'scenario': 's', 'cells': [{
        'cell': 'c', 'title': 'c', 'group': 'g', 'settings': {'qos': 1},
        'metrics': [{'name': 'rate', 'title': 'rate', 'unit': 'messages/s', 'better': 'higher'}],
        'results': [
            {'contender': 'm', 'title': 'M', 'guarantee': guarantee, 'ours': True, 'ratios': {}},
            {'contender': 'r', 'title': 'R', 'guarantee': rival_guarantee, 'ours': False,
             'ratios': {'m': {'rate': statistics.summary(ratios)}}}]}]}]


class Ahead(unittest.TestCase):
    def test_names_who_is_ahead_and_whether_it_is_sure(self):
        found = report.ahead(compared('at once', 'at once', [0.9, 0.8, 1.1]))
        self.assertEqual([(each['rival'], each['sure'], each['same_guarantee'])
                          for each in found], [('R', False, True)])
        self.assertTrue(report.ahead(compared('at once', 'at once', [0.9, 0.8, 0.7]))[0]['sure'])
        self.assertEqual(report.ahead(compared('at once', 'at once', [1.1, 0.8, 1.2])), [])

    def test_compares_with_what_promises_no_less(self):
        more = report.ahead(compared('when handled or on disk', 'at once', [0.5]))
        self.assertFalse(more[0]['same_guarantee'])
        self.assertEqual(report.ahead(compared('at once', 'when handled', [0.5])), [])


if __name__ == '__main__':
    unittest.main()
