#!/usr/bin/env python3
"""docs/guides/exec.md at work: the Python service that it shows runs with the configuration that it
shows, and does with a message what the page says; the call without a server, too.

    exec.py TREE TRIGGERD TRIGGERCTL PLUGINS MOSQUITTO
"""
import os
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

from scene import Processes, Subscriber, eventually, publish, run

TREE, TRIGGERD, TRIGGERCTL, PLUGINS, MOSQUITTO = (pathlib.Path(argument).resolve()
                                                  for argument in sys.argv[1:6])
PAGE = (TREE / "docs/guides/exec.md").read_text(encoding="utf-8")


def block(language, begins=""):
    every = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = [text for text in every if text.startswith(begins)]
    return found


class ExecGuideTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "alerts.py").write_text(block("python", "# alerts.py"), encoding="utf-8")
        shutil.copy(TREE / "plugin-sdk/python/trigger_service.py", self.folder)

    def test_the_service_does_what_the_page_says(self):
        scene = Processes(self.folder)
        try:
            port = scene.start_mosquitto(MOSQUITTO)
            text = block("toml", "# triggers.toml").replace("127.0.0.1:1883", f"127.0.0.1:{port}")
            (self.folder / "triggers.toml").write_text(
                f'{text}\n[runtime]\nplugin_dirs = ["{PLUGINS}"]\n[admin]\nlisten = "127.0.0.1:0"\n',
                encoding="utf-8")
            environment = {**os.environ, "MQTT_HOST": ""}
            said, heard = re.search(r"^mosquitto_pub .* -t (\S+ -m \S+) +# (.*)$", PAGE,
                                    re.MULTILINE).groups()
            topic, _, payload = said.split()
            self.assertIn("triggers.toml: ok: 1 alias, 1 trigger",
                          run(TRIGGERD, "--config", "triggers.toml", "--check", cwd=self.folder))
            subscriber = eventually("the server", lambda: Subscriber(port, "alerts/#"))
            self.addCleanup(subscriber.close)
            scene.start("triggerd", TRIGGERD, "--config", "triggers.toml", env=environment)
            eventually("runtime.ready", lambda: "runtime.ready" in scene.log("triggerd"))
            publish(port, topic, "79", payload)
            self.assertEqual(subscriber.next(), heard)

            changed = (self.folder / "alerts.py").read_text(encoding="utf-8")
            (self.folder / "alerts.py").write_text(changed.replace('"alerts/"', '"alerts/new/"'),
                                                   encoding="utf-8")
            eventually("the change", lambda: "is in service" in scene.log("triggerd"))
            publish(port, topic, payload)
            self.assertEqual(subscriber.next(), heard.replace("alerts/", "alerts/new/", 1))
        except AssertionError:
            print(scene.log("triggerd"), file=sys.stderr)
            raise
        finally:
            scene.stop()

    def test_the_call_without_a_server(self):
        command = block("sh", "triggerctl plugin run").replace("\\\n", " ")
        command = command.replace("/usr/lib/triggerd/plugins", str(PLUGINS))
        command = command.replace("triggerctl", str(TRIGGERCTL), 1)
        printed = run("sh", "-c", command, cwd=self.folder)
        self.assertIn('alerts/plant/boiler  qos 1  "81.5"', printed)
        self.assertRegex(printed, r"verdict  ok")

    def test_every_setting_is_on_the_page(self):
        source = (TREE / "plugins/exec/settings.cpp").read_text(encoding="utf-8")
        (known,) = re.findall(r"require_known\(\{(.*?)\}\)", source, re.DOTALL)
        names = re.findall(r'"(\w+)"', known)
        self.assertGreater(len(names), 10)
        for name in names:
            self.assertRegex(PAGE, rf"(?m)^\| `{name}` \|")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
