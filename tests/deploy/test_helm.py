"""The chart, rendered by Helm itself (its library, version 4) and held against the schemas of Kubernetes. No cluster is here to install it."""

import tomllib

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from broker import ROOT, Broker, Redis, free_port

CHART = ROOT / "deploy/helm/sophie"
TOKEN = {"secrets": {"values": {"SOPHIE__ADMIN__TOKEN": "of-an-operator"}}}
EVERYTHING = """
image: {repository: registry.example.com/sophie, tag: "1.2.3", pullPolicy: Always}
imagePullSecrets: [{name: registry}]
settings: |
  [auth]
  mode = "jwt"
  [limits]
  user_burst = 10
secrets: {existing: sophie-secrets}
redis: {enabled: true, host: redis.data.svc, port: 6380, db: 3}
ingress:
  enabled: true
  className: nginx
  hosts: [chat.example.com]
  tls: [{hosts: [chat.example.com], secretName: chat-tls}]
trustedProxies: [10.0.0.0/8]
autoscaling: {enabled: true, minReplicas: 3, maxReplicas: 9, socketsPerNode: 5000}
networkPolicy:
  from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}]
  to: [{to: [{podSelector: {matchLabels: {app: redis}}}], ports: [{port: 6380}]}]
serviceMonitor: {enabled: true, labels: {release: prometheus}}
prometheusRule: {enabled: true, labels: {release: prometheus}}
podAnnotations: {a: b}
podLabels: {team: chat}
nodeSelector: {kubernetes.io/arch: amd64}
tolerations: [{key: chat, operator: Exists}]
affinity: {}
serviceAccount: {annotations: {a: b}}
"""
# Of the Prometheus operator: not in the schemas of Kubernetes.
ELSEWHERE = {"ServiceMonitor", "PrometheusRule"}


def rendered(values, **more):
    """Every object of the chart, by kind."""
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(values)
        files = chart.render(values=values, name="demo", namespace="chat", **more)
    objects = [each for name, text in files.items() if name.endswith(".yaml") for each in yaml.safe_load_all(text) if each]
    return [each for each in objects if each["kind"]]


def one(objects, kind):
    found = [each for each in objects if each["kind"] == kind]
    assert len(found) == 1, f"{len(found)} of {kind}"
    return found[0]


CASES = {"as it is": TOKEN, "everything": yaml.safe_load(EVERYTHING)}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("version", ["1.28", "1.31", "1.34"])
def test_every_object_is_what_kubernetes_knows(case, version):
    objects = rendered(CASES[case])
    kinds = {each["kind"] for each in objects}
    assert kinds >= {"Deployment", "Service", "ServiceAccount", "ConfigMap", "PodDisruptionBudget", "NetworkPolicy"}
    assert case == "as it is" or kinds >= {"HorizontalPodAutoscaler", "Ingress", *ELSEWHERE}
    for each in objects:
        if each["kind"] not in ELSEWHERE:
            kubernetes_validate.validate(each, version, strict=True)


def test_the_linter_finds_nothing_wrong():
    found = helm.lint(CHART, values=TOKEN, strict=True)
    # Severity 1 is a wish: an icon.
    assert not found["errors"] and all(message["severity"] < 2 for message in found["messages"]), found


def test_a_chart_without_a_token_or_with_nodes_that_share_nothing_says_what_to_do():
    with pytest.raises(helm.HelmError, match="SOPHIE__ADMIN__TOKEN"):
        rendered({})
    with pytest.raises(helm.HelmError, match="need Redis"):
        rendered(TOKEN | {"redis": {"enabled": False}})
    assert rendered(TOKEN | {"redis": {"enabled": False}, "replicas": 1})


@pytest.mark.parametrize("wrong", [{"replica": 3}, {"replicas": "three"}, {"drainSeconds": -1}, {"image": {"tags": "x"}}])
def test_a_value_that_is_misspelt_or_wrong_is_refused(wrong):
    with pytest.raises(helm.HelmError):
        rendered(TOKEN | wrong)


def test_a_node_that_goes_has_time_to_drain_and_none_goes_before_its_successor_is_ready():
    deployment = one(rendered(TOKEN | {"drainSeconds": 60, "beforeDrainSeconds": 7}), "Deployment")["spec"]
    pod = deployment["template"]["spec"]
    environment = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    assert environment["SOPHIE__SERVER__DRAIN_SECONDS"] == "60"
    assert pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "7"]
    assert pod["terminationGracePeriodSeconds"] >= 60 + 7 + 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_changed_settings_and_secrets_replace_the_nodes():
    def marks(values):
        return one(rendered(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]

    other = {"secrets": {"values": {"SOPHIE__ADMIN__TOKEN": "another"}}}
    assert marks(TOKEN) == marks(TOKEN)
    assert marks(TOKEN)["checksum/settings"] != marks(TOKEN | {"settings": "[auth]\nopen = true\n"})["checksum/settings"]
    assert marks(TOKEN)["checksum/secret"] != marks(other)["checksum/secret"]


def test_the_scaler_asks_for_sockets_and_the_nodes_count_is_its_own():
    objects = rendered(CASES["everything"])
    first = one(objects, "HorizontalPodAutoscaler")["spec"]["metrics"][0]
    assert first["pods"] == {"metric": {"name": "sophie_sockets"}, "target": {"type": "AverageValue", "averageValue": "5000"}}
    assert "replicas" not in one(objects, "Deployment")["spec"]


def test_the_rules_and_the_job_that_they_ask_for_are_in_the_chart():
    objects = rendered(CASES["everything"])
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    assert one(objects, "PrometheusRule")["spec"] == rules
    monitor = one(objects, "ServiceMonitor")["spec"]
    assert {"targetLabel": "job", "replacement": "sophie"} in monitor["endpoints"][0]["relabelings"]
    labels = [each["metadata"]["labels"] for each in objects if each["kind"] == "Service"]
    wanted = monitor["selector"]["matchLabels"]
    assert sum(wanted.items() <= each.items() for each in labels) == 1, "one service has the metrics"


def test_a_pod_s_environment_and_settings_start_a_node_and_its_probes_find_it(tmp_path):
    """What a pod is given, on this machine: only addresses are others."""
    redis = Redis(tmp_path)
    values = TOKEN | {"settings": "[auth]\nopen = true\n[ai]\nbackend = \"demo\"\n", "redis": {"host": "127.0.0.1", "port": redis.port}}
    objects = rendered(values)
    settings = one(objects, "ConfigMap")["data"]["settings.toml"]
    assert tomllib.loads(settings)["auth"]["open"] is True
    (tmp_path / "settings.toml").write_text(settings)
    container = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    environment = {each["name"]: each.get("value", "a-pod") for each in container["env"]} | one(objects, "Secret")["stringData"]
    public, admin = free_port(), free_port()
    environment |= {"SOPHIE__SERVER__BIND": f"0.0.0.0:{public}", "SOPHIE__ADMIN__BIND": f"0.0.0.0:{admin}"}
    broker = Broker(tmp_path)
    try:
        broker.url = f"http://127.0.0.1:{admin}"
        broker.start(**environment)
        assert {probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")} == {"/health/ready", "/health/live"}
        log = (tmp_path / "broker.log").read_text()
        assert "node=a-pod" in log and f"127.0.0.1:{redis.port}" in log, log
    finally:
        broker.close()
        redis.close()
