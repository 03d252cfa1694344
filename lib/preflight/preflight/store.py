"""What all stores of the tracking server have in common."""

from __future__ import annotations

import importlib.util
import re
import uuid
from typing import Any

from .mlflow_doctor import PROBE_PREFIX
from .problem import hide_secrets_of
from .wait import Wait


class Store:
    """A store that MLflow uses. One of this class itself is not checked: a folder, for example."""

    # of Python, that the check needs
    module = ""
    checkable = False
    name = ""

    def prepare(self, wait: Wait) -> None:
        """Makes it ready for a server that starts."""
        self.check()

    def check(self) -> None:
        """Uses it as MLflow does."""


def installed(store: Store) -> bool:
    """Whether this Python has what the check of a store needs."""
    try:
        return importlib.util.find_spec(store.module) is not None
    except ModuleNotFoundError:
        # not even the package that the module is in
        return False


class ArtifactStore(Store):
    """The artifact store of the tracking server."""

    # whether clients go there by presigned URLs
    direct = False

    def __init__(self, destination: str) -> None:
        hide_secrets_of(destination)
        # by hand: what urllib refuses is for the store to refuse
        self.bucket, _, path = destination.partition("://")[2].partition("/")
        self.destination = destination
        self.key = "/".join(part for part in (path.strip("/"), PROBE_PREFIX + uuid.uuid4().hex) if part)
        self.client: Any = None
        self.endpoint = ""
        self.name = f"the artifact store at {destination}"

    @property
    def url(self) -> str:
        return f"{self.destination.split(':')[0]}://{self.bucket}/{self.key}"


def distrusts(text: str) -> bool:
    """Whether an error of Python is about a certificate: of its authority or date, or of the host that it is for."""
    return (
        re.search("certificate.verify.failed|hostname .* doesn't match|certificate is not valid for", text, re.IGNORECASE)
        is not None
    )
