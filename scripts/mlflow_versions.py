#!/usr/bin/env python3
"""Which releases of MLflow have which revision of the schema: looked up in the migrations that the releases themselves ship.

python scripts/mlflow_versions.py           downloads releases with pip, and writes lib/preflight/preflight/mlflow_versions.py
                                            and docs/reference/schema-revisions.md
python scripts/mlflow_versions.py --check   fails where the revisions of the installed MLflow are not those in the table

Revisions follow one another, so two releases of the same newest revision have it in between, too: such releases are not
downloaded. Needs pip with a package registry, and takes some minutes.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile
from functools import cache

ROOT = pathlib.Path(__file__).parent.parent
PREFLIGHT = ROOT / "lib/preflight"
MODULE = PREFLIGHT / "preflight/mlflow_versions.py"
PAGE = ROOT / "docs/reference/schema-revisions.md"
OLDEST = (2, 0, 1)

sys.path.insert(0, str(PREFLIGHT))

from preflight.schema import LOGIN_TABLES, MLFLOW_TABLES, Tables, chain, package_revisions, revision_of  # noqa: E402

ALL_TABLES = (MLFLOW_TABLES, LOGIN_TABLES)
# newest revision: first and last release that has it
Releases = dict[str, tuple[str, str]]

HEAD = '''"""The revisions of the schema, and the releases of MLflow that want them: written by scripts/mlflow_versions.py."""

from __future__ import annotations

# the newest release that was looked at
NEWEST = "{newest}"

# by the table of the revision: every revision in its order, with the first and the last release whose newest it is; None where
# no release since {oldest} stopped there
RELEASES: dict[str, dict[str, tuple[str, str] | None]] = {{
'''
TEXT = """# Revisions of the schema

The tables of MLflow have a revision, which stands in the database itself, and each release of MLflow wants one. This is which
release wants which, as it was found in the migrations that the releases ship, from {oldest} to {newest}. The preflight has the
same table, and names the releases in its messages. [How to upgrade](../upgrade.md#a-new-version-of-mlflow).

This page is written by `python scripts/mlflow_versions.py`.
"""


def version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def releases() -> list[str]:
    """All final releases from the oldest on, in their order."""
    listed = re.search(r"Available versions: (.*)", pip("index", "versions", "mlflow"))
    found = [version for version in (listed[1] if listed else "").split(", ") if re.fullmatch(r"\d+\.\d+\.\d+", version)]
    return sorted((version for version in found if version_key(version) >= OLDEST), key=version_key)


@cache
def chains(version: str) -> tuple[tuple[str, ...], ...]:
    """The revisions of a release, from the first to the newest, of all its tables."""
    with tempfile.TemporaryDirectory() as folder:
        # the half with the name skinny has the migrations as well, and is smaller; not each release has it in the registry
        for package in ("mlflow-skinny", "mlflow"):
            try:
                pip("download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder, f"{package}=={version}")
                break
            except subprocess.CalledProcessError:
                continue
        (wheel,) = pathlib.Path(folder).glob("*.whl")
        print(f"{version}: {wheel.name}", file=sys.stderr, flush=True)
        with zipfile.ZipFile(wheel) as archive:
            return tuple(chain_in(archive, tables) for tables in ALL_TABLES)


def chain_in(archive: zipfile.ZipFile, tables: Tables) -> tuple[str, ...]:
    folder = "/".join(("mlflow", *tables.folder))
    names = [name for name in archive.namelist() if re.fullmatch(rf"{folder}/[^/]+\.py", name)]
    return tuple(chain(revision_of(archive.read(name).decode()) for name in names))


def wanted(versions: list[str], which: int) -> Releases:
    """By the newest revision, the first and the last release that has it."""
    found: dict[str, str] = {}

    def look(low: int, high: int) -> None:
        ends = [(chains(versions[at])[which] or ("",))[-1] for at in (low, high)]
        if ends[0] == ends[1]:
            found.update(dict.fromkeys(versions[low : high + 1], ends[0]))
            return
        found.update({versions[low]: ends[0], versions[high]: ends[1]})
        if high - low > 1:
            middle = (low + high) // 2
            look(low, middle)
            look(middle, high)

    look(0, len(versions) - 1)
    result: Releases = {}
    for version in versions:
        if found[version]:
            result[found[version]] = (result.get(found[version], (version,))[0], version)
    return result


def shown(pair: tuple[str, str] | None) -> str:
    if pair is None:
        return "none"
    return pair[0] if pair[0] == pair[1] else f"{pair[0]} to {pair[1]}"


def write() -> None:
    versions = releases()
    oldest, newest = ".".join(map(str, OLDEST)), versions[-1]
    module = [HEAD.format(newest=newest, oldest=oldest)]
    page = [TEXT.format(newest=newest, oldest=oldest)]
    for which, tables in enumerate(ALL_TABLES):
        wants = wanted(versions, which)
        page.append(
            f"\n## {tables.title[0].upper()}{tables.title[1:]}\n\nIn table `{tables.version_table}`, from old to new.\n\n"
        )
        page.append("| Revision | Releases of MLflow that want it |\n| --- | --- |\n")
        module.append(f'    "{tables.version_table}": {{\n')
        for revision in chains(newest)[which]:
            pair = wants.get(revision)
            module.append(
                f'        "{revision}": {json.dumps(pair).replace("[", "(").replace("]", ")").replace("null", "None")},\n'
            )
            page.append(f"| `{revision}` | {shown(pair)} |\n")
        module.append("    },\n")
    module.append("}\n")
    MODULE.write_text("".join(module))
    PAGE.write_text("".join(page))


def check() -> int:
    """The MLflow that is installed here has the revisions of the table, in their order, and the newest is that of its release."""
    import mlflow
    from preflight.mlflow_versions import RELEASES

    for tables in ALL_TABLES:
        table = RELEASES[tables.version_table]
        installed, head = package_revisions(tables.folder)
        pair = table.get(head or "")
        unknown = sorted(installed - set(table))
        if unknown or pair is None or not version_key(pair[0]) <= version_key(mlflow.__version__) <= version_key(pair[1]):
            print(
                f"ERROR: MLflow {mlflow.__version__} has {head} in {tables.version_table}, for {shown(pair)}; unknown: {unknown}"
            )
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["--check"] else write())
