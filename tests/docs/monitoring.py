#!/usr/bin/env python3
"""tools/container/monitoring/ in the hands of a real Prometheus, which scrapes a real runtime: every
panel has something to show, every rule can be evaluated and looks at series that there are, and each
alert fires when it should and not otherwise (alerts_test.yaml).

    monitoring.py TREE TRIGGERD TRIGGERCTL PLUGIN_DIR MOSQUITTO
"""
import json
import os
import pathlib
import re
import sys
import tempfile
import unittest
import urllib.parse
import urllib.request

import yaml

from scene import Processes, eventually, free_port, publish, run

TREE, TRIGGERD, TRIGGERCTL, PLUGINS, MOSQUITTO = (
    pathlib.Path(argument).resolve() for argument in sys.argv[1:6])
HERE = TREE / "tools/container/monitoring"
TOKEN = "0123456789abcdef0123456789abcdef"


class Scene(Processes):
    """A server, a runtime whose triggers do well, retry and reject, and a Prometheus."""

    def __init__(self, folder):
        super().__init__(folder)
        self.mqtt, self.admin, self.web = None, free_port(), free_port()

    def begin(self):
        self.mqtt = self.start_mosquitto(MOSQUITTO)
        token = self.folder / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
            "/CN=client", "-keyout", "key.pem", "-out", "cert.pem", cwd=self.folder)
        (self.folder / "key.pem").chmod(0o600)
        (self.folder / "triggers.toml").write_text(f"""
[runtime]
state_dir = "{self.folder}/state"
plugin_dirs = ["{PLUGINS}"]
[admin]
listen = "127.0.0.1:{self.admin}"
token_file = "{token}"
[aliases.plant]
host = "tcp://127.0.0.1:{self.mqtt}"
[truststores.plant-ca]
file = "{self.folder}/cert.pem"
[keystores.us]
certificate = "{self.folder}/cert.pem"
private_key = "{self.folder}/key.pem"
[aliases.secure]
host = "ssl://127.0.0.1:{free_port()}"
truststore = "plant-ca"
keystore = "us"
[[triggers]]
name = "copies"
alias = "plant"
topics = ["in/#"]
service = "republish"
[triggers.settings]
topic = "out/{{topic}}"
[[triggers]]
name = "calls"
alias = "plant"
topics = ["in/#"]
service = "http-forward"
retry = {{ max_attempts = 3, interval = "100ms", max_interval = "100ms" }}
timeout = "2s"
[triggers.settings]
url = "http://127.0.0.1:{self.answer_badly()}/"
connect_timeout_seconds = 1
""")
        self.start("triggerd", TRIGGERD, "--config", self.folder / "triggers.toml")
        self.start_prometheus()

    def answer_badly(self):
        """An application that asks for another attempt, each time."""
        port = free_port()
        self.start("application", sys.executable, "-c", f"""
import http.server
class Busy(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", {port}), Busy).serve_forever()
""")
        return port

    def start_prometheus(self):
        """As prometheus.yaml says, with this runtime's address, token and a shorter interval."""
        text = (HERE / "prometheus.yaml").read_text(encoding="utf-8")
        config = yaml.safe_load(text)
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        (scrape,) = config["scrape_configs"]
        scrape["authorization"]["credentials_file"] = str(self.folder / "token")
        scrape["static_configs"] = [{"targets": [f"127.0.0.1:{self.admin}"]}]
        config["rule_files"] = [str(HERE / file) for file in config["rule_files"]]
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.start("prometheus", "prometheus", f"--config.file={self.folder}/prometheus.yml",
                   f"--storage.tsdb.path={self.folder}/data",
                   f"--web.listen-address=127.0.0.1:{self.web}")

    def publish(self):
        publish(self.mqtt, "in/1", *(str(number) for number in range(20)))

    def ask(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web}{path}?{query}", timeout=10) as got:
            return json.load(got)["data"]

    def query(self, expression):
        return self.ask("/api/v1/query", query=expression)["result"]


class RealPrometheusTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # pylint: disable=consider-using-with
        cls.temporary = tempfile.TemporaryDirectory()
        cls.scene = Scene(pathlib.Path(cls.temporary.name))
        try:
            cls.scene.begin()
            eventually("a scrape that succeeds", lambda: cls.scene.query('up{job="triggerd"} == 1'))
            eventually("the triggers run",
                       lambda: len(cls.scene.query("triggerd_connection_up == 1")) >= 2)
            cls.scene.publish()
            eventually("dead letters", lambda: cls.scene.query("triggerd_dead_letters > 0"))
            cls.scene.publish()
        except BaseException:
            print("".join(f"---- {name}\n{cls.scene.log(name)}\n"
                          for name in ("triggerd", "prometheus")), file=sys.stderr)
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.scene.stop()
        cls.temporary.cleanup()

    def test_every_panel_shows_something(self):
        dashboard = json.loads((HERE / "grafana.json").read_text(encoding="utf-8"))
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                expression = target["expr"]
                for name, value in (("$__rate_interval", "1m"), ("$job", "triggerd"),
                                    ("$trigger", "copies|calls")):
                    expression = expression.replace(name, value)
                with self.subTest(panel["title"], expression=expression):
                    eventually("something to show", lambda e=expression: [
                        value for value in self.scene.query(e) if value["value"][1] != "NaN"])

    def test_every_rule_is_evaluated(self):
        def rules():
            (group,) = self.scene.ask("/api/v1/rules")["groups"]
            seen = group["rules"]
            return seen if all(rule["health"] != "unknown" for rule in seen) else None
        for rule in eventually("all rules are evaluated", rules):
            self.assertEqual(rule["health"], "ok", rule["name"] + ": " + rule.get("lastError", ""))

    def test_every_rule_looks_at_series_that_there_are(self):
        (group,) = yaml.safe_load((HERE / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]:
            series = re.findall(r"\b(?:triggerd_\w+|up)\b(?:\{[^}]*\})?", rule["expr"])
            self.assertTrue(series, rule["alert"])
            for selector in series:
                with self.subTest(rule["alert"], series=selector):
                    eventually("a series", lambda s=selector: self.scene.query(s))

    def test_who_is_disabled_is_not_missing(self):
        scene = self.scene
        down = "triggerd_connection_up == 0 and triggerd_connection_wanted == 1"
        client_ids = {s["metric"]["client_id"]
                      for s in scene.query("triggerd_connection_up == 1")}
        run(TRIGGERCTL, "--config", scene.folder / "triggers.toml", "trigger", "disable", "copies",
            "--reason", "a test")
        try:
            eventually("its state", lambda: scene.query(
                'triggerd_trigger_state{trigger="copies",state="disabled"} == 1'))
            eventually("its connection is down", lambda: len(scene.query(
                "triggerd_connection_up == 1")) < len(client_ids))
            missing = {s["metric"]["client_id"] for s in scene.query(down)}
            self.assertEqual(missing & client_ids, set())
            self.assertTrue(missing, "the one that has no server is")
        finally:
            run(TRIGGERCTL, "--config", scene.folder / "triggers.toml", "trigger", "enable",
                "copies")


class PromtoolTest(unittest.TestCase):
    cases = TREE / "tests/docs/alerts_test.yaml"

    def test_the_rules(self):
        run("promtool", "check", "rules", HERE / "alerts.yaml")
        with tempfile.TemporaryDirectory() as name:
            cases = yaml.safe_load(self.cases.read_text(encoding="utf-8"))
            rules = yaml.safe_load((HERE / "alerts.yaml").read_text(encoding="utf-8"))
            for rule in rules["groups"][0]["rules"]:
                del rule["annotations"]  # promtool would have each repeated word for word
            (pathlib.Path(name) / "rules.yaml").write_text(yaml.safe_dump(rules))
            cases["rule_files"] = ["rules.yaml"]
            file = pathlib.Path(name) / "cases.yaml"
            file.write_text(yaml.safe_dump(cases))
            run("promtool", "test", "rules", file)

    def test_each_alert_has_a_case_that_fires_and_one_that_does_not(self):
        (group,) = yaml.safe_load((HERE / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
        fires, rests = set(), set()
        for case in yaml.safe_load(self.cases.read_text(encoding="utf-8"))["tests"]:
            for look in case["alert_rule_test"]:
                (fires if look.get("exp_alerts") else rests).add(look["alertname"])
        names = {rule["alert"] for rule in group["rules"]}
        self.assertEqual(fires, names)
        self.assertEqual(rests, names)


if __name__ == "__main__":
    os.environ.pop("http_proxy", None)
    unittest.main(argv=sys.argv[:1])
