"""The path of an artifact, as an object store takes it."""

from __future__ import annotations

from mlflow.exceptions import MlflowException

# the folder of a run, a model or a trace ends with it
FOLDER = "artifacts"


def contained(path: str | None) -> str | None:
    """A path without ".", ".." and empty parts, which a file system resolves and an object store refuses.

    They are resolved within the folder of a run, a model or a trace only: what stands before has been compared with
    permissions as it is.
    """
    if not path:
        return path
    parts = path.rstrip("/").split("/")
    end = parts.index(FOLDER) + 1 if FOLDER in parts else len(parts)
    kept = parts[:end]
    if {"", ".", ".."} & set(kept):
        raise _invalid(path)
    for part in parts[end:]:
        if part == "..":
            if len(kept) == end:
                raise _invalid(path)
            kept.pop()
        elif part not in ("", "."):
            kept.append(part)
    return "/".join(kept)


def _invalid(path: str) -> Exception:
    error: Exception = MlflowException.invalid_parameter_value(
        f"Invalid path {path[:200]!r}: it leads out of the folder of its run"
    )
    return error
