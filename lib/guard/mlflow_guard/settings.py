"""What the guard lets through, from the environment of the pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

MEBIBYTE = 1024 * 1024


class Settings(NamedTuple):
    """Each field is a prop of the construct."""

    assistant: bool = False
    # bytes of a body, as it comes and as it is unpacked
    max_body: int = 32 * MEBIBYTE
    # whether artifacts stay at the server's own place
    own_places: bool = True
    # file of the token with which Prometheus gets its page where there is a login; empty where it has none
    metrics_token_file: str = ""
    # whether the server has a login that knows passwords and nothing else
    passwords_only: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        size = environment.get("GUARD_MAX_BODY_BYTES", str(cls._field_defaults["max_body"]))
        if not size.isascii() or not size.isdigit() or int(size) == 0:
            raise ValueError(f"GUARD_MAX_BODY_BYTES is a number of bytes, and {size[:40]!r} is none")
        return cls(
            assistant=_flag(environment, "GUARD_ASSISTANT", False),
            max_body=int(size),
            own_places=_flag(environment, "GUARD_OWN_PLACES", True),
            metrics_token_file=environment.get("GUARD_METRICS_TOKEN_FILE", ""),
            passwords_only=_flag(environment, "GUARD_PASSWORDS_ONLY", False),
        )


def _flag(environment: Mapping[str, str], name: str, default: bool) -> bool:
    value = environment.get(name, str(default).lower())
    if value not in ("true", "false"):
        raise ValueError(f"{name} is true or false, and {value[:40]!r} is neither")
    return value == "true"
