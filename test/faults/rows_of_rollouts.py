"""Pods that are replaced while clients write."""

import json

from cluster import kubectl, wait_until
from rows import ONE, TWO, SlowUpload, row
from rows_of_parts import SERVER, identities


def replaced(stack, meanwhile=lambda: None):
    before = identities(stack, SERVER)
    stack.kubectl("rollout", "restart", "deployment/mlflow")
    stack.kubectl("rollout", "status", "deployment/mlflow", "--timeout=4m")
    meanwhile()
    # those that go may still have transfers to end
    wait_until("the old pods are gone", 240, lambda: not identities(stack, SERVER) & before)


@row(ONE, "a rolling update with one replica", failed=0)
def rollout_one(stack):
    replaced(stack)


@row(ONE, "an upload that takes longer than the rolling update in which it is", failed=0)
def slow_upload(stack):
    start = stack.now()
    upload = SlowUpload(stack, f"rollout-{start:.0f}", 20, 30, held="held")
    replaced(stack, upload.let_end)
    found = upload.end()
    assert found["status"] == 200 and upload.state(found) == "whole", found
    return f"it took {stack.now() - start:.0f} s"


@row(TWO, "a rolling update with two replicas", failed=0)
def rollout_two(stack):
    replaced(stack)


def evict(stack, pod):
    """As `kubectl drain` does; whether Kubernetes allows it now."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": stack.namespace}}
    path = f"/api/v1/namespaces/{stack.namespace}/pods/{pod}/eviction"
    answer = kubectl("create", "--raw", path, "--filename", "-", stdin=json.dumps(eviction), check=False)
    assert answer.returncode == 0 or "disruption budget" in answer.stderr, answer.stderr
    return answer.returncode == 0


@row(TWO, "a drain: both pods are evicted, as the PodDisruptionBudget allows it", failed=0)
def drain(stack):
    first, second = [pod["metadata"]["name"] for pod in stack.pods(SERVER)]
    assert evict(stack, first)
    refused = not evict(stack, second)
    wait_until("the other may go as well", 180, lambda: evict(stack, second))
    names = {first, second}
    wait_until("both are others", 180, lambda: not names & {pod["metadata"]["name"] for pod in stack.pods(SERVER)})
    assert refused, "both pods may go at once"
    return "the second one was refused until the first was replaced"
