"""The causes that the clean-up meets, and no server."""

from __future__ import annotations

from .exits import EXIT_DATABASE_REFUSES, EXIT_ENVIRONMENT, EXIT_KEPT, EXIT_USAGE
from .mlflow_doctor import Cause

CAUSES = {
    "gc-missing": Cause(
        EXIT_USAGE,
        "{variable} not set!",
        "Without it mlflow gc would delete the rows of another store, or the rows only and leave the artifacts.",
        "Set {variable}: {what}.",
    ),
    "gc-schema": Cause(
        EXIT_DATABASE_REFUSES,
        "the database has no tables of MLflow",
        "It is another one than the server's, or the server sees another schema of it (PGOPTIONS with a search_path): mlflow gc "
        "would make empty tables there, and delete nothing.",
        "Give the clean-up the database of the server: {uri_source}, and the variables that libpq reads.",
    ),
    "gc-other-database": Cause(
        EXIT_DATABASE_REFUSES,
        "the database is not that of the tracking server: {form}",
        "mlflow gc would delete runs of another server, whose artifacts this one does not have.",
        "Give the clean-up the database of the server: {uri_source}, and the variables that libpq reads.",
    ),
    "gc-kept": Cause(
        EXIT_KEPT,
        "{count} of what was deleted is kept, since its files cannot be deleted; all else was removed",
        "The files are at a place that the clean-up has no credentials for, most often the s3:// of an experiment from before. "
        "MLflow by itself would have stopped at the first.",
        "Run the clean-up where the credentials are, in the pod of the server, with the same --older-than.",
    ),
    "orphans-unsupported": Cause(
        EXIT_ENVIRONMENT,
        "orphans are looked for in an S3 bucket only, and the artifacts are at {form}",
        "Other stores are listed in other ways, which this program does not know.",
        "Compare the folders of the store with the ids of MLflow by hand.",
    ),
    "orphans-all": Cause(
        EXIT_DATABASE_REFUSES,
        "nothing in the bucket belongs to this database: {count} folders, and no run, model or trace for one of them",
        "The database or the bucket is another one than the server's, most likely, or the database was restored empty.",
        "See --backend-store-uri and --artifacts-destination. Where all of it shall go, remove it with mc rm or aws s3 rm.",
    ),
}
