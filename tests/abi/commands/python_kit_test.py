#!/usr/bin/env python3
"""The TestHost of plugin-sdk/python/trigger_service.py, and what its words refuse.

    SDK=plugin-sdk/python python_kit_test.py
"""
import asyncio
import inspect
import os
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SDK = os.environ.setdefault("SDK", str(HERE.parents[2] / "plugin-sdk/python"))
sys.path.insert(0, SDK)
from trigger_service import (Message, Properties, Publish, PublishError, SettingError,  # noqa: E402
                             TestHost, ok, reject, retry, unavailable)


class Kit(unittest.TestCase):
    """TestHost."""

    def test_everything_that_a_service_does_is_seen(self):
        class All:
            def start(self, context):
                self.context = context
                context.settings.require_known("limit")

            def handle(self, message: Message):
                self.context.log("info", message.text())
                self.context.metric("seen_total", 2)
                message.extend(5)
                self.context.publish_wait("copy", message.payload)
                return ok(publish=[Publish("more", b"\xff")])

            def handle_batch(self, messages):
                return [reject(message.topic) for message in messages]

        with TestHost(All, settings={"limit": 1}) as made:
            verdict = made.send("t", "text", attempt=2, properties=Properties(user=[("a", "b")]))
            self.assertEqual(verdict, ok(publish=[Publish("more", b"\xff")]))
            self.assertEqual(made.published, [Publish("copy", "text"), Publish("more", b"\xff")])
            self.assertEqual(made.logs, [("info", "text")])
            self.assertEqual(made.metrics, {"seen_total": 2})
            self.assertEqual(made.extended, [("1", 5)])
            made.refuse_publishes("full", "wait")
            self.assertEqual(made.send("t", "x"), unavailable("full: wait", after=0.1))
            made.accept_publishes()
            self.assertEqual(made.send("t", "x").verdict, "ok")
            self.assertEqual(made.send_batch([{"topic": "a"}, {"topic": "b"}]),
                             [reject("a"), reject("b")])
        with self.assertRaisesRegex(SettingError, 'unknown; did you mean "limit"'):
            TestHost(All, settings={"limitt": 1})

    def test_ok_whose_publish_fails_has_the_verdict_of_exec(self):
        with TestHost(lambda message: ok(publish=[Publish("a")])) as made:
            for error, verdict in {
                    "failed": retry("failed: why"),
                    "state": retry("state: why"),
                    "cancelled": retry("cancelled: why"),
                    "not_connected": unavailable("not_connected: why"),
                    "full": unavailable("full: why", after=0.1),
                    "invalid": reject("invalid: why"),
                    "not_found": reject("not_found: why"),
                    "unsupported": reject("unsupported: why")}.items():
                made.refuse_publishes(error, "why")
                self.assertEqual(made.send(), verdict)
            self.assertEqual(made.published, [])

    def test_it_waits_half_a_minute(self):
        for function in (TestHost.send, TestHost.send_batch, TestHost.verdict):
            self.assertEqual(inspect.signature(function).parameters["timeout"].default, 30)

    def test_stop_cannot_wait_for_a_publish(self):
        words = []

        class Last:
            def start(self, context):
                self.context = context

            def handle(self, message):
                return ok()

            def stop(self):
                try:
                    self.context.publish_wait("a")
                except PublishError as error:
                    words.append(error.error)

        with TestHost(Last) as made:
            self.assertEqual(made.send(), ok())
        self.assertEqual((words, made.published), (["cancelled"], []))

    def test_an_exception_is_seen_in_the_log(self):
        with TestHost(lambda message: {}["no such key"]) as made:
            self.assertEqual(made.send(), retry("'no such key'"))
            self.assertEqual([level for level, _ in made.logs], ["warn"])
            self.assertIn("Traceback", made.logs[0][1])

    def test_pending(self):
        held = []
        with TestHost(lambda message: held.append(message.defer())) as made:
            first, second = made.post(), made.post()
            self.assertTrue(made.pending(first))
            with self.assertRaises(TimeoutError):
                made.verdict(first, timeout=0)
            made.expire(second)
            self.assertTrue(held[0].complete(ok()))
            self.assertFalse(held[1].complete(ok()))
            self.assertEqual(made.verdict(first), ok())

    def test_coroutines(self):
        class Two:
            async def start(self, context):
                self.context, self.both = context, asyncio.Event()

            async def handle(self, message):
                await self.context.publish_async("a", message.payload)
                if message.topic == "second":
                    self.both.set()
                await self.both.wait()
                return ok()

        with TestHost(Two, in_flight=2) as made:
            first, second = made.post("first"), made.post("second")
            self.assertEqual([made.verdict(first), made.verdict(second)], [ok(), ok()])
            self.assertEqual(len(made.published), 2)
            made.refuse_publishes()
            self.assertEqual(made.send("second"), unavailable("not_connected"))


class Words(unittest.TestCase):
    def test_settings_have_types(self):
        read = []

        class Reads:
            def start(self, context):
                read.append(context.settings)

            def handle(self, message):
                return ok()

        TestHost(Reads, settings={"t": "x", "i": 3, "n": 1.5, "b": True}).stop()
        settings = read[0]
        self.assertEqual((settings.text("t"), settings.integer("i"), settings.number("i"),
                          settings.number("n"), settings.boolean("b"), settings.text("no", "d")),
                         ("x", 3, 3, 1.5, True, "d"))
        for function, key, words in ((settings.text, "i", "a string"),
                                     (settings.integer, "b", "a whole number"),
                                     (settings.integer, "n", "a whole number"),
                                     (settings.boolean, "i", "true or false")):
            with self.assertRaisesRegex(SettingError, f'setting "{key}" must be {words}'):
                function(key)
        with self.assertRaisesRegex(SettingError, '"no" is missing; it must be a number'):
            settings.number("no")

    def test_what_cannot_be_said_is_refused_at_once(self):
        for wrong in (lambda: Publish("a/+"), lambda: Publish(""), lambda: Publish("a", qos=3),
                      lambda: Publish("a", 5), lambda: retry("x", after=-1),
                      lambda: unavailable("x", after=float("inf")),
                      lambda: retry("x", after=2**32 / 1000)):
            self.assertRaises(ValueError, wrong)
        self.assertRaises(TypeError, lambda: ok(publish=["topic"]))

    def test_times_are_what_exec_takes(self):
        longest = 2**32 - 1
        lines = []
        for after in (longest / 1000, 0.0006, 0):
            with TestHost(lambda message: retry("x", after=after)) as made:
                lines.append(made.send().after)
        self.assertEqual(lines, [longest / 1000, 0.001, 0])
        held = []
        with TestHost(lambda message: held.append(message) or message.defer()) as made:
            made.post()
            for wrong in (0, -1, 2**32, float("inf"), float("nan")):
                with self.assertRaises(ValueError):
                    held[0].extend(wrong)
            held[0].extend(longest)
            held[0].extend(1.5)
            self.assertEqual([ms for _, ms in made.extended], [longest, 1])
            self.assertIsInstance(made.extended[1][1], int)

    def test_a_publish_error_knows_its_verdict(self):
        self.assertEqual(PublishError("not_found", "no alias").verdict(),
                         reject("not_found: no alias"))
        self.assertEqual(PublishError("state").verdict(), retry("state"))


if __name__ == "__main__":
    unittest.main()
