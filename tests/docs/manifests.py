#!/usr/bin/env python3
"""The fields of tools/container/ that matter: what compose, Kubernetes, Prometheus, Grafana and KEDA
read. No schema of theirs is in this tree.

    manifests.py TREE TRIGGERD PLUGIN_DIR
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

TREE, TRIGGERD, PLUGINS = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
HERE = TREE / "tools/container"
UID = 10001

# Every metric that the runtime has; what ends in _seconds or _messages may be a histogram.
METRICS = """
messages_received_total messages_handled_total handle_seconds delivery_seconds in_flight
queue_messages inbox_messages inbox_bytes inbox_oldest_seconds inbox_commit_seconds
wire_batch_messages acks_held retries_total dead_letters paused_seconds_total connection_up
reconnects_total session_lost_total certificate_expiry_seconds plugin_info plugin_reloads_total
plugin_reload_pause_seconds published_total trigger_state connection_wanted
""".split()


def documents(name):
    return [d for d in yaml.safe_load_all((HERE / name).read_text(encoding="utf-8")) if d]


def of_kind(name, kind):
    (found,) = [d for d in documents(name) if d["kind"] == kind]
    return found


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text).group(1))


def drain_timeout(toml):
    found = re.search(r'^drain_timeout = "(\d+s)"', toml, re.MULTILINE)
    return seconds(found.group(1)) if found else 10


def check(toml, secrets, env=None):
    """What `triggerd --check` says of it, with files of this build in the place of an image's."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        secret = folder / "secret"
        secret.write_text("12345678901234567890123456789012")
        secret.chmod(0o600)
        for path in secrets:
            toml = toml.replace(f'"{path}"', f'"{secret}"')
        toml = toml.replace('"/var/lib/triggerd"', f'"{folder}/state"')
        toml = toml.replace('"/usr/lib/triggerd/plugins"', f'"{PLUGINS}"')
        (folder / "triggers.toml").write_text(toml)
        return subprocess.run([TRIGGERD, "--config", folder / "triggers.toml", "--check"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, env={**os.environ, **(env or {})})


def metrics_in(text):
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in
            re.findall(r"\btriggerd_([a-z_]+)", text)}


class ContainerfileTest(unittest.TestCase):
    text = (TREE / "Containerfile").read_text(encoding="utf-8")

    def test_two_stages_on_a_base_that_may_be_another(self):
        self.assertEqual(re.findall(r"^FROM (--platform=\S+) (\S+)", self.text, re.MULTILINE),
                         [("--platform=${BUILDPLATFORM}", "${BASE}"),
                          ("--platform=${TARGETPLATFORM}", "${BASE}")])

    def test_the_user_is_a_number(self):
        self.assertEqual(re.findall(r"^USER (.*)", self.text, re.MULTILINE), [f"{UID}:{UID}"])

    def test_what_it_copies_is_there(self):
        for source in re.findall(r"^COPY (?:--\S+ )*(\S+)", self.text, re.MULTILINE):
            self.assertTrue((TREE / source).exists(), source)

    def test_what_docker_leaves_out_is_what_buildah_does(self):
        self.assertEqual((TREE / ".dockerignore").read_text(), (TREE / ".containerignore").read_text())


class ComposeTest(unittest.TestCase):
    services = yaml.safe_load((HERE / "compose/compose.yaml").read_text())["services"]
    toml = (HERE / "compose/triggers.toml").read_text()

    def test_server_application_and_sidecar(self):
        self.assertEqual(set(self.services), {"mosquitto", "application", "triggerd"})
        self.assertEqual(self.services["triggerd"]["network_mode"], "service:application")

    def test_the_sidecar_may_do_nothing_that_it_need_not(self):
        sidecar = self.services["triggerd"]
        self.assertIs(sidecar["read_only"], True)
        self.assertEqual(sidecar["cap_drop"], ["ALL"])
        self.assertIn("no-new-privileges:true", sidecar["security_opt"])

    def test_volumes_files_and_secrets_are_there(self):
        compose = yaml.safe_load((HERE / "compose/compose.yaml").read_text())
        targets = {}
        for volume in self.services["triggerd"]["volumes"]:
            source, target = volume.split(":")[:2]
            targets[target] = source
            if source.startswith("./"):
                self.assertTrue((HERE / "compose" / source).exists(), source)
            else:
                self.assertIn(source, compose["volumes"])
        self.assertLessEqual({"/var/lib/triggerd", "/plugins"}, set(targets))
        self.assertEqual(self.services["triggerd"]["secrets"], list(compose["secrets"]))

    def test_it_has_time_to_end(self):
        self.assertGreater(seconds(self.services["triggerd"]["stop_grace_period"]),
                           drain_timeout(self.toml))

    def test_its_configuration_is_valid(self):
        done = check(self.toml, ["/run/secrets/mqtt-password"])
        self.assertEqual(done.returncode, 0, done.stdout)


