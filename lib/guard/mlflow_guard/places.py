"""Whose artifacts a client may point at: those of its own experiment, at the place that the server gives them.

The server reads and writes every place with its own keys. A place that a client has named would be somebody else's artifacts,
another bucket, or a file of the pod.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Callable

from app_layers.asgi import Scope

from .refusal import Refusal, invalid

ROOT = "mlflow-artifacts:/"
# tags in which MLflow keeps where the data of a trace is; its own clients leave them alone
LOCATION_TAGS = ("mlflow.artifactLocation", "mlflow.trace.archiveLocation")
# as what an exporter of OpenTelemetry sets a tag
ATTRIBUTE_PREFIX = "mlflow.traceTag."
ATTRIBUTES = tuple(ATTRIBUTE_PREFIX + tag for tag in LOCATION_TAGS)
_OWN_FOLDER = re.compile(r"mlflow-artifacts:/(//)?[^/?#%\\\s\x00-\x1f]+(/+[^/?#%\\\x00-\x1f]+)*/*")

_EXPERIMENTS = re.compile(r"/mlflow/experiments/create$")
_WORKSPACES = re.compile(r"/mlflow/workspaces(/[^/]+)?$")
_TRACES = re.compile(r"/mlflow/traces(/|$)")

Check = Callable[[bytes], None]


def check_for(scope: Scope, path: str) -> Check | None:
    """What has to be asked of the whole body of a request to a plain path; nothing for most of them."""
    if scope["method"] not in ("POST", "PUT", "PATCH"):
        return None
    if _EXPERIMENTS.search(path):
        return lambda body: check_experiment(read_json(body))
    if _WORKSPACES.search(path):
        return lambda body: check_workspace(read_json(body))
    if _TRACES.search(path):
        return lambda body: check_trace(read_json(body))
    return None


def read_json(body: bytes) -> Any:
    """As MLflow reads it, which decodes a text of JSON a second time; None where it is none, of which MLflow takes nothing."""
    try:
        value = json.loads(body)
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None
    except RecursionError:
        raise invalid("body-too-deep", "the JSON of this request is too deep") from None


def check_experiment(request: Any) -> None:
    for location in _values(request, "artifact_location", "artifactLocation"):
        check_location(location, experiment_locations)


def check_workspace(request: Any) -> None:
    archival = [
        place
        for given in _values(request, "trace_archival_config", "traceArchivalConfig")
        for place in _values(given, "location")
    ]
    for location in (*_values(request, "default_artifact_root", "defaultArtifactRoot"), *archival):
        if not str(location).strip().startswith(ROOT):
            raise elsewhere("the artifacts of a workspace", location)


def check_trace(request: Any) -> None:
    if any(tag in LOCATION_TAGS for tag in _tags(request)):
        raise _reserved()


def check_spans(body: bytes, is_json: bool) -> None:
    """In protobuf a name stands as it is; in JSON it may be written in many ways."""
    if is_json:
        reserved = any(key in ATTRIBUTES for key in _tags(read_json(body)))
    else:
        reserved = any(attribute.encode() in body for attribute in ATTRIBUTES)
    if reserved:
        raise _reserved()


def check_location(location: Any, existing: Callable[[], Iterable[str]]) -> None:
    """A folder that no other experiment has, has a part of, or is a part of."""
    text = str(location)
    if not text.startswith(ROOT):
        raise elsewhere("the artifacts of an experiment", location)
    parts = _parts(text)
    # numbers are the folders of other experiments, of which one may come later
    if not _OWN_FOLDER.fullmatch(text) or {".", ".."} & set(parts) or parts[0].isdigit() or parts[0] == "workspaces":
        raise _taken(text)
    for other in map(_parts, existing()):
        if other[: len(parts)] == parts or parts[: len(other)] == other:
            raise _taken(text)


def experiment_locations() -> Iterator[str]:
    """Where the artifacts of all experiments are, deleted ones too, by MLflow's own store."""
    from mlflow.entities import ViewType
    from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
    from mlflow.server.handlers import _get_tracking_store

    if MLFLOW_ENABLE_WORKSPACES.get():
        raise invalid("artifact-location", "with workspaces, the server gives an experiment its artifact_location: leave it out")
    store, token = _get_tracking_store(), None
    while True:
        page = store.search_experiments(view_type=ViewType.ALL, max_results=1000, page_token=token)
        yield from (experiment.artifact_location for experiment in page)
        token = page.token
        if not token:
            return


def elsewhere(what: str, location: Any) -> Refusal:
    return invalid(
        "artifact-location",
        f"{what} are in the artifact store of this server, and {str(location)[:100]!r} is another place: "
        f"leave the location out, or name a folder of its own such as {ROOT}my-project (guard.foreignArtifacts)",
    )


def _taken(location: str) -> Refusal:
    return invalid(
        "artifact-location",
        f"{location[:100]!r} is no folder of this experiment alone: leave artifact_location out, or name one that no "
        f"other experiment has, such as {ROOT}my-project (guard.foreignArtifacts)",
    )


def _reserved() -> Refusal:
    return invalid(
        "trace-location",
        f"the server itself sets the tags {' and '.join(LOCATION_TAGS)} of a trace: leave them out (guard.foreignArtifacts)",
    )


def _parts(location: str) -> list[str]:
    """The folders of a location of this server; of another place, a name that none of them has."""
    scheme, _, path = location.partition(":")
    if scheme != "mlflow-artifacts":
        return [location + "/"]
    if path.startswith("//") and not path.startswith("///"):
        path = "/".join(path.split("/")[3:])
    return [part for part in path.split("/") if part]


def _values(request: Any, *names: str) -> list[Any]:
    """Values that are given: of protobuf, JSON may write a name in two ways."""
    return [request[name] for name in names if request.get(name)] if isinstance(request, dict) else []


def _tags(value: Any) -> Iterator[str]:
    """The names of all tags and attributes in a request: of objects with a key, and of maps that are called tags."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            key, tags = value.get("key"), value.get("tags")
            if isinstance(key, str):
                yield key
            if isinstance(tags, dict):
                yield from tags
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
