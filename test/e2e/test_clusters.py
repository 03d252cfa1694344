"""A cluster with rules of its own: user ids from the namespace, as OpenShift gives them; a namespace that kustomize chose; a
database behind a container of each pod; and a volume for files in transit that is full."""

import contextlib
import json
import subprocess

import pytest

from cluster import end_pods, execute, get, kubectl, pods, say, synth, wait_for_servers, wait_until

NAMESPACE = "mlflow-other"
UID = 1000680000
# database, object store, tracking server and its monitor
SERVERS = 4
GC = "clean-up"
# what the SCC restricted-v2 does: it fills in ids of the range of the namespace, and refuses others
SCC = f"""
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {{ name: mlflow-e2e-ids }}
spec:
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: {NAMESPACE} }} }}
    resourceRules: [{{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods] }}]
  matchConditions:
  - name: no-ids
    expression: "!has(object.spec.securityContext.runAsUser) && !has(object.spec.securityContext.fsGroup)"
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >-
        Object{{spec: Object.spec{{securityContext: Object.spec.securityContext{{runAsUser: {UID}, fsGroup: {UID}}}}}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {{ name: mlflow-e2e-ids }}
spec: {{ policyName: mlflow-e2e-ids }}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{ name: mlflow-e2e-ids }}
spec:
  matchConstraints:
    namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: {NAMESPACE} }} }}
    resourceRules: [{{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods] }}]
  validations:
  - expression: "object.spec.securityContext.runAsUser == {UID} && object.spec.securityContext.fsGroup == {UID}"
    message: user or group is not in the range of the namespace
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{ name: mlflow-e2e-ids }}
spec: {{ policyName: mlflow-e2e-ids, validationActions: [Deny] }}
"""
# a file system of 200 MiB, as large as a disk of a cloud is large: the volumes of this cluster are folders of the node
VOLUME = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: mlflow-small }
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: mlflow-small }
spec:
  capacity: { storage: 300Mi }
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: mlflow-small
  hostPath: { path: FOLDER }
"""
# one upload, as a client makes it; its status, or "cut" where the server ends the connection
UPLOAD = """
import http.client, sys
name, mebibytes = sys.argv[1], int(sys.argv[2])
connection = http.client.HTTPConnection("127.0.0.1", 5000, timeout=120)
try:
    body = (b"x" * 2**20 for _ in range(mebibytes))
    connection.request("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{name}", body, {"Content-Length": str(mebibytes * 2**20)})
    print(connection.getresponse().status)
except OSError:
    print("cut")
"""


@contextlib.contextmanager
def small_volume(folder):
    """A tmpfs of this machine, which is the node."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m,mode=1777", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="session", autouse=True)
def stack():
    """That of the other tests is not needed here."""


def refuses_other_ids():
    # all else is as the Pod Security Standard of the namespace wants it
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    ids = {"runAsUser": 10001, "fsGroup": 10001, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "fixed", "namespace": NAMESPACE}}
    pod["spec"] = {"securityContext": ids, "containers": [{"name": "a", "image": "a:1", "securityContext": security}]}
    answer = kubectl("create", "--dry-run=server", "--filename", "-", stdin=json.dumps(pod), check=False)
    return "is not in the range of the namespace" in answer.stderr


@pytest.fixture(scope="module", autouse=True)
def other(tmp_path_factory):
    folder, disk = tmp_path_factory.mktemp("clusters"), tmp_path_factory.mktemp("disk")
    synth("e2e/clusters/main.ts", folder)
    (folder / "kustomization.yaml").write_text(f"namespace: {NAMESPACE}\nresources: [mlflow.k8s.yaml]\n")
    manifests = kubectl("kustomize", str(folder))
    cluster_wide = SCC + "---" + VOLUME.replace("FOLDER", str(disk))
    with small_volume(disk):
        try:
            kubectl("apply", "--filename", "-", stdin=cluster_wide)
            kubectl("create", "namespace", NAMESPACE)
            # a policy counts some seconds after it is there
            wait_until("ids of the namespace", 60, refuses_other_ids)
            say("applying a stack for a cluster with rules of its own")
            kubectl("apply", "--filename", "-", stdin=manifests)
            wait_for_servers(300, SERVERS, namespace=NAMESPACE)
            yield
        finally:
            end_pods(NAMESPACE)
            kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
            kubectl("delete", "--filename", "-", "--ignore-not-found", stdin=cluster_wide)


def test_a_pod_with_other_ids_is_refused():
    assert refuses_other_ids()


def test_all_pods_run_with_the_ids_of_the_namespace():
    all_pods = get("pods", namespace=NAMESPACE)["items"]
    # those of Jobs are gone a minute after they have ended, and none of them was refused
    assert len(all_pods) >= SERVERS
    assert {pod["spec"]["securityContext"]["runAsUser"] for pod in all_pods} == {UID}
    for name in ("deployment/mlflow", "statefulset/postgres", "statefulset/minio"):
        assert execute(name, "id", "-u", namespace=NAMESPACE).strip() == str(UID)


def test_server_and_monitor_reach_the_database_by_the_container_beside_them():
    doctor = execute("deployment/mlflow", "python3", "/app/start-mlflow.py", "doctor", namespace=NAMESPACE)
    assert "✓ the database at 127.0.0.1:5432" in doctor
    assert "✗" not in doctor
    wait_until(
        "the monitor ready",
        60,
        lambda: all(c["ready"] for p in pods("store-monitor", NAMESPACE) for c in p["status"]["containerStatuses"]),
    )


def test_the_clean_up_reaches_it_too_and_ends():
    kubectl("create", "job", GC, "--from=cronjob/mlflow-gc", "--namespace", NAMESPACE)
    kubectl("wait", "--for=condition=Complete", f"job/{GC}", "--timeout=180s", "--namespace", NAMESPACE)
    assert "Starting mlflow gc" in kubectl("logs", f"job/{GC}", "--container", "gc", "--namespace", NAMESPACE)


def test_a_transfer_needs_no_room_on_the_volume_and_a_full_one_costs_no_pod():
    def upload(name, mebibytes):
        return execute("deployment/mlflow", "python3", "-c", UPLOAD, name, str(mebibytes), namespace=NAMESPACE).strip()

    (before,) = pods("tracking-server", NAMESPACE)
    assert upload("larger-than-the-volume", 250) == "200"
    execute("deployment/mlflow", "sh", "-c", "head -c 300M /dev/zero >/tmp/full || true", namespace=NAMESPACE)
    assert upload("with-a-full-volume", 50) == "200"
    (after,) = pods("tracking-server", NAMESPACE)
    assert after["metadata"]["name"] == before["metadata"]["name"]
    assert [status["restartCount"] for status in after["status"]["containerStatuses"]] == [0]
