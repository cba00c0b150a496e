"""The service without a server and without triggerd."""
from __future__ import annotations

import unittest

from service import Sum
from trigger_service import Publish, SettingError, TestHost, ok, reject, unavailable


class SumTest(unittest.TestCase):
    def test_adds_and_publishes(self) -> None:
        with TestHost(Sum, settings={"topic": "sums", "every": 2}) as host:
            self.assertEqual(host.send("n", "20"), ok())
            self.assertEqual(host.published, [])
            self.assertEqual(host.send("n", "22"), ok())
            self.assertEqual(host.published, [Publish("sums", "42")])
            self.assertEqual(host.metrics["numbers_total"], 2)

    def test_what_is_no_number_is_not_tried_again(self) -> None:
        with TestHost(Sum, settings={"topic": "sums"}) as host:
            wrong = reject("the payload must be a whole number of at most 12 digits")
            for payload in ("", "4 2", "0x2a", "1000000000000", "1\n", b"\xff"):
                self.assertEqual(host.send("n", payload), wrong, payload)

    def test_a_number_counts_once_however_often_it_comes(self) -> None:
        with TestHost(Sum, settings={"topic": "sums", "every": 2}) as host:
            host.send("n", "20")
            host.refuse_publishes("not_connected", "cut off")
            self.assertEqual(host.send("n", "22"), unavailable("not_connected: cut off"))
            self.assertEqual(host.metrics["numbers_total"], 1)
            host.accept_publishes()
            self.assertEqual(host.send("n", "22", attempt=2), ok())
            self.assertEqual(host.published, [Publish("sums", "42")])
            self.assertEqual(host.metrics["numbers_total"], 2)

    def test_a_batch_has_a_verdict_for_each(self) -> None:
        with TestHost(Sum, settings={"topic": "sums", "every": 2}) as host:
            verdicts = host.send_batch([{"payload": "1"}, {"payload": "x"}, {"payload": "3"}])
            self.assertEqual([one.verdict for one in verdicts], ["ok", "reject", "ok"])
            self.assertEqual(host.published, [Publish("sums", "4")])

    def test_wrong_settings_are_named(self) -> None:
        for settings, words in (({}, '"topic" is missing; it must be a string'),
                                ({"topic": "t", "every": 0}, '"every" must be 1 or more'),
                                ({"topic": "t", "evry": 1}, 'did you mean "every"')):
            with self.assertRaisesRegex(SettingError, words):
                TestHost(Sum, settings=settings)


if __name__ == "__main__":
    unittest.main()
