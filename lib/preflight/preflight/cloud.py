"""The artifact store in a bucket of Google Cloud Storage, or in a container of Azure Blob Storage."""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from typing import Any

from .mlflow_doctor import PROBE_PREFIX
from .problem import HIDDEN, USUAL, Problem, warn
from .store import ArtifactStore, distrusts


class CloudStore(ArtifactStore):
    """A store with a Python library of its own, which MLflow uses too: one object is put, read and deleted."""

    checkable = True
    # where the library takes credentials from
    reads = ""

    def connect(self) -> Any:
        """A client, made as MLflow makes its own."""
        raise NotImplementedError

    def put(self, content: bytes) -> None:
        raise NotImplementedError

    def get(self) -> bytes:
        raise NotImplementedError

    def delete(self) -> None:
        raise NotImplementedError

    def facts(self, error: Exception) -> tuple[int | None, str]:
        """Status and code of an answer; None where there was no answer."""
        raise NotImplementedError

    def check(self) -> None:
        step, content = "making a client for", uuid.uuid4().bytes
        try:
            if self.client is None:
                self.client = self.connect()
            step = "PUT"
            self.put(content)
            step = "GET"
            back = self.get()
            step = "DELETE"
            self.delete()
            step = ""
        except Problem:
            raise
        # the libraries raise errors of many packages
        except Exception as error:
            raise self.problem(error, f"{step} {self.url}") from None
        finally:
            # SIGTERM ends a check as well; what is left is written over by the next check, and deleted with it
            if step in ("GET", "DELETE"):
                with contextlib.suppress(Exception):
                    self.delete()
        if back != content:
            answer = "other content than was put"
            raise Problem("store-error", f"GET {self.url}", self.endpoint, answer, answer_code="content")

    def problem(self, error: Exception, tried: str) -> Problem:
        status, code = self.facts(error)
        # without what follows in Azure's: a number that is another each time, and the answer again
        text = f"{type(error).__name__}: {str(error).partition(chr(10) + 'RequestId:')[0]}"
        names = {401: "cloud-credentials", 403: "cloud-denied", 404: "cloud-bucket-missing"}
        if distrusts(text):
            name = "store-certificate"
        elif status:
            name = names.get(status, "store-error")
        else:
            name = "cloud-absent"
        if name in ("cloud-credentials", "cloud-absent"):
            # a client keeps credentials, and the next check is to look again
            self.client = None
        bucket = f"{self.destination.split(':')[0]}://{self.bucket}"
        return Problem(name, tried, self.endpoint, text, **{**USUAL, "bucket": bucket, "answer_code": code, "reads": self.reads})


class GoogleStore(CloudStore):
    """A bucket of Google Cloud Storage."""

    module = "google.cloud.storage"
    reads = "google-cloud-storage reads the file in GOOGLE_APPLICATION_CREDENTIALS, else asks for the workload identity."

    def connect(self) -> Any:
        from google.auth.exceptions import DefaultCredentialsError
        from google.cloud import storage

        self.lacking = ""
        try:
            client = storage.Client()
        except DefaultCredentialsError as error:
            # as MLflow does it
            client = storage.Client.create_anonymous_client()
            self.lacking = type(error).__name__
        self.endpoint = client.api_endpoint
        return client

    def put(self, content: bytes) -> None:
        # knows its generation from then on, which is the one that is deleted: a bucket with versions would keep it
        self.blob = self.client.bucket(self.bucket).blob(self.key)
        self.blob.upload_from_string(content, timeout=10, retry=None)

    def get(self) -> bytes:
        return bytes(self.blob.download_as_bytes(timeout=10, retry=None))

    def delete(self) -> None:
        self.blob.delete(timeout=10, retry=None)

    def facts(self, error: Exception) -> tuple[int | None, str]:
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import GoogleAuthError, TransportError

        if isinstance(error, GoogleAPICallError):
            return int(error.code), self.lacking or f"{int(error.code)} {type(error).__name__}"
        # wrong credentials are refused by another server than the store, or are no credentials at all
        refused = isinstance(error, GoogleAuthError) and not isinstance(error, TransportError)
        return 401 if refused or self.client is None else None, type(error).__name__


class AzureStore(CloudStore):
    """A container of Azure Blob Storage."""

    module = "azure.storage.blob"
    reads = (
        "azure-storage-blob gets AZURE_STORAGE_CONNECTION_STRING, else AZURE_STORAGE_ACCESS_KEY, else the workload identity "
        "(DefaultAzureCredential)."
    )

    def __init__(self, destination: str) -> None:
        super().__init__(destination)
        parts = re.fullmatch(r"([^@]+)@([^.]+\.blob\.core\.(windows\.net|chinacloudapi\.cn|usgovcloudapi\.net))", self.bucket)
        self.container, self.host = parts.groups()[:2] if parts else ("", "")
        self.version: str | None = None
        self.told = False

    def connect(self) -> Any:
        from azure.storage.blob import BlobServiceClient

        if not self.container:
            raise Problem("destination-form", "reading --artifacts-destination", form=self.destination)
        # MLflow takes these two for all its connections
        insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "false").lower() in ("true", "1")
        options = {
            "connection_verify": False if insecure else os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True,
            "connection_timeout": 3,
            "read_timeout": 10,
            "retry_total": 0,
        }
        connection = os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
        if connection is not None:
            for key in re.findall(r"(?:AccountKey|SharedAccessSignature)=([^;]+)", connection):
                HIDDEN[key] = "(AZURE_STORAGE_CONNECTION_STRING)"
            client = BlobServiceClient.from_connection_string(connection, **options)
        else:
            credential: Any = os.environ.get("AZURE_STORAGE_ACCESS_KEY")
            if credential is None:
                from azure.identity import DefaultAzureCredential

                credential = DefaultAzureCredential()
            client = BlobServiceClient(f"https://{self.host}", credential=credential, **options)
        self.endpoint = client.url.split("?")[0]
        return client

    @property
    def blob(self) -> Any:
        return self.client.get_blob_client(self.container, self.key)

    def put(self, content: bytes) -> None:
        self.version = self.blob.upload_blob(content, overwrite=True).get("version_id")

    def get(self) -> bytes:
        return bytes(self.blob.download_blob().readall())

    def delete(self) -> None:
        from azure.core.exceptions import HttpResponseError

        self.blob.delete_blob()
        # which only makes a former version of it, in a container with versions
        if self.version:
            try:
                self.blob.delete_blob(version_id=self.version)
            except HttpResponseError as error:
                if error.status_code != 403:
                    raise
                if not self.told:
                    self.told = True
                    warn(
                        f"the container {self.container} keeps versions, and the identity of the pod may not delete one, so each "
                        f"check leaves a small one below {PROBE_PREFIX}: allow deleteBlobVersion, or remove them by a rule of "
                        "lifecycle management"
                    )

    def facts(self, error: Exception) -> tuple[int | None, str]:
        from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError, ServiceResponseError

        code = getattr(error, "error_code", None) or type(error).__name__
        code = getattr(code, "value", code)
        if isinstance(error, (ServiceRequestError, ServiceResponseError)):
            return None, code
        status = error.status_code if isinstance(error, HttpResponseError) else None
        refused = isinstance(error, ClientAuthenticationError) or "failed to authenticate" in str(error)
        return 401 if refused or self.client is None else status, code
