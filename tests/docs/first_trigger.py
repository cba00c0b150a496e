#!/usr/bin/env python3
"""docs/start/first-trigger.md at work: its commands are run as they are written, in its order, and
print and log what the page says. Left out are the demo, which other tests cover, and the start and
end of the server: this one's is on a port of its own.

    first_trigger.py TREE PROGRAM_DIR MOSQUITTO WORK

WORK is made anew. It is the home folder, always the same one, so that a compiler cache knows what is
built there.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

from scene import Processes, eventually

TREE, PROGRAMS, MOSQUITTO, WORK = (pathlib.Path(argument).resolve() for argument in sys.argv[1:5])
PAGE = (TREE / "docs/start/first-trigger.md").read_text(encoding="utf-8")
LEFT_OUT = {"./tools/demo", "/usr/sbin/mosquitto -d"}


def blocks(language):
    every = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for name, text in every if name == language]


def commands(block):
    """Its lines without comments, but for those that need a machine of their own."""
    lines = (line.split("  #")[0].strip() for line in block.splitlines())
    return [line for line in lines if line and line not in LEFT_OUT]


def pattern(line):
    """A line of the page: "..." stands for anything, and times differ."""
    parts = re.split(r"(\.\.\.|\d+\.\d+ ms)", line)
    return "".join({"...": ".*"}.get(part, r"\d+\.\d+ ms" if part.endswith(" ms") else re.escape(part))
                   for part in parts)


class Scene(Processes):
    def __init__(self, home):
        super().__init__(home)
        port = self.start_mosquitto(MOSQUITTO)
        (home / ".config").mkdir()
        (home / ".config/mosquitto_pub").write_text(f"-p {port}\n")
        self.environment = {**os.environ, "HOME": str(home), "MQTT_HOST": f"tcp://127.0.0.1:{port}",
                            "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
        self.environment.pop("XDG_CONFIG_HOME", None)

    def run(self, folder, lines):
        """What a terminal in `folder` shows."""
        done = subprocess.run(["bash", "-e", "-c", "\n".join(lines)], cwd=folder, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{lines} ends with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def logs(self, line):
        eventually(line, lambda: re.search(pattern(line), self.log("triggerd")))


class FirstTriggerTest(unittest.TestCase):
    def test_the_page_does_what_it_says(self):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        scene = Scene(WORK)
        try:
            self.follow(scene, WORK / "hello")
        except AssertionError:
            if (WORK / "triggerd.log").exists():
                print(scene.log("triggerd"), file=sys.stderr)
            raise
        finally:
            scene.stop()

    def follow(self, scene, hello):
        path, make, call, start, publish, look, change, again = map(commands, blocks("sh"))
        called, logged, reloaded = (block.splitlines() for block in blocks(""))
        scene.run(TREE, path + make)
        printed = scene.run(hello, call)
        for line in called:
            self.assertRegex(printed, pattern(line))

        # Another runtime of this machine may have the default port.
        (hello / "conf.d").mkdir()
        (hello / "conf.d/port.toml").write_text('[admin]\nlisten = "127.0.0.1:0"\n')
        *checks, run = start
        self.assertIn("triggers.toml: ok: 1 alias, 1 trigger", scene.run(hello, checks))
        scene.start("triggerd", "bash", "-c", f"cd {hello} && exec {run}", env=scene.environment)
        scene.logs("runtime.ready")
        scene.run(TREE, publish)
        for line in logged:
            scene.logs(line)
        self.assertRegex(scene.run(hello, look), r"hello:hello(.|\n)*nobody to greet")

        scene.run(hello, change)
        for line in reloaded:
            scene.logs(line)
        scene.run(hello, again)
        scene.logs("welcome world")

    def test_its_configuration_is_the_one_that_plugin_new_writes(self):
        (shown,) = blocks("toml")
        template = (TREE / "plugin-sdk/templates/minimal/cpp/triggers.toml").read_text(encoding="utf-8")
        bare = [re.sub(r"\s*#.*", "", line)
                for line in template.replace("@NAME@", "hello").splitlines()]
        self.assertEqual([line for line in (re.sub(r"\s*#.*", "", line) for line in shown.splitlines())
                          if line], [line for line in bare if line])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
