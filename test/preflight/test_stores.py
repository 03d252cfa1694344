import os
import unittest
from unittest import mock

from preflight.cloud import AzureStore, GoogleStore
from preflight.database import Database
from preflight.postgres import Postgres
from preflight.s3 import S3Store
from preflight.schema import LOGIN_TABLES, REGISTRY_TABLES
from preflight.sql import OtherDatabase
from preflight.store import ArtifactStore
from preflight.stores import artifact_store, backend_store, database_at, login_database, registry_store


def environment(**variables):
    return mock.patch.dict(os.environ, variables, clear=True)


class Registry(unittest.TestCase):
    def test_has_a_database_of_its_own_where_a_uri_says_so(self):
        uri = "postgresql://u:p@registry.example.com/models"
        with environment():
            self.assertEqual(registry_store(["--backend-store-uri=postgresql://db/runs"]), [])
            [of_flag] = registry_store([f"--registry-store-uri={uri}"])
        with environment(MLFLOW_REGISTRY_STORE_URI=uri):
            [of_variable] = registry_store([])
        for store in (of_flag, of_variable):
            self.assertIs(type(store), Postgres)
            self.assertIs(store.tables, REGISTRY_TABLES)
            self.assertEqual(store.name, "the database of the model registry at registry.example.com")


class Kinds(unittest.TestCase):
    def test_of_artifact_stores(self):
        for destination, kind in (
            ("s3://bucket", S3Store),
            ("gs://bucket", GoogleStore),
            ("wasbs://c@a.blob.core.windows.net", AzureStore),
            ("/data", ArtifactStore),
            ("", ArtifactStore),
        ):
            with environment():
                self.assertIs(type(artifact_store([f"--artifacts-destination={destination}"])), kind)
            with environment(MLFLOW_ARTIFACTS_DESTINATION=destination):
                self.assertIs(type(artifact_store([])), kind)

    def test_of_databases(self):
        for uri, kind in (
            ("postgresql://h/d", Postgres),
            ("postgres://h/d", Postgres),
            ("postgresql+psycopg://h/d", Postgres),
            ("mysql+pymysql://h/d", OtherDatabase),
            ("mssql+pymssql://h/d", OtherDatabase),
            ("sqlite:////data/mlflow.db", Database),
            ("", Database),
        ):
            with environment():
                self.assertIs(type(database_at(uri)), kind)


class BackendStore(unittest.TestCase):
    def test_is_that_of_the_flag_before_that_of_the_environment(self):
        with environment(MLFLOW_BACKEND_STORE_URI="postgresql://u:p@other/d", MLFLOW_DEFAULT_ARTIFACT_ROOT="s3://root"):
            flagged = backend_store(["--backend-store-uri", "postgresql://one/d"])
            found = backend_store([])
        self.assertEqual(
            (flagged.server, flagged.root, flagged.values["uri_source"]), ("one", "s3://root", "--backend-store-uri")
        )
        self.assertEqual((found.server, found.values["uri_source"]), ("other", "MLFLOW_BACKEND_STORE_URI"))
        self.assertEqual(found.values["password_source"], "MLFLOW_BACKEND_STORE_URI")
        self.assertEqual(flagged.values["password_source"], "PGPASSWORD")

    def test_of_the_login_has_tables_of_its_own(self):
        with environment():
            self.assertIs(login_database().tables, LOGIN_TABLES)


if __name__ == "__main__":
    unittest.main()
