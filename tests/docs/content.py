#!/usr/bin/env python3
"""docs/guides/content.md at work: the trigger that it shows does with the messages what the page
says, and a test of it says so without a message. Its other pieces of configuration are checked.

    content.py TREE TRIGGERD TRIGGERCTL PLUGINS MOSQUITTO
"""
import os
import pathlib
import re
import shlex
import shutil
import sys
import tempfile
import unittest

from scene import Processes, Subscriber, eventually, publish, run

TREE, TRIGGERD, TRIGGERCTL, PLUGINS, MOSQUITTO = (pathlib.Path(argument).resolve()
                                                  for argument in sys.argv[1:6])
PAGE = (TREE / "docs/guides/content.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(toml|sh)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ADMIN = '[admin]\nlisten = "127.0.0.1:0"\n'


class ContentGuideTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def configure(self, text):
        (self.folder / "triggers.toml").write_text(
            f'{text}\n[runtime]\nplugin_dirs = ["{PLUGINS}"]\n{ADMIN}', encoding="utf-8")

    def test_the_trigger_does_what_the_page_says(self):
        (whole,) = [text for kind, text in BLOCKS
                    if kind == "toml" and text.startswith("# triggers.toml")]
        said = re.findall(r"^mosquitto_pub .* -t (\S+) -m '(.*)' +# (.*)$", PAGE, re.MULTILINE)
        self.assertEqual(len(said), 2)
        (heard,) = [comment for _, _, comment in said if comment.startswith("alerts/")]
        (tested,) = [text for kind, text in BLOCKS if "trigger test" in text and kind == "sh"]
        scene = Processes(self.folder)
        try:
            port = scene.start_mosquitto(MOSQUITTO)
            self.configure(whole.replace("127.0.0.1:1883", f"127.0.0.1:{port}"))
            self.assertIn("triggers.toml: ok: 1 alias, 1 trigger",
                          run(TRIGGERD, "--config", "triggers.toml", "--check", cwd=self.folder))
            subscriber = eventually("the server", lambda: Subscriber(port, "alerts/#"))
            self.addCleanup(subscriber.close)
            scene.start("triggerd", TRIGGERD, "--config", "triggers.toml",
                        env={**os.environ, "MQTT_HOST": ""})
            eventually("runtime.ready", lambda: "runtime.ready" in scene.log("triggerd"))
            for topic, payload, _ in said:
                publish(port, topic, payload)
            self.assertEqual(subscriber.next(), heard)
            (socket,) = self.folder.glob("*/admin.sock")
            command = shlex.split(tested)
            printed = run(TRIGGERCTL, *command[1:], "--socket", socket, cwd=self.folder)
            self.assertIn('the service gets {"id":"boiler","celsius":90}', printed)
            self.assertRegex(printed, "verdict +ok")
        except AssertionError:
            print(scene.log("triggerd"), file=sys.stderr)
            raise
        finally:
            scene.stop()

    def test_every_other_piece_can_be_used(self):
        pieces = [text for kind, text in BLOCKS
                  if kind == "toml" and not text.startswith("# triggers.toml")]
        self.assertGreater(len(pieces), 2)
        (self.folder / "reading.json").write_text("{}", encoding="utf-8")
        for piece in [*pieces, *re.findall(r"`((?:schema|evaluation) = [^`]*)`", PAGE)]:
            when = "" if "transform" in piece or "schema" in piece else "when = 'true'\n"
            self.configure('[aliases.a]\nhost = "tcp://127.0.0.1:1883"\n[[triggers]]\nname = "t"\n'
                           f'alias = "a"\ntopics = ["t"]\nservice = "log"\n{when}{piece}\n')
            self.assertIn("ok: 1 alias", run(TRIGGERD, "--config", "triggers.toml", "--check",
                                             cwd=self.folder), piece)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
