"""What MLflow's own login gets to see of a request."""

from __future__ import annotations

from app_layers.asgi import Scope


def passwords_only(scope: Scope, path: str) -> Scope:
    """The request without credentials that are no password: MLflow 3.17 asks for one then, and has 500 where it remembers any.

    Below /gateway they may be those of the provider, to whom MLflow hands them on.
    """
    if path.startswith("/gateway/"):
        return scope
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"authorization" or is_password(value)]
    return {**scope, "headers": headers}


def is_password(credentials: bytes) -> bool:
    return credentials.partition(b" ")[0].lower() == b"basic"
