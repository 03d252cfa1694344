"""The causes that a relocation meets."""

from __future__ import annotations

from .exits import EXIT_DATABASE_REFUSES, EXIT_KEPT, EXIT_STORE_REFUSES, EXIT_USAGE
from .mlflow_doctor import Cause

CAUSES = {
    "relocate-direct": Cause(
        EXIT_USAGE,
        "this server does not serve artifacts: {form}",
        "Clients of it go to the store by themselves, and would find nothing at mlflow-artifacts:/.",
        "Run relocate with the flags of a server that has --serve-artifacts and --artifacts-destination.",
    ),
    "relocate-unsupported": Cause(
        EXIT_USAGE,
        "{form}",
        "Files are listed and copied in S3 buckets only.",
        "Copy the files with a tool of the store, and pass --from instead of --copy-from.",
    ),
    "relocate-tables": Cause(
        EXIT_DATABASE_REFUSES,
        "the database is none that relocate knows: {form}",
        "It reads the tables of MLflow on PostgreSQL, MySQL, SQL Server and SQLite.",
        "Give it the database of the server: {uri_source}.",
    ),
    "relocate-taken": Cause(
        EXIT_STORE_REFUSES,
        "{count} files would take the place of others in the artifact store; nothing was copied, and nothing changed",
        "The server has its own files at these paths: most often those of its experiment 0, or of another server's copy.",
        "Remove those that nobody needs, or give this server a destination with another prefix.",
    ),
    "relocate-copy": Cause(
        EXIT_STORE_REFUSES,
        "a copy is not what was copied; nothing was changed in the database",
        "The file was written meanwhile, or the store changes what it keeps.",
        "Run it again: what was copied well is not copied again.",
    ),
    "relocate-absent": Cause(
        EXIT_STORE_REFUSES,
        "none of the files that --from speaks of is in the artifact store; nothing was changed",
        "Rows would say that artifacts are at {destination}, where nothing is.",
        "Copy them first, or pass --copy-from, which does: {roots}.",
    ),
    "relocate-verify": Cause(
        EXIT_KEPT,
        "what was moved is not all as it should be when read through the server",
        "The database is changed. A server that keeps rows in a cache, a proxy before it, or files that were missing before "
        "are what is left to look at.",
        "See whether it was like this before: relocate --undo with the name above, and --apply, takes everything back.",
    ),
    "relocate-undo": Cause(
        EXIT_USAGE,
        "the undo file cannot be used: {form}",
        "Nothing was changed.",
        "Pass the name as relocate --apply has printed it, or the path of the file where it was kept.",
    ),
}
