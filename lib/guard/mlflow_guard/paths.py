"""Which of MLflow's routes a path leads to, or may lead to."""

from __future__ import annotations

import re
from urllib.parse import unquote

from app_layers.asgi import Scope

_ASSISTANT = re.compile(r"/mlflow/assistant(/|$)")
_ARTIFACTS = re.compile(r"/(ajax-api|api)/2\.0/mlflow-artifacts/")
# where a client sends a condition in a language of MLflow's, or a query of GraphQL, which MLflow takes apart
_QUERY = re.compile(r"/(graphql|[a-z-]*search[a-z-]*|calculate-filter-correlation|traces/metrics)$")
# in which MLflow keeps the spans of a trace, and which it reads as a whole
_SPAN_FILE = re.compile(r"/traces/.*/traces\.(json|pb)$")
# MLflow's own pattern: the route that streams. Whatever else takes an upload has it in memory
_STREAMED = re.compile(r"/(ajax-api|api)/2\.0/mlflow-artifacts/artifacts/.*$")


# MLflow's own routes, and the addresses from which its processes ask
_ROUTES = re.compile(r"/(api|ajax-api|gateway|graphql|v1|get-artifact|model-versions)(/|$)")
_SAME_MACHINE = ("127.0.0.1", "::1")


def plain(path: str) -> str:
    """A path as any router could read it: decoded, in lower case, without empty parts, "." and ".."."""
    while (decoded := unquote(path)) != path:
        path = decoded
    parts: list[str] = []
    for part in path.replace("\\", "/").lower().split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part.strip() not in ("", "."):
            parts.append(part.strip())
    return "/" + "/".join(parts)


def below(prefix: str, path: str) -> str:
    """A plain path without the static prefix, which is as free as the name of an artifact."""
    return path[len(prefix) :] if prefix != "/" and path.startswith(f"{prefix}/") else path


def is_assistant(path: str) -> bool:
    """Whether a plain path is one of the assistant's, which is more than MLflow routes there. The name of an artifact is free."""
    return _ASSISTANT.search(path) is not None and _ARTIFACTS.match(path) is None


def is_query(path: str) -> bool:
    return _QUERY.search(path) is not None and _ARTIFACTS.match(path) is None


def of_job(scope: Scope, prefix: str) -> Scope:
    """The request of one of MLflow's jobs as the server routes it: up to MLflow 3.17, a job leaves the static prefix out."""
    path: str = scope["path"]
    client: tuple[str, int] | None = scope.get("client")
    if not prefix or client is None or client[0] not in _SAME_MACHINE:
        return scope
    if path.startswith(f"{prefix}/") or _ROUTES.match(path) is None or _STREAMED.match(path) is not None:
        return scope
    raw: bytes = scope.get("raw_path") or b""
    return {**scope, "path": prefix + path, "raw_path": prefix.encode() + raw}


def streamed_upload(scope: Scope, prefix: str) -> Scope | None:
    """The request as MLflow's streaming route takes it, where it is an upload of an artifact.

    MLflow has that route without its static prefix only; under it, a route of Flask would take the whole file into memory.
    """
    if scope["method"] != "PUT" or _SPAN_FILE.search(plain(scope["path"])) is not None:
        return None
    path: str = scope["path"]
    if _STREAMED.match(path):
        return scope
    if prefix and path.startswith(prefix) and _STREAMED.match(path[len(prefix) :]):
        raw: bytes = scope.get("raw_path") or b""
        return {**scope, "path": path[len(prefix) :], "raw_path": raw[len(prefix) :] if raw.startswith(prefix.encode()) else raw}
    return None
