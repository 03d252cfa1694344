"""Where an artifact is by its URI, and what the same place is called by a client of the server."""

from __future__ import annotations

import re
from typing import NamedTuple

PROXIED = "mlflow-artifacts:/"
DEFAULT_WORKSPACE = "default"
# places that other rows have the URI of
ELSEWHERE = ("runs", "models")


class Place(NamedTuple):
    """What becomes of a URI: another one, with its path below the server's destination, or a reason why it stays."""

    uri: str
    path: str = ""
    why: str = ""


class Places:
    """The roots below which the artifacts of this server are, or will be by the time that the URIs change."""

    def __init__(self, destination: str, others: list[str], workspaces: bool) -> None:
        self.destination = destination.rstrip("/")
        # the longest first: one may be below another
        self.roots = sorted({root.rstrip("/") for root in (destination, *others)}, key=len, reverse=True)
        self.workspaces = workspaces

    def below(self, uri: str) -> str | None:
        """The path of a URI below the root that it is in."""
        for root in self.roots:
            if uri == root or uri.startswith(root + "/"):
                return uri[len(root) + 1 :].rstrip("/")
        return None

    def place(self, uri: str, workspace: str, limit: int | None = None) -> Place | None:
        """None for what is no place of its own, or is proxied."""
        found = re.match(r"([a-zA-Z][\w+.-]*):", uri)
        scheme = found[1] if found else ""
        if not uri or scheme in ELSEWHERE or (uri.startswith(PROXIED) and not uri.startswith(PROXIED + "/")):
            return None
        path = self.below(uri)
        if path is None:
            # a prompt, or a version that was deleted, has a word there
            return Place(uri, why=f"not below {' or '.join(self.roots)}") if "/" in uri else None
        why = self.unreachable(path, workspace)
        new = PROXIED + path
        if not why and limit is not None and len(new) > limit:
            why = f"its new URI has {len(new)} characters, and the column takes {limit}"
        return Place(uri, why=why) if why else Place(new, path)

    def unreachable(self, path: str, workspace: str) -> str:
        """Why a client does not reach a path through the server."""
        if re.search(r"[#?%\\]|[^\x20-\x7e]", path):
            return "its path has a character that does not pass through a URL as it is"
        if any(part in ("", ".", "..") for part in path.split("/")) and path:
            return "its path has an empty part, or one of dots"
        top = path.split("/")
        if self.workspaces and workspace != DEFAULT_WORKSPACE and top[:2] != ["workspaces", workspace]:
            return f"the server looks for workspace {workspace} below workspaces/{workspace}/ only"
        if self.workspaces and workspace == DEFAULT_WORKSPACE and top[0] == "workspaces" and top[1:2] != [DEFAULT_WORKSPACE]:
            return "the server gives nothing below workspaces/ to the default workspace"
        return ""

    def archived(self, uri: str) -> str | None:
        """Where the server itself finds an archived trace, which it reads with its own keys: below its destination."""
        path = self.below(uri)
        return None if path is None else f"{self.destination}/{path}".rstrip("/")
