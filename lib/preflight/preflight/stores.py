"""The stores that the flags of the server and its environment name."""

from __future__ import annotations

import os
import re

from .cloud import AzureStore, GoogleStore
from .database import Database
from .environment import destination_of, flag, login_settings, scheme_of
from .postgres import Postgres, is_postgres
from .s3 import S3Store
from .schema import LOGIN_TABLES, MLFLOW_TABLES, REGISTRY_TABLES, Tables
from .sql import OtherDatabase
from .store import ArtifactStore

STORES: dict[str, type[ArtifactStore]] = {"s3": S3Store, "gs": GoogleStore, "wasbs": AzureStore}


def artifact_store(arguments: list[str]) -> ArtifactStore:
    destination = destination_of(arguments)
    return STORES.get(scheme_of(destination), ArtifactStore)(destination)


def database_at(uri: str, tables: Tables = MLFLOW_TABLES, root: str = "", variable: str = "") -> Database:
    is_server = re.match(r"(mysql|mssql)(\+\w+)?:", uri) is not None
    kind = Postgres if is_postgres(uri) else OtherDatabase if is_server else Database
    return kind(uri, tables, root, variable)


def backend_store(arguments: list[str]) -> Database:
    uri = flag(arguments, "--backend-store-uri")
    variable = "" if uri else "MLFLOW_BACKEND_STORE_URI"
    return database_at(uri or os.environ.get(variable, ""), root=artifact_root(arguments), variable=variable)


def artifact_root(arguments: list[str]) -> str:
    return flag(arguments, "--default-artifact-root", os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT", ""))


def registry_of(arguments: list[str], database: Database) -> Database:
    """Where the model registry is, in this database or in one of its own."""
    return next(iter(registry_store(arguments)), database)


def registry_store(arguments: list[str]) -> list[Database]:
    """That of the model registry, where it has one of its own."""
    uri = flag(arguments, "--registry-store-uri")
    variable = "" if uri else "MLFLOW_REGISTRY_STORE_URI"
    own = uri or os.environ.get(variable, "")
    return [database_at(own, REGISTRY_TABLES, artifact_root(arguments), variable)] if own else []


def login_database() -> Database:
    return database_at(login_settings().get("database_uri", ""), tables=LOGIN_TABLES)