class KubernetesTest(unittest.TestCase):
    workloads = {"Deployment": of_kind("kubernetes/deployment.yaml", "Deployment"),
                 "StatefulSet": of_kind("kubernetes/statefulset.yaml", "StatefulSet")}
    toml = of_kind("kubernetes/config.yaml", "ConfigMap")["data"]["triggers.toml"]

    def each(self):
        for kind, workload in self.workloads.items():
            with self.subTest(kind):
                pod = workload["spec"]["template"]["spec"]
                (sidecar,) = pod["initContainers"]
                yield workload, pod, sidecar

    def test_versions_labels_and_selectors(self):
        for workload, _, _ in self.each():
            self.assertEqual(workload["apiVersion"], "apps/v1")
            labels = workload["spec"]["template"]["metadata"]["labels"]
            self.assertLessEqual(workload["spec"]["selector"]["matchLabels"].items(),
                                 labels.items())
        service = of_kind("kubernetes/statefulset.yaml", "Service")
        self.assertEqual(service["metadata"]["name"],
                         self.workloads["StatefulSet"]["spec"]["serviceName"])
        self.assertEqual(service["spec"]["clusterIP"], "None")

    def test_a_native_sidecar(self):
        for _, pod, sidecar in self.each():
            self.assertEqual(sidecar["restartPolicy"], "Always")
            self.assertEqual(len(pod["containers"]), 1)

    def test_probes(self):
        for _, _, sidecar in self.each():
            ports = {port["name"]: port["containerPort"] for port in sidecar["ports"]}
            self.assertEqual(ports, {"admin": 9464})
            for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"),
                                ("readinessProbe", "/readyz")):
                self.assertEqual(sidecar[probe]["httpGet"], {"path": path, "port": "admin"})
        self.assertIn('listen = "0.0.0.0:9464"', self.toml)

    def test_no_root_no_privileges_nothing_written(self):
        for _, pod, sidecar in self.each():
            self.assertIs(pod["securityContext"]["runAsNonRoot"], True)
            for who in ("runAsUser", "runAsGroup", "fsGroup"):
                self.assertEqual(pod["securityContext"][who], UID)
            self.assertEqual(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
            self.assertIs(pod["automountServiceAccountToken"], False)
            context = sidecar["securityContext"]
            self.assertIs(context["readOnlyRootFilesystem"], True)
            self.assertIs(context["allowPrivilegeEscalation"], False)
            self.assertEqual(context["capabilities"]["drop"], ["ALL"])

    def test_every_mount_has_its_volume(self):
        for workload, pod, sidecar in self.each():
            volumes = {volume["name"] for volume in pod["volumes"]}
            claims = workload["spec"].get("volumeClaimTemplates", [])
            volumes |= {claim["metadata"]["name"] for claim in claims}
            mounts = {mount["mountPath"]: mount for mount in sidecar["volumeMounts"]}
            self.assertEqual({mount["name"] for mount in mounts.values()}, volumes)
            self.assertEqual({path for path, mount in mounts.items() if not mount.get("readOnly")},
                             {"/var/lib/triggerd"})
        self.assertTrue(self.workloads["StatefulSet"]["spec"]["volumeClaimTemplates"])
        self.assertEqual(self.workloads["StatefulSet"]["spec"]
                         ["persistentVolumeClaimRetentionPolicy"]["whenScaled"], "Retain")

    def test_secrets_are_files(self):
        secret = of_kind("kubernetes/config.yaml", "Secret")
        for _, pod, sidecar in self.each():
            mounted = [v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v]
            self.assertEqual(mounted, [secret["metadata"]["name"]])
            self.assertFalse([e for e in sidecar["env"] if "secretKeyRef" in json.dumps(e)])
        for key in secret["stringData"]:
            self.assertIn(f'"/run/secrets/triggerd/{key}"', self.toml)

    def test_a_pod_has_time_to_end(self):
        for _, pod, _ in self.each():
            self.assertGreater(pod["terminationGracePeriodSeconds"], drain_timeout(self.toml))

    def test_pods_have_client_ids_of_their_own_and_share_the_work(self):
        self.assertIn('client_id = "${POD_NAME', self.toml)
        self.assertIn('shared_group = "orders"', self.toml)
        for _, _, sidecar in self.each():
            names = {variable["name"]: variable for variable in sidecar["env"]}
            self.assertEqual(names["POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"],
                             "metadata.name")

    @staticmethod
    def values(sidecar):
        return {v["name"]: v["value"] for v in sidecar["env"] if "value" in v}

    def test_its_configuration_is_valid_with_what_each_sets(self):
        for _, _, sidecar in self.each():
            env = {**self.values(sidecar), "POD_NAME": "orders-0"}
            for name in env:
                self.assertIn("${" + name, self.toml)
            done = check(self.toml, ["/run/secrets/triggerd/mqtt-password",
                                     "/run/secrets/triggerd/token"], env)
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_pod_that_stays_keeps_its_session_and_one_that_goes_does_not(self):
        stays, goes = (self.values(self.workloads[kind]["spec"]["template"]["spec"]
                                   ["initContainers"][0]) for kind in ("StatefulSet", "Deployment"))
        self.assertIn('session_expiry = "${SESSION_EXPIRY:-7d}"', self.toml)
        self.assertNotIn("SESSION_EXPIRY", stays)
        self.assertLessEqual(seconds(goes["SESSION_EXPIRY"]), 10)
        self.assertIn('acknowledge = "${ACKNOWLEDGE:-durable}"', self.toml)
        self.assertNotIn("ACKNOWLEDGE", stays)
        self.assertEqual(goes["ACKNOWLEDGE"], "finished")

    def test_one_pod_has_a_volume(self):
        (claim,) = self.workloads["StatefulSet"]["spec"]["volumeClaimTemplates"]
        self.assertEqual(claim["spec"]["accessModes"], ["ReadWriteOncePod"])

    def test_the_last_pods_can_be_given_another_filter(self):
        spec = self.workloads["StatefulSet"]["spec"]
        self.assertEqual(spec["updateStrategy"],
                         {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
        (sidecar,) = spec["template"]["spec"]["initContainers"]
        self.assertEqual(self.values(sidecar)["ORDERS_TOPIC"], "orders/#")
        self.assertIn('topics = ["${ORDERS_TOPIC:-orders/#}"]', self.toml)
        # The patches of the page name what there is.
        page = (TREE / "docs/guides/scaling.md").read_text(encoding="utf-8")
        patches = [json.loads(p) for p in re.findall(r"kubectl patch statefulset orders -p '([^']*)'",
                                                     page)]
        self.assertEqual(len(patches), 2)
        for patch in patches:
            (changed,) = patch["spec"]["template"]["spec"]["initContainers"]
            self.assertEqual(changed["name"], sidecar["name"])
            (variable,) = changed["env"]
            self.assertIn(variable["name"], self.values(sidecar))
            self.assertIn("partition", patch["spec"]["updateStrategy"]["rollingUpdate"])
        self.assertEqual(patches[-1]["spec"]["updateStrategy"]["rollingUpdate"]["partition"], 0)
        self.assertEqual(variable["value"], self.values(sidecar)["ORDERS_TOPIC"])


class MonitoringTest(unittest.TestCase):
    def test_every_metric_is_one_that_there_is(self):
        for name in ("monitoring/alerts.yaml", "monitoring/grafana.json", "kubernetes/keda.yaml"):
            found = metrics_in((HERE / name).read_text())
            self.assertTrue(found, name)
            self.assertEqual(found - set(METRICS), set(), name)

    def test_the_dashboard_shows_every_metric(self):
        found = metrics_in((HERE / "monitoring/grafana.json").read_text())
        self.assertEqual(set(METRICS) - found, set())

    def test_the_dashboard(self):
        dashboard = json.loads((HERE / "monitoring/grafana.json").read_text())
        panels = dashboard["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        variables = {variable["name"] for variable in dashboard["templating"]["list"]}
        taken = set()
        for panel in panels:
            for target in panel["targets"]:
                used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
                self.assertLessEqual(used, variables, panel["title"])
                self.assertEqual(target["expr"].count("("), target["expr"].count(")"))
                self.assertEqual(target["expr"].count("{"), target["expr"].count("}"))
            at = panel["gridPos"]
            for x in range(at["x"], at["x"] + at["w"]):
                for y in range(at["y"], at["y"] + at["h"]):
                    self.assertNotIn((x, y), taken, panel["title"])
                    self.assertLess(x, 24)
                    taken.add((x, y))

    def test_what_needs_a_token_is_scraped_with_it(self):
        for name in ("kubernetes/deployment.yaml", "kubernetes/statefulset.yaml"):
            self.assertNotIn("prometheus.io/", (HERE / name).read_text(), name)
        monitor = of_kind("kubernetes/podmonitor.yaml", "PodMonitor")["spec"]
        (endpoint,) = monitor["podMetricsEndpoints"]
        secret = of_kind("kubernetes/config.yaml", "Secret")
        credentials = endpoint["authorization"]["credentials"]
        self.assertEqual(credentials["name"], secret["metadata"]["name"])
        self.assertIn(f'token_file = "/run/secrets/triggerd/{credentials["key"]}"',
                      KubernetesTest.toml)
        for kind, workload in KubernetesTest.workloads.items():
            pod = workload["spec"]["template"]
            self.assertLessEqual(monitor["selector"]["matchLabels"].items(),
                                 pod["metadata"]["labels"].items(), kind)
            ports = [p["name"] for p in pod["spec"]["initContainers"][0]["ports"]]
            self.assertIn(endpoint["port"], ports)
        # The rules go by the name of the job.
        (relabeling,) = endpoint["relabelings"]
        (scrape,) = yaml.safe_load((HERE / "monitoring/prometheus.yaml").read_text())["scrape_configs"]
        self.assertEqual(relabeling, {"targetLabel": "job", "replacement": scrape["job_name"]})

    def test_alerts(self):
        (group,) = yaml.safe_load((HERE / "monitoring/alerts.yaml").read_text())["groups"]
        names = [rule["alert"] for rule in group["rules"]]
        self.assertEqual(len(set(names)), len(names))
        for rule in group["rules"]:
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"))
            self.assertTrue(rule["annotations"]["summary"])
            self.assertEqual(rule["expr"].count("("), rule["expr"].count(")"))

    def test_keda_adds_pods_that_stay_on_the_backlog(self):
        scaled = of_kind("kubernetes/keda.yaml", "ScaledObject")
        self.assertEqual(scaled["apiVersion"], "keda.sh/v1alpha1")
        target = scaled["spec"]["scaleTargetRef"]
        workload = of_kind("kubernetes/statefulset.yaml", "StatefulSet")
        self.assertEqual((target["apiVersion"], target["kind"], target["name"]),
                         ("apps/v1", "StatefulSet", workload["metadata"]["name"]))
        self.assertEqual(scaled["spec"]["minReplicaCount"], workload["spec"]["replicas"])
        self.assertGreater(scaled["spec"]["maxReplicaCount"], scaled["spec"]["minReplicaCount"])
        behavior = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        self.assertEqual(behavior["scaleDown"], {"selectPolicy": "Disabled"})
        (trigger,) = scaled["spec"]["triggers"]
        self.assertEqual(trigger["type"], "prometheus")
        toml = of_kind("kubernetes/config.yaml", "ConfigMap")["data"]["triggers.toml"]
        (name,) = re.findall(r'triggerd_inbox_messages\{trigger="(.*?)"\}',
                             trigger["metadata"]["query"])
        self.assertIn(f'name = "{name}"', toml)
        # Each pod has at most queue_capacity messages, so the average over pods is never more.
        self.assertNotIn("queue_capacity", toml)
        self.assertLessEqual(int(trigger["metadata"]["threshold"]), 1000 / 2)
        for field in ("serverAddress", "threshold"):
            self.assertIsInstance(trigger["metadata"][field], str)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
