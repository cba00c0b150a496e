#!/usr/bin/env python3
"""docs/guides/pacing.md at work: the trigger that it shows hands its messages out no sooner and no
faster than the page says, and triggerctl says so. What is measured are lower bounds of time.

    pacing.py TREE TRIGGERD TRIGGERCTL PLUGINS MOSQUITTO
"""
import os
import pathlib
import re
import shlex
import shutil
import sys
import tempfile
import time
import unittest

from scene import Processes, Subscriber, eventually, publish, run

TREE, TRIGGERD, TRIGGERCTL, PLUGINS, MOSQUITTO = (pathlib.Path(argument).resolve()
                                                  for argument in sys.argv[1:6])
PAGE = (TREE / "docs/guides/pacing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(toml|sh|yaml)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DELAY, INTERVAL, TOLERANCE = 0.5, 0.2, 0.01  # seconds


class PacingGuideTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def test_the_trigger_does_what_the_page_says(self):
        (whole,) = [text for kind, text in BLOCKS if kind == "toml"]
        self.assertIn('max_rate = "5/s"\ndelay = "500ms"\n', whole)
        script, commands = [text for kind, text in BLOCKS if kind == "sh"]
        (loop,) = re.findall(r"^for n in (.*); do mosquitto_pub -q 1 -t (\S+) -m \"(.*) \$n\"; done$",
                             script, re.MULTILINE)
        numbers, topic, word = loop
        heard = re.findall(r"^# (texts/\S+ alarm \d+)", script, re.MULTILINE)
        self.assertEqual(len(heard), 2)
        scene = Processes(self.folder)
        try:
            port = scene.start_mosquitto(MOSQUITTO)
            (self.folder / "triggers.toml").write_text(
                whole.replace("127.0.0.1:1883", f"127.0.0.1:{port}") +
                f'\n[runtime]\nplugin_dirs = ["{PLUGINS}"]\n[admin]\nlisten = "127.0.0.1:0"\n',
                encoding="utf-8")
            subscriber = eventually("the server", lambda: Subscriber(port, "texts/#"))
            self.addCleanup(subscriber.close)
            scene.start("triggerd", TRIGGERD, "--config", "triggers.toml",
                        env={**os.environ, "MQTT_HOST": ""})
            eventually("runtime.ready", lambda: "runtime.ready" in scene.log("triggerd"))
            payloads = [f"{word} {number}" for number in numbers.split()]
            began = time.monotonic()
            publish(port, topic, *payloads)
            got = []
            for number in range(len(payloads)):
                got.append(subscriber.next())
                self.assertGreaterEqual(time.monotonic() - began,
                                        DELAY + number * INTERVAL - TOLERANCE, got)
            self.assertEqual(got, [f"texts/boiler {payload}" for payload in payloads])
            self.assertEqual(got[:2], heard)
            (socket,) = self.folder.glob("*/admin.sock")
            match, show, test = [run(TRIGGERCTL, *shlex.split(line)[1:], "--socket", socket,
                                     cwd=self.folder) for line in commands.splitlines()]
            self.assertRegex(match, "texts +yes .* at most 5/s, 500ms after receipt")
            self.assertRegex(show, "pace +at most 5/s, 500ms after receipt")
            self.assertRegex(test, r"pace +at most 5/s, 500ms after receipt \(not for this test\)")
            self.assertRegex(test, "verdict +ok")
        except AssertionError:
            print(scene.log("triggerd"), file=sys.stderr)
            raise
        finally:
            scene.stop()

    def test_the_alert_is_about_a_metric_that_there_is(self):
        (alert,) = [text for kind, text in BLOCKS if kind == "yaml"]
        (name,) = re.findall(r"rate\((\w+)\[", alert)
        metrics = (TREE / "docs/reference/metrics.md").read_text(encoding="utf-8")
        self.assertIn(f"| `{name}` | counter |", metrics)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
