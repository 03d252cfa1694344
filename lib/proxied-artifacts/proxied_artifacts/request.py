"""What the process knows of the request that it answers, from the layer in front of MLflow to the repository behind it.

It needs nothing installed. Tasks and threads that MLflow starts for a request inherit the variables of its context.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any, Callable


class Download:
    """A request for a file: the layer makes it, and the repository writes down what MLflow has allowed."""

    def __init__(self, placeholder: str) -> None:
        # a folder for the empty file that MLflow answers with
        self.placeholder = placeholder
        self.repository: Any = None
        self.path = ""


class BrokenUpload(Exception):
    """An upload that has not come as it was announced. Nothing of it is stored."""


class Upload:
    """A request that brings a file."""

    def __init__(self, length: int | None) -> None:
        # the bytes that it has announced, where it has
        self.length = length
        # gives what it brings, where that goes past MLflow
        self.straight: Callable[[], AsyncIterator[bytes] | None] = lambda: None
        # what is on its way to the store
        self.transfer: Any = None
        # what the store says of an upload that it does not take, and whether that is for want of room
        self.refusal = ""
        self.no_room = False


DOWNLOAD: ContextVar[Download | None] = ContextVar("proxied_artifacts_download", default=None)
UPLOAD: ContextVar[Upload | None] = ContextVar("proxied_artifacts_upload", default=None)
