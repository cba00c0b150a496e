#!/usr/bin/env python3
"""docs/guides/recipes.md at work: each configuration runs with the servers that it is about, gets the
messages that its section publishes, and what the section says comes of them.

    recipes.py TREE TRIGGERD PLUGINS MOSQUITTO
"""
import contextlib
import json
import pathlib
import re
import shlex
import shutil
import sys
import tempfile
import unittest
import urllib.parse
import urllib.request

from scene import Processes, Subscriber, eventually, free_port, publish, run

TREE, TRIGGERD, PLUGINS, MOSQUITTO = (pathlib.Path(argument).resolve() for argument in sys.argv[1:5])
PAGE = (TREE / "docs/guides/recipes.md").read_text(encoding="utf-8")
TRIES = 5


def block(section, language):
    """The only one of its kind in the section with this heading."""
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return found


def messages(script):
    """Topic and payload of each mosquitto_pub."""
    for line in re.findall(r"^mosquitto_pub .*$", script, re.MULTILINE):
        words = shlex.split(line)
        yield words[words.index("-t") + 1], words[words.index("-m") + 1]


def curls(script):
    return [shlex.split(line) for line in re.findall(r"^curl .*$", script, re.MULTILINE)]


def ask(words, port):
    """What a curl of the page gets from the server at this port."""
    (url,) = [word for word in words if word.startswith("http://")]
    data = dict(words[at + 1].split("=", 1) for at, word in enumerate(words)
                if word == "--data-urlencode")
    url = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", url)
    body = urllib.parse.urlencode(data)
    if "-G" in words:
        url, body = f"{url}{'&' if '?' in url else '?'}{body}", None
    with urllib.request.urlopen(url, body.encode() if body else None, 30) as answer:
        return answer.read().decode()


class Scene(Processes):
    """A section's."""

    def __init__(self, folder, section):
        super().__init__(folder)
        self.section = section
        self.script = block(section, "sh")
        self.mqtt = None

    def start_server(self, name, package, command_for):
        """Its port, once it takes requests there. command_for(program, port) starts it."""
        program = shutil.which(name)
        if program is None:
            raise AssertionError(f"{name} is missing: tools/setup installs the package {package}")
        for _ in range(TRIES):
            port = free_port()
            self.start(name, *command_for(program, port))
            server = self.running[-1]

            def answers(port=port, server=server):
                if server.poll() is not None:
                    return True
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", None, 30) as answer:
                    return answer.status < 300

            eventually(f"an answer of {name}", answers)
            if server.poll() is None:
                return port
            if "address already in use" not in self.log(name):  # by somebody else, meanwhile
                break
        raise AssertionError(f"{name} has ended:\n{self.log(name)}")

    def start_influxdb(self):
        def command(program, port):
            (self.folder / "influxdb.conf").write_text(f"""
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
dir = "{self.folder}/influxdb/meta"
[data]
dir = "{self.folder}/influxdb/data"
wal-dir = "{self.folder}/influxdb/wal"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
""", encoding="utf-8")
            return program, "-config", self.folder / "influxdb.conf"

        return self.start_server("influxd", "influxdb", command)

    def start_victoria_metrics(self):
        return self.start_server(
            "victoria-metrics", "victoria-metrics",
            lambda program, port: (program, f"-httpListenAddr=127.0.0.1:{port}",
                                   f"-storageDataPath={self.folder}/victoria-metrics",
                                   "-storage.minFreeDiskSpaceBytes=1", "-retentionPeriod=100y"))

    def start_triggerd(self, http=None):
        """With the configuration of the page, at the ports of these servers."""
        text = block(self.section, "toml").replace("127.0.0.1:1883", f"127.0.0.1:{self.mqtt}")
        if http:
            text = re.sub(r"http://127\.0\.0\.1:\d+", f"http://127.0.0.1:{http}", text)
        (self.folder / "triggers.toml").write_text(
            f'{text}\n[runtime]\nplugin_dirs = ["{PLUGINS}"]\nstate_dir = "{self.folder}/state"\n'
            '[admin]\nlisten = "127.0.0.1:0"\n', encoding="utf-8")
        run(TRIGGERD, "--config", "triggers.toml", "--check", cwd=self.folder)
        self.start("triggerd", TRIGGERD, "--config", "triggers.toml")
        eventually("runtime.ready", lambda: "runtime.ready" in self.log("triggerd"))

    def publish_all(self):
        for topic, payload in messages(self.script):
            publish(self.mqtt, topic, payload)


class RecipesTest(unittest.TestCase):
    maxDiff = None

    @contextlib.contextmanager
    def scene(self, section):
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        scene = Scene(folder, section)
        try:
            scene.mqtt = scene.start_mosquitto(MOSQUITTO)
            eventually("the MQTT server", lambda: Subscriber(scene.mqtt, "nothing").close() or True)
            yield scene
        except BaseException:
            for log in sorted(folder.glob("*.log")):
                print(f"--- {log.name}\n{scene.log(log.stem)}", file=sys.stderr)
            raise
        finally:
            scene.stop()

    def becomes_messages(self, section, topics):
        """What the comments of the section's script say; what is not for a service comes before what
        is, and so would be seen among it."""
        with self.scene(section) as scene:
            expected = re.findall(r"^# (.*)$", scene.script, re.MULTILINE)
            self.assertGreater(len(expected), 1)
            self.assertIn(f"mosquitto_sub -v -t '{topics}' &", scene.script)
            subscriber = Subscriber(scene.mqtt, topics)
            self.addCleanup(subscriber.close)
            scene.start_triggerd()
            scene.publish_all()
            self.assertEqual(sorted(subscriber.next() for _ in expected), sorted(expected))

    def test_an_array(self):
        self.becomes_messages("An array becomes one message for each element", "metrics/#")

    def test_states(self):
        self.becomes_messages("States of zigbee2mqtt and Home Assistant", "alerts/#")

    def test_influxdb(self):
        with self.scene("Readings in InfluxDB") as scene:
            http = scene.start_influxdb()
            create, select = curls(scene.script)
            ask(create, http)
            scene.start_triggerd(http)
            scene.publish_all()
            self.shows(json.loads(block(scene.section, "json")),
                       lambda: json.loads(ask(select, http)))

    def test_victoria_metrics(self):
        with self.scene("Readings in VictoriaMetrics") as scene:
            http = scene.start_victoria_metrics()
            scene.start_triggerd(http)
            scene.publish_all()
            (export,) = curls(scene.script)
            self.shows([json.loads(block(scene.section, "json"))],
                       lambda: [json.loads(line) for line in ask(export, http).splitlines()])

    def shows(self, expected, look):
        """Points come one after another, and each of these servers shows them a while later."""
        shown = []

        def same():
            shown[:] = [look()]
            return shown == [expected]

        try:
            eventually("the points", same)
        except AssertionError:
            self.assertEqual(shown, [expected])
            raise


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
