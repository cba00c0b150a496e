#!/usr/bin/env python3
"""The example of tools/container/compose/ at work, without containers: its application, in each of its
languages, beside a runtime with its triggers.toml.

    compose.py TREE TRIGGERD TRIGGERCTL PLUGIN_DIR MOSQUITTO NODE
"""
import json
import os
import pathlib
import sys
import tempfile
import unittest

import yaml

from scene import Processes, eventually, free_port, publish, run

TREE, TRIGGERD, TRIGGERCTL, PLUGINS, MOSQUITTO, NODE = (
    pathlib.Path(argument).resolve() for argument in sys.argv[1:7])
HERE = TREE / "tools/container/compose"


class Scene(Processes):
    def __init__(self, folder, application):
        super().__init__(folder)
        mqtt, port = self.start_mosquitto(MOSQUITTO), free_port()
        self.start("application", *application, env={**os.environ, "PORT": str(port)})
        password = folder / "password"
        password.write_text("12345678")
        password.chmod(0o600)
        toml = (HERE / "triggers.toml").read_text(encoding="utf-8")
        for here, there in (("/run/secrets/mqtt-password", password),
                            ("/var/lib/triggerd", folder / "state"),
                            ("/usr/lib/triggerd/plugins", PLUGINS),
                            ("http://127.0.0.1:8080/", f"http://127.0.0.1:{port}/")):
            if here not in toml:
                raise AssertionError(f"triggers.toml no longer has {here}")
            toml = toml.replace(here, str(there))
        self.configuration = folder / "triggers.toml"
        # Another runtime of this machine may have the default port.
        self.configuration.write_text(toml + '\n[admin]\nlisten = "127.0.0.1:0"\n')
        self.start("triggerd", TRIGGERD, "--config", self.configuration,
                   env={**os.environ, "MQTT_HOST": f"tcp://127.0.0.1:{mqtt}"})
        self.send = lambda *payloads: publish(mqtt, "orders/1", *payloads)

    def triggerctl(self, *arguments):
        return json.loads(run(TRIGGERCTL, "--config", self.configuration, "--json", *arguments))


class ComposeTest(unittest.TestCase):
    services = yaml.safe_load((HERE / "compose.yaml").read_text(encoding="utf-8"))["services"]

    def handles(self, *application):
        with tempfile.TemporaryDirectory() as name:
            scene = Scene(pathlib.Path(name), application)
            try:
                eventually("triggerd is ready", lambda: "runtime.ready" in scene.log("triggerd"))
                scene.send('{"pieces": 7}', "no JSON", '{"pieces": 8}')
                eventually("both orders reach the application",
                           lambda: scene.log("application").count("orders/1: {") == 2)
                letters = eventually("the other is a dead letter", lambda: scene.triggerctl(
                    "dead-letters", "list", "--trigger", "orders")["items"])
                self.assertEqual(len(letters), 1)
                self.assertIn("422", json.dumps(letters[0]))
            except AssertionError:
                print(scene.log("application"), scene.log("triggerd"), file=sys.stderr)
                raise
            finally:
                scene.stop()

    def test_the_application_in_python(self):
        self.assertIn("python3 /app/app.py", self.services["application"]["command"])
        self.handles(sys.executable, HERE / "application/app.py")

    def test_the_application_for_node(self):
        self.assertIn("node /app/app.mjs", (HERE / "compose.yaml").read_text(encoding="utf-8"))
        self.handles(NODE, HERE / "application/app.mjs")

    def test_what_the_application_listens_on_is_where_the_sidecar_asks(self):
        toml = (HERE / "triggers.toml").read_text(encoding="utf-8")
        self.assertIn('url = "http://127.0.0.1:8080/"', toml)
        (port,) = self.services["application"]["ports"]
        self.assertTrue(port.endswith(":8080"), port)
        for file in ("app.py", "app.mjs"):
            self.assertIn("8080", (HERE / "application" / file).read_text(encoding="utf-8"))
        self.assertEqual(self.services["application"]["volumes"], ["./application:/app:ro"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
