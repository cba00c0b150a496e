#!/usr/bin/env python3
"""docs/guides/outbox.md at work: what the page publishes is kept while the second server is away,
triggerctl says what the page says, and the server gets it once it is there.

    outbox.py TREE TRIGGERD TRIGGERCTL PLUGINS MOSQUITTO
"""
import pathlib
import re
import shlex
import shutil
import sys
import tempfile
import unittest

from scene import Processes, eventually, free_port, publish, run

TREE, TRIGGERD, TRIGGERCTL, PLUGINS, MOSQUITTO = (pathlib.Path(argument).resolve()
                                                  for argument in sys.argv[1:6])
PAGE = (TREE / "docs/guides/outbox.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(toml|sh|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ADMIN = '[admin]\nlisten = "127.0.0.1:0"\n'


class OutboxGuideTest(unittest.TestCase):
    def test_what_the_page_says(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        (whole,) = [text for kind, text in BLOCKS if kind == "toml"]
        (script,) = [text for kind, text in BLOCKS if kind == "sh"]
        (said,) = [text for kind, text in BLOCKS if kind == "text"]
        (heard,) = re.findall(r"it gets `(\S+)`", PAGE)
        (words,) = [shlex.split(line, comments=True) for line in script.splitlines()
                    if line.startswith("mosquitto_pub")]
        topic, payload = words[words.index("-t") + 1], words[words.index("-m") + 1]
        (asked,) = [shlex.split(line) for line in script.splitlines()
                    if line.startswith("triggerctl")]
        scene = Processes(folder)
        try:
            plant, central = scene.start_mosquitto(MOSQUITTO), free_port()
            ports = whole.replace("127.0.0.1:1883", f"127.0.0.1:{plant}").replace(
                "127.0.0.1:2883", f"127.0.0.1:{central}")
            (folder / "triggers.toml").write_text(
                f'{ports}\n[runtime]\nplugin_dirs = ["{PLUGINS}"]\n{ADMIN}', encoding="utf-8")
            self.assertIn("triggers.toml: ok: 2 aliases, 1 trigger",
                          run(TRIGGERD, "--config", "triggers.toml", "--check", cwd=folder))
            scene.start("triggerd", TRIGGERD, "--config", "triggers.toml")
            eventually("the trigger", lambda: "trigger.running" in scene.log("triggerd"))
            publish(plant, topic, payload)
            (socket,) = folder.glob("*/admin.sock")
            eventually(said, lambda: said in run(TRIGGERCTL, *asked[1:], "--socket", socket,
                                                 cwd=folder))
            (folder / "central.conf").write_text(
                f"listener {central} 127.0.0.1\nallow_anonymous true\nlog_type all\n",
                encoding="utf-8")
            scene.start("central", MOSQUITTO, "-c", folder / "central.conf")
            received = rf"Received PUBLISH from gateway-7 .*'{heard}', .*\({len(payload)} bytes\)"
            eventually(received, lambda: re.search(received, scene.log("central")))
            eventually("outbox.empty", lambda: "outbox.empty" in scene.log("triggerd"))
        except AssertionError:
            print(scene.log("triggerd"))
            raise
        finally:
            scene.stop()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
