"""Who reaches whom: stand-ins with the labels of every part of both stacks, and of nobody, each tries all ports of all others."""

import concurrent.futures
import json

import pytest

from cluster import CLIENTS, DIST, NAMESPACE, PROD, SLACK, get, kubectl, pod_with_python, ready, run_python, say, wait_until

SERVER, MONITOR, S3, CONSOLE, POSTGRES, DNS, API = 5000, 8080, 9000, 9001, 5432, 53, 8443
# what every stand-in listens at: all ports that a policy speaks of, and the console, which it does not let through
PORTS = {SERVER, MONITOR, S3, CONSOLE, POSTGRES, DNS, API}
STRANGERS = {f"{namespace}/stranger" for namespace in (NAMESPACE, PROD, CLIENTS, "default")}


def stack(namespace, clients, scrapers=(), also=()):
    """Who in a namespace connects to what in it."""
    allowed = [
        ("tracking-server", "artifact-store", S3),
        ("tracking-server", "backend-store", POSTGRES),
        ("store-monitor", "artifact-store", S3),
        ("store-monitor", "backend-store", POSTGRES),
        ("artifact-store-bootstrap", "artifact-store", S3),
        ("backend-store-bootstrap", "backend-store", POSTGRES),
        *also,
    ]
    yield from ((f"{namespace}/{source}", f"{namespace}/{target}", port) for source, target, port in allowed)
    yield from ((client, f"{namespace}/tracking-server", SERVER) for client in clients)
    yield from ((scraper, f"{namespace}/store-monitor", MONITOR) for scraper in scrapers)
    # name resolution has no address that is the same in all clusters, and neither has the API server
    names = {source for source, _, _ in allowed}
    bootstraps = {"artifact-store-bootstrap", "backend-store-bootstrap", "secrets-bootstrap"}
    yield from ((f"{namespace}/{source}", stranger, DNS) for source in names | bootstraps for stranger in STRANGERS)
    yield from ((f"{namespace}/{source}", stranger, API) for source in bootstraps for stranger in STRANGERS)
    yield from ((f"{namespace}/{source}", "kubernetes", 443) for source in bootstraps)


COLLECTION = (("garbage-collection", "backend-store", POSTGRES), ("garbage-collection", "tracking-server", SERVER))
# all connections that there are: source, target, port
ALLOWED = {
    *stack(NAMESPACE, clients=STRANGERS),
    *stack(PROD, clients={f"{CLIENTS}/stranger"}, scrapers={f"{CLIENTS}/stranger"}, also=COLLECTION),
    *((source, target, port) for source in STRANGERS for target in STRANGERS for port in PORTS),
    *((source, "kubernetes", 443) for source in STRANGERS),
}
PARTS = {end for source, target, _ in ALLOWED for end in (source, target)} - {"kubernetes"}
# the servers themselves, by the names of their Services
SERVICES = [
    (f"{namespace}/{target}", f"{service}.{namespace}.svc.cluster.local.", port)
    for namespace in (NAMESPACE, PROD)
    for target, service, port in (
        ("tracking-server", "mlflow-service", SERVER),
        ("tracking-server", "mlflow-server", SERVER),
        ("store-monitor", "mlflow-monitor", MONITOR),
        ("artifact-store", "minio", S3),
        ("artifact-store", "minio-headless", S3),
        ("backend-store", "postgres", POSTGRES),
    )
] + [("kubernetes", "kubernetes.default.svc.cluster.local.", 443)]

LISTEN = f"""
import selectors, socket
waiting = selectors.DefaultSelector()
for port in {sorted(PORTS)}:
    waiting.register(socket.create_server(("", port), backlog=200), selectors.EVENT_READ)
while True:
    for key, _ in waiting.select():
        key.fileobj.accept()[0].close()
"""
# connects to hosts and ports, all at once, and tells with which of them it could
CONNECT = """
import concurrent.futures, json, os, socket, sys
# who may not ask for names waits no longer than for connections
os.environ["RES_OPTIONS"] = "timeout:2 attempts:1"
def connects(address):
    try:
        socket.create_connection(address, timeout=3).close()
        return True
    except OSError:
        return False
addresses = json.load(sys.stdin)
with concurrent.futures.ThreadPoolExecutor(len(addresses)) as pool:
    print(json.dumps(list(pool.map(connects, map(tuple, addresses)))))
"""


def templates(namespace):
    """Labels of the pods of every workload, by component."""
    for workload in get("deployments,statefulsets,jobs,cronjobs", namespace=namespace)["items"]:
        spec = workload["spec"].get("jobTemplate", workload)["spec"]
        labels = spec["template"]["metadata"]["labels"]
        # of a Job's pods, those that Kubernetes has added name the Job
        yield labels["app.kubernetes.io/component"], {key: labels[key] for key in labels if key.startswith("app.kubernetes.io/")}


@pytest.fixture(scope="module")
def connected(prod):
    """What connects, as ALLOWED has it, by source."""
    for manifests in (DIST, prod):
        # Jobs that fill Secrets are gone by now, and come again
        kubectl("apply", "--filename", str(manifests))
    labels = {f"{namespace}/{component}": found for namespace in (NAMESPACE, PROD) for component, found in templates(namespace)}
    assert {*labels, *STRANGERS} == PARTS
    places = {part: part.split("/")[0] for part in PARTS}
    names = {part: f"stand-in-{part.split('/')[1]}" for part in PARTS}
    pods = [pod_with_python(names[part], places[part], LISTEN, labels.get(part)) for part in sorted(PARTS)]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": pods})

    def addresses():
        found = {}
        for namespace in {*places.values()}:
            for pod in get("pods", namespace=namespace)["items"]:
                if ready(pod):
                    found[namespace, pod["metadata"]["name"]] = pod["status"]["podIP"]
        return {part: found.get((places[part], names[part])) for part in PARTS}

    def measure(part):
        targets = [(target, ips[target], port) for target in sorted(PARTS - {part}) for port in sorted(PORTS)] + SERVICES
        itself = [("itself", "127.0.0.1", port) for port in sorted(PORTS)]
        asked = [(host, port) for _, host, port in targets + itself]
        answers = run_python(names[part], places[part], CONNECT, asked)
        # a stand-in that did not listen would be reached by nobody, for another reason
        assert all(answers[len(targets) :])
        return part, {(target, host, port) for (target, host, port), answer in zip(targets, answers) if answer}

    try:
        kubectl("apply", "--filename", "-", stdin=manifest)
        wait_until("stand-ins ready", 120, lambda: all(addresses().values()))
        ips = addresses()
        # policies reach a new pod a moment after it has its address, and a busy machine answers late
        for _ in range(round(3 * SLACK)):
            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                found = dict(pool.map(measure, sorted(PARTS)))
            say(f"{sum(map(len, found.values()))} connections")
            if all(found[part] == allowed(part, ips) for part in PARTS):
                break
        yield {part: (found[part], allowed(part, ips)) for part in PARTS}
    finally:
        kubectl("delete", "--filename", "-", "--ignore-not-found", "--wait=false", stdin=manifest)


def allowed(part, ips):
    targets = {(target, port) for source, target, port in ALLOWED if source == part and target != part}
    stand_ins = {(target, ips[target], port) for target, port in targets if target in ips}
    return stand_ins | {service for service in SERVICES if (service[0], service[2]) in targets}


@pytest.mark.parametrize("part", sorted(PARTS))
def test_connects_to_what_it_has_to_and_to_nothing_else(connected, part):
    found, expected = connected[part]
    assert (sorted(found - expected), sorted(expected - found)) == ([], [])
