#!/usr/bin/env python3
"""plugin-sdk/python/trigger_service.py, through pipes.

    SDK=plugin-sdk/python python_test.py
"""
import array
import base64
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import termios
import time
import unittest

from host import LONGEST, Host

HERE = pathlib.Path(__file__).resolve().parent
SDK = os.environ.setdefault("SDK", str(HERE.parents[2] / "plugin-sdk/python"))
sys.path.insert(0, SDK)
from trigger_service import Properties  # noqa: E402


def host(kind="everything", **rest):
    return Host([sys.executable, "-B", str(HERE / "service.py"), kind], PYTHONUNBUFFERED="", **rest)


class Pipes(unittest.TestCase):
    maxDiff = None

    def ready(self, made):
        """Past what `start` writes."""
        self.assertEqual(made.read(), {"type": "log", "level": "debug", "text": "starting"})
        self.assertEqual(made.read()["text"], "start cannot wait")
        self.assertEqual(made.read(), {"type": "ready", "name": "everything", "version": "1.2.0"})
        self.assertEqual(made.read(), {"type": "metric", "name": "starts_total", "add": 1,
                                       "kind": "counter", "help": "Starts."})
        self.assertEqual(made.read()["topic"], "early")

    def verdict(self, made, token, verdict, **members):
        self.assertEqual(made.read(), {"type": "verdict", "token": token, "verdict": verdict,
                                       **members})

    def ends(self, made):
        made.stop()
        self.assertEqual(made.read(), {"type": "log", "level": "info", "text": "stopped"})
        self.assertEqual(made.rest(), [])
        self.assertEqual(made.exit_code(), 0)
        self.assertIn("run has returned\n", made.error_text())

    def test_it_is_ready_and_ends_at_stop(self):
        with host() as made:
            self.ready(made)
            made.write(type="stop")  # without the end of its input
            self.assertEqual(made.read()["text"], "stopped")
            self.assertIsNone(made.read())
            self.assertEqual(made.exit_code(), 0)

    def test_it_ends_with_its_input(self):
        with host() as made:
            self.ready(made)
            made.close_input()
            self.assertEqual(made.read()["text"], "stopped")
            self.assertEqual(made.exit_code(), 0)

    def test_an_input_that_ends_before_start_is_an_error(self):
        with host(begin=False) as made:
            made.close_input()
            self.assertEqual(made.rest(), [])
            self.assertEqual(made.exit_code(), 1)
            self.assertIn("ended before start", made.error_text())

    def test_a_start_that_fails_says_why(self):
        with host(settings={"fail": "no such limit"}) as made:
            self.assertEqual([read.get("text") for read in made.rest()],
                             ["starting", "start failed: no such limit"])
            self.assertEqual(made.exit_code(), 1)

    def test_a_message_has_its_members(self):
        with host(settings={"limit": 80}) as made:
            self.ready(made)
            made.message("17", "members", "21.5 \u20ac", retained=True, duplicate=True, attempt=3,
                         properties={"content_type": "text/plain", "response_topic": "r",
                                     "correlation_data_base64": "/w==", "payload_format": 1,
                                     "message_expiry": 60, "user": [["a", "1"], ["a", "2"]],
                                     "later": 1}, later=[])
            properties = Properties("text/plain", "r", b"\xff", 1, 60, (("a", "1"), ("a", "2")))
            self.verdict(made, "17", "reject", reason=repr(
                ("17", "id-17", "members", "21.5 \u20ac".encode(), 1, True, True, 3, 1764490000123,
                 True, properties, "alarms", "plant", 2, 4, {"limit": 80})))
            made.message("18", "members", payload_base64="AP8=")
            self.assertIn(repr(b"\x00\xff") + ", 1, False, False, 1, 1764490000123, True, None",
                          made.read()["reason"])

    def test_each_verdict(self):
        with host() as made:
            self.ready(made)
            for payload, members in {
                    "ok": {"verdict": "ok"},
                    "retry": {"verdict": "retry", "reason": "later"},
                    "retry_after": {"verdict": "retry", "reason": "soon", "retry_after_ms": 1500},
                    "reject": {"verdict": "reject", "reason": "never"},
                    "unavailable": {"verdict": "unavailable", "reason": "away",
                                    "retry_after_ms": 250},
                    "nothing": {"verdict": "retry",
                                "reason": "the service returned NoneType, not a verdict"}}.items():
                made.message(payload, "verdict", payload)
                self.verdict(made, payload, **members)
            self.ends(made)

    def test_an_exception_is_a_retry_with_its_text(self):
        with host() as made:
            self.ready(made)
            made.message("1", "raises")
            trace = made.read()
            self.assertEqual((trace["type"], trace["level"]), ("log", "warn"))
            self.assertIn("in raises", trace["text"])
            self.verdict(made, "1", "retry", reason="the disk is full")

    def test_ok_publishes(self):
        with host() as made:
            self.ready(made)
            made.message("1", "publishing")
            self.verdict(made, "1", "ok", publish=[
                {"topic": "a", "qos": 1, "retain": False, "payload": "text"},
                {"topic": "b", "qos": 0, "retain": True, "payload_base64": "/wA="},
                {"topic": "c", "qos": 1, "retain": False, "payload": "",
                 "properties": {"user": [["unit", "C"]], "correlation_data_base64": "AQ=="}}])
            made.message("2", "reply", properties={"response_topic": "back",
                                                   "correlation_data_base64": "/w=="})
            self.verdict(made, "2", "ok", publish=[
                {"topic": "back", "qos": 1, "retain": False, "payload": "42",
                 "properties": {"correlation_data_base64": "/w=="}}])
            made.message("3", "too_much")
            too_much = made.read()
            self.assertEqual((too_much["token"], too_much["verdict"]), ("3", "reject"))
            self.assertIn("too many for one line", too_much["reason"])

    def test_payloads_go_through_whatever_they_are(self):
        with host() as made:
            self.ready(made)
            for payload in ("", "\0\n\r\u2028\U0001f600\"\\", "x" * (1 << 20)):
                made.message("1", "echo", payload)
                self.assertEqual(made.read(), {"type": "publish", "topic": "echo", "qos": 2,
                                               "retain": True, "alias": "other",
                                               "payload": payload})
                self.verdict(made, "1", "ok")
            binary = base64.b64encode(bytes(range(256)) * 4096).decode()
            made.message("2", "echo", payload_base64=binary, properties={"user": [["k", "v"]]})
            echo = made.read()
            self.assertEqual(echo["payload_base64"], binary)
            self.assertEqual(echo["properties"], {"user": [["k", "v"]]})
            self.verdict(made, "2", "ok")

    def test_it_waits_for_what_it_publishes(self):
        with host() as made:
            self.ready(made)
            for answer, verdict in {
                    (True, ""): {"verdict": "ok"},
                    (False, "not_connected"): {"verdict": "unavailable",
                                               "reason": "not_connected: why"},
                    (False, "full"): {"verdict": "unavailable", "reason": "full: why",
                                      "retry_after_ms": 100},
                    (False, "invalid"): {"verdict": "reject", "reason": "invalid: why"},
                    (False, "failed"): {"verdict": "retry", "reason": "failed: why"}}.items():
                made.message("1", "wait", "p")
                sent = made.read()
                self.assertEqual((sent["type"], sent["topic"], sent["payload"]),
                                 ("publish", "waited", "p"))
                made.write(type="published", id=sent["id"], ok=answer[0], error=answer[1],
                           reason="why")
                read = made.read()
                if not answer[0]:
                    self.assertEqual(read["level"], "debug")
                    read = made.read()
                self.assertEqual(read, {"type": "verdict", "token": "1", **verdict})
            made.message("2", "wait_in_callback")
            made.write(type="published", id=made.read()["id"], ok=True)
            self.assertIn("it would wait for itself", made.read()["reason"])
            made.message("3", "wait_briefly")
            late = made.read()["id"]
            self.assertEqual(made.read()["level"], "debug")
            self.verdict(made, "3", "retry", reason="failed: no answer within 0.001 s")
            made.write(type="published", id=late, ok=True)
            made.message("4", "wait")
            made.read()
            made.close_input()  # the answer does not come
            self.assertEqual(made.read()["level"], "debug")
            self.verdict(made, "4", "retry", reason="cancelled: standard input has ended")
            self.assertEqual(made.read()["text"], "stopped")
            self.assertEqual(made.exit_code(), 0)

    def test_several_in_hand_get_their_verdicts_out_of_order(self):
        with host() as made:
            self.ready(made)
            for token in "ab":
                made.message(token, "hold", token)
            for token in "ba":
                made.message("r" + token, "release", token)
                self.verdict(made, token, "reject", reason="held")
                self.assertEqual(made.read()["text"], "True False")
                self.verdict(made, "r" + token, "ok")
            self.ends(made)

    def test_a_dropped_completion_is_a_retry(self):
        with host() as made:
            self.ready(made)
            made.message("1", "drop")
            self.verdict(made, "1", "retry", reason="the service dropped it without a verdict")

    def test_an_expired_message_is_answered_all_the_same(self):
        with host() as made:
            self.ready(made)
            made.message("a", "hold", "a")
            made.write(type="expired", token="a")
            made.write(type="expired", token="nobody's")
            made.message("b", "release", "a")
            self.verdict(made, "a", "reject", reason="held")
            self.assertEqual(made.read()["text"], "False False")
            self.verdict(made, "b", "ok")

    def test_what_it_has_in_hand_at_stop_is_answered(self):
        with host() as made:
            self.ready(made)
            made.message("a", "hold", "a")
            made.message("b", "wait")
            sent = made.read()
            made.write(type="stop")
            made.write(type="published", id=sent["id"], ok=True)
            self.verdict(made, "b", "ok")
            self.assertEqual(made.read()["text"], "stopped")
            made.process.send_signal(signal.SIGTERM)  # nobody will answer "a": it ends at once
            self.assertEqual(made.rest(), [])
            self.assertEqual(made.exit_code(), 128 + signal.SIGTERM)

    def test_what_is_deferred_at_stop_is_awaited(self):
        with host() as made:
            self.ready(made)
            made.message("1", "wait_elsewhere")
            sent = made.read()
            made.write(type="stop")
            self.assertEqual(made.read()["text"], "stopped")
            made.write(type="published", id=sent["id"], ok=True)
            self.verdict(made, "1", "ok")
            self.assertEqual(made.exit_code(), 0)

    def test_nothing_can_be_waited_for_once_its_input_has_ended(self):
        with host(settings={"last words": True}) as made:
            self.ready(made)
            made.close_input()
            self.assertEqual([read.get("text") for read in made.rest()],
                             ["stopped", "cancelled: standard input has ended"])
            self.assertEqual(made.exit_code(), 0)

    def test_extend(self):
        with host() as made:
            self.ready(made)
            made.message("1", "extend")
            self.assertEqual(made.read(), {"type": "extend", "token": "1", "ms": 60000})
            self.verdict(made, "1", "ok")

    def test_metrics(self):
        with host() as made:
            self.ready(made)
            made.message("1", "metric")
            known = {"type": "metric", "name": "readings_total", "kind": "counter"}
            self.assertEqual(made.read(), {**known, "add": 1, "help": "Readings."})
            self.assertEqual(made.read(), {**known, "add": 2})
            self.assertEqual(made.read(), {"type": "metric", "name": "level", "kind": "gauge",
                                           "add": -0.5})
            self.verdict(made, "1", "ok")

    def test_logs(self):
        with host() as made:
            self.ready(made)
            made.message("1", "log")
            self.assertEqual(made.read(), {"type": "log", "level": "warn",
                                           "text": "half ? of a pair, and \u20ac\n"})
            self.verdict(made, "1", "ok")

    def test_what_is_printed_goes_to_standard_error(self):
        with host() as made:
            self.ready(made)
            made.message("1", "printing")
            self.verdict(made, "1", "ok")
            self.ends(made)
            for words in ("printed while it is loaded", "stray", "by number", "by a child"):
                self.assertIn(words + "\n", made.error_text())

    def test_lines_that_are_wrong_change_nothing(self):
        with host(begin=False) as made:
            made.message("0", "verdict", "ok")  # before start
            made.write(type="start", protocol=1)
            self.ready(made)
            made.raw(b"no JSON\n\n{\n[1]\n\"text\"\n\xff\xfe\n{\"type\":5}\n{\"type\":\"later\"}\n")
            made.raw(b"[" * 100000 + b"\n")
            made.write(type="published", id="of nobody", ok=True)
            made.write(type="message", topic="without a token")
            made.message("1", "verdict", payload_base64="YQ!==")
            self.assertIn("the service cannot read it", made.read()["reason"])
            made.message("2", "verdict", "ok")
            self.verdict(made, "2", "ok")
            self.ends(made)
            self.assertIn("a message before start", made.error_text())
            self.assertIn("no JSON", made.error_text())
            self.assertNotIn("later", made.error_text())

    def test_lines_arrive_in_any_pieces(self):
        with host() as made:
            self.ready(made)
            made.raw(b'{"type":"message","token":"1","topic":"verd')
            made.raw(b'ict","payload":"ok","timeout_ms":9}\n{"type":"message","token":"2",')
            self.verdict(made, "1", "ok")
            made.raw(b'"topic":"verdict","payload":"reject"}\n')
            self.verdict(made, "2", "reject", reason="never")

    def test_a_signal_lets_it_finish_what_it_has(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with host() as made:
                self.ready(made)
                made.message("1", "wait_for_signal")
                self.assertEqual(made.read()["text"], "waiting")
                made.process.send_signal(number)
                self.verdict(made, "1", "ok")
                self.assertEqual(made.read()["text"], "stopped")
                self.assertEqual(made.exit_code(), 0)

    def test_a_signal_ends_it_while_it_waits(self):
        with host() as made:
            self.ready(made)
            made.process.send_signal(signal.SIGTERM)
            self.assertEqual(made.read()["text"], "stopped")
            self.assertEqual(made.exit_code(), 0)

    def test_the_second_signal_ends_a_service_that_hangs(self):
        with host() as made:
            self.ready(made)
            made.message("1", "hang")
            self.assertEqual(made.read()["text"], "hanging")
            made.process.send_signal(signal.SIGTERM)
            made.process.send_signal(signal.SIGINT)
            self.assertEqual(made.rest(), [])
            self.assertIn(made.exit_code(), (128 + signal.SIGINT, 128 + signal.SIGTERM))

    def test_the_second_signal_tears_no_line(self):
        for is_read in (False, True):
            with self.subTest(is_read=is_read), subprocess.Popen(
                    [sys.executable, "-B", str(HERE / "service.py"), "everything"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL) as process:
                self.addCleanup(process.kill)
                for line in (b'{"type":"start"}\n', b'{"type":"message","token":"1",'
                                                   b'"topic":"flood","payload":""}\n'):
                    process.stdin.write(line)
                process.stdin.flush()
                while b'"waiting"' not in process.stdout.readline():
                    pass
                process.send_signal(signal.SIGTERM)
                waits = array.array("i", [0])
                while waits[0] == 0:  # until it has begun to write more than the pipe takes
                    time.sleep(0.001)
                    fcntl.ioctl(process.stdout, termios.FIONREAD, waits)
                process.send_signal(signal.SIGTERM)
                if not is_read:
                    self.assertEqual(process.wait(LONGEST), 128 + signal.SIGTERM)
                written = process.stdout.read()
                self.assertEqual(process.wait(LONGEST), 128 + signal.SIGTERM)
                every = b"".join(json.dumps({"type": "log", "level": "info", "text": text},
                                            separators=(",", ":")).encode() + b"\n"
                                 for text in ("x" * (1 << 20), "after it"))
                self.assertGreater(len(written), 0)
                self.assertTrue(every.startswith(written), written[-200:])

    def test_a_host_that_goes_away_ends_it(self):
        with subprocess.Popen([sys.executable, "-B", str(HERE / "service.py"), "everything"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            process.stdin.write(b'{"type":"start"}\n')
            process.stdin.flush()
            process.stdout.readline()
            process.stdout.close()
            process.stdin.write(b'{"type":"message","token":"1","topic":"log","payload":""}\n')
            process.stdin.close()
            self.assertEqual(process.wait(LONGEST), 0)

    def test_batches(self):
        with host("batches") as made:
            self.ready(made)
            made.write(type="batch", messages=[Host.of(token, "any", token) for token in "abc"])
            self.verdict(made, "a", "reject", reason="a")
            self.verdict(made, "b", "reject", reason="b")
            made.message("d", "release", "last")
            self.verdict(made, "c", "reject", reason="held")
            self.assertEqual(made.read()["text"], "True False")
            self.verdict(made, "d", "ok")
            made.write(type="batch", messages=[Host.of(token, "any", "raise") for token in "ab"])
            self.assertEqual(made.read()["type"], "log")
            for token in "ab":
                self.verdict(made, token, "unavailable", reason="not_connected: cut off")
            made.write(type="batch", messages=[Host.of(token, "any", "short") for token in "ab"])
            for token in "ab":
                self.verdict(made, token, "retry",
                             reason="handle_batch did not return one verdict for each message")

    def test_a_batch_for_a_service_without_handle_batch(self):
        with host() as made:
            self.ready(made)
            made.write(type="batch", messages=[Host.of("1", "verdict", "ok"),
                                               Host.of("2", "verdict", "reject")])
            self.verdict(made, "1", "ok")
            self.verdict(made, "2", "reject", reason="never")

    def test_coroutines_have_several_in_hand(self):
        with host("concurrent") as made:
            self.assertEqual(made.read(), {"type": "ready"})
            made.message("1", "wait")
            self.assertEqual(made.read()["text"], "waiting")
            made.message("2", "raise")
            self.assertEqual(made.read()["level"], "warn")
            self.verdict(made, "2", "retry", reason="in a task")
            made.message("3", "publish", "p")
            made.write(type="published", id=made.read()["id"], ok=True)
            self.verdict(made, "3", "ok")
            made.message("late", "publish briefly")
            late = made.read()["id"]
            self.assertEqual(made.read()["level"], "debug")
            self.verdict(made, "late", "retry", reason="failed: no answer within 0.001 s")
            made.write(type="published", id=late, ok=True)
            made.write(type="batch", messages=[Host.of("4", "wait"), Host.of("5", "go")])
            made.write(type="stop")
            self.assertEqual(made.read()["text"], "waiting")
            verdicts = [made.read() for _ in range(3)]
            self.assertEqual({read["token"] for read in verdicts}, {"1", "4", "5"})
            self.assertEqual({read["verdict"] for read in verdicts}, {"ok"})
            self.assertEqual(made.read()["text"], "stopped")
            made.close_input()
            while (read := made.read())["type"] == "publish":
                pass  # unless it has seen the end before
            self.assertEqual(read["text"], "cancelled: standard input has ended")
            self.assertEqual(made.exit_code(), 0)
            self.assertNotIn("ignored a line", made.error_text())

    def test_a_signal_and_coroutines(self):
        with host("concurrent") as made:
            self.assertEqual(made.read(), {"type": "ready"})
            made.message("1", "wait")
            self.assertEqual(made.read()["text"], "waiting")
            made.process.send_signal(signal.SIGTERM)
            made.process.send_signal(signal.SIGINT)
            self.assertIn(made.exit_code(), (128 + signal.SIGINT, 128 + signal.SIGTERM))

    def test_a_function_is_a_service(self):
        with host("function") as made:
            self.assertEqual(made.read(), {"type": "ready"})
            made.message("1", "any")
            self.assertEqual(made.read()["text"], "a function")
            self.verdict(made, "1", "ok")
            made.stop()
            self.assertEqual(made.exit_code(), 0)


if __name__ == "__main__":
    unittest.main()
