#!/usr/bin/env python3
"""docs/guides/once.md at work: the trigger that it shows does with the messages what the page says,
over a restart too, and a test of it shows the key. Its other pieces of configuration are checked.

    once.py TREE TRIGGERD TRIGGERCTL PLUGINS MOSQUITTO
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
PAGE = (TREE / "docs/guides/once.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(toml|sh)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SAID = re.findall(r"^mosquitto_pub .* -t (\S+) -m '(.*)' +# (.*)$", PAGE, re.MULTILINE)


class OnceGuideTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.scene = Processes(self.folder)
        self.addCleanup(self.scene.stop)

    def configure(self, text):
        (self.folder / "triggers.toml").write_text(
            f'{text}\n[runtime]\nplugin_dirs = ["{PLUGINS}"]\n[admin]\nlisten = "127.0.0.1:0"\n',
            encoding="utf-8")

    def check(self):
        return run(TRIGGERD, "--config", "triggers.toml", "--check", cwd=self.folder)

    def start(self, name):
        self.scene.start(name, TRIGGERD, "--config", "triggers.toml",
                         env={**os.environ, "MQTT_HOST": ""})
        eventually("runtime.ready", lambda: "runtime.ready" in self.scene.log(name))

    def triggerctl(self, *arguments):
        (socket,) = self.folder.glob("*/admin.sock")
        return run(TRIGGERCTL, *arguments, "--socket", socket, cwd=self.folder)

    def test_the_trigger_does_what_the_page_says(self):
        (whole,) = [text for kind, text in BLOCKS
                    if kind == "toml" and text.startswith("# triggers.toml")]
        (tested,) = [text for kind, text in BLOCKS if "trigger test" in text and kind == "sh"]
        heard = [comment for _, _, comment in SAID if comment.startswith("booked/")]
        self.assertEqual([len(SAID), len(heard)], [3, 2])
        port = self.scene.start_mosquitto(MOSQUITTO)
        self.configure(whole.replace("127.0.0.1:1883", f"127.0.0.1:{port}"))
        self.assertIn("triggers.toml: ok: 1 alias, 1 trigger", self.check())
        subscriber = eventually("the server", lambda: Subscriber(port, "booked/#"))
        self.addCleanup(subscriber.close)
        self.start("first")
        for topic, payload, _ in SAID:
            publish(port, topic, payload)
        self.assertEqual([subscriber.next() for _ in heard], heard)
        printed = self.triggerctl(*shlex.split(tested)[1:])
        self.assertRegex(printed, r"key +json:/id 4711; a message with it was handled")
        eventually("a duplicate", lambda: re.search(
            r"keys of handled messages +2; duplicates +1", self.triggerctl("trigger", "show", "book")))
        self.assertRegex(self.triggerctl("match", "orders/new"), "book +yes +orders/# +once by json:/id")
        self.scene.running.pop().kill()
        self.start("second")
        publish(port, SAID[0][0], SAID[0][1])
        publish(port, SAID[0][0], '{"id":4713}')
        self.assertEqual(subscriber.next(), 'booked/4713 {"id":4713}')

    def test_every_other_piece_can_be_used(self):
        pieces = [text for kind, text in BLOCKS
                  if kind == "toml" and not text.startswith("# triggers.toml")]
        pieces += [f"deduplicate = {{ key = {key} }}" for key in
                   re.findall(r'^\| `("(?:json|payload)[^`]*")` \|', PAGE, re.MULTILINE)]
        self.assertEqual(len(pieces), 3)
        for piece in pieces:
            self.configure('[aliases.a]\nhost = "tcp://127.0.0.1:1883"\nprotocol = "5"\n'
                           '[[triggers]]\nname = "t"\nalias = "a"\ntopics = ["t"]\n'
                           f'service = "log"\n{piece}\n')
            self.assertIn("ok: 1 alias", self.check(), piece)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
