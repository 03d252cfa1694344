import contextlib
import io
import os
import sys
import types
import unittest
from unittest import mock

from preflight.problem import Problem
from preflight.s3 import S3Store, resolves, skew

ERRORS = (
    "BotoCoreError",
    "ClientError",
    "EndpointConnectionError",
    "NoCredentialsError",
    "ParamValidationError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "ProxyConnectionError",
    "SSLError",
)
exceptions = types.ModuleType("botocore.exceptions")
exceptions.BotoCoreError = type("BotoCoreError", (Exception,), {})
for error_name in ERRORS[1:]:
    setattr(exceptions, error_name, type(error_name, (exceptions.BotoCoreError,), {}))
botocore = types.ModuleType("botocore")
botocore.exceptions = exceptions
sys.modules.update({"botocore": botocore, "botocore.exceptions": exceptions})

KEYS = {"AWS_ACCESS_KEY_ID": "minioadmin", "AWS_SECRET_ACCESS_KEY": "SecretThatNobodyMaySee"}
ENDPOINT = "http://minio:9000"


def environment(**variables):
    return mock.patch.dict(
        os.environ, {**KEYS, "MLFLOW_S3_ENDPOINT_URL": ENDPOINT, "HOME": "/nonexistent", **variables}, clear=True
    )


def refusal(code, status=403, **details):
    error = exceptions.ClientError()
    error.response = {
        "Error": {"Code": code, "Message": "the message", **details},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {"server": "MinIO"}},
    }
    return error


class Client:
    """What boto3 gives, with one object."""

    def __init__(self, **refusals):
        self.refusals = refusals
        self.calls = []
        self.meta = types.SimpleNamespace(region_name="us-east-1", endpoint_url=ENDPOINT, config=types.SimpleNamespace(s3={}))

    def __getattr__(self, action):
        def call(**arguments):
            self.calls.append(action)
            if action in self.refusals:
                raise self.refusals[action]
            if action == "put_object":
                self.object = arguments
            body = types.SimpleNamespace(read=lambda: self.object["Body"])
            return {"Body": body} if action == "get_object" else {}

        return call


def check(client):
    store = S3Store("s3://bucket")
    store.client, store.endpoint = client, ENDPOINT
    store.check()


def problem_of(error, action="list_objects_v2"):
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            check(Client(**{action: error}))
        except Problem as problem:
            return problem
    raise AssertionError("no problem")


class Check(unittest.TestCase):
    def test_uses_the_bucket_as_mlflow_does_and_leaves_nothing(self):
        client = Client()
        with environment():
            check(client)
        self.assertEqual(client.calls, ["list_objects_v2", "get_bucket_location", "put_object", "get_object", "delete_object"])

    def test_uploads_with_the_arguments_of_mlflow(self):
        client = Client()
        with environment(MLFLOW_S3_UPLOAD_EXTRA_ARGS='{"StorageClass": "COLD"}'):
            check(client)
        self.assertEqual(client.object["StorageClass"], "COLD")

    def test_names_upload_arguments_that_are_none(self):
        for extra in ("no JSON", "[1]"):
            with environment(MLFLOW_S3_UPLOAD_EXTRA_ARGS=extra), self.assertRaises(Problem) as met:
                check(Client())
            self.assertEqual(met.exception.name, "upload-args-form")

    def test_reads_back_what_it_wrote(self):
        client = Client()
        client.get_object = lambda **_: {"Body": types.SimpleNamespace(read=lambda: b"other")}
        with environment(), self.assertRaises(Problem) as met:
            check(client)
        self.assertEqual(met.exception.name, "store-error")

    def test_has_a_cause_for_every_refusal(self):
        for code, cause in (
            ("InvalidAccessKeyId", "key-unknown"),
            ("SignatureDoesNotMatch", "secret-wrong"),
            ("InvalidTokenId", "session-token"),
            ("RequestTimeTooSkewed", "clock"),
            ("PermanentRedirect", "region"),
            ("NoSuchBucket", "bucket-missing"),
            ("AccessDenied", "denied"),
            ("XMinioStorageFull", "store-full"),
            ("SlowDown", "store-error"),
        ):
            with self.subTest(code), environment():
                problem = problem_of(refusal(code))
                self.assertEqual(problem.name, cause)
                text = "\n".join(problem.lines())
                self.assertIn('where:  http://minio:9000, answered by "MinIO"', text)
                self.assertIn("as minio... (10 characters)", text)
                self.assertNotIn("NobodyMaySee", text)

    def test_has_a_cause_for_every_error_of_boto3(self):
        for name, cause in (
            ("EndpointConnectionError", "store-absent"),
            ("NoCredentialsError", "key-missing"),
            ("ParamValidationError", "store-absent"),
            ("ProfileNotFound", "profile-missing"),
            ("ProxyConnectionError", "proxy"),
            ("SSLError", "store-tls"),
        ):
            with self.subTest(name), environment():
                problem = problem_of(getattr(exceptions, name)("the message"))
                self.assertEqual(problem.name, cause)
                self.assertTrue(problem.lines())

    def test_without_keys_it_is_the_identity_of_the_pod(self):
        with environment(STARTUP_POD_IDENTITY="true", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY=""):
            problem = problem_of(exceptions.NoCredentialsError("none"))
        self.assertEqual(problem.name, "pod-identity")
        self.assertIn("as the identity of the pod", problem.tried)

    def test_knows_another_server_by_the_missing_endpoint(self):
        with environment(AWS_ENDPOINT_URL_S3="http://elsewhere"):
            del os.environ["MLFLOW_S3_ENDPOINT_URL"]
            self.assertEqual(problem_of(refusal("InvalidAccessKeyId")).name, "endpoint-elsewhere")

    def test_names_the_secrets_that_the_pod_has_the_keys_from(self):
        sources = '{"AWS_ACCESS_KEY_ID": "key a of Secret s", "AWS_SECRET_ACCESS_KEY": "key b of Secret s"}'
        with environment(STARTUP_SOURCES=sources):
            self.assertIn("Compare key a of Secret s", problem_of(refusal("InvalidAccessKeyId")).lines()[-1])
            self.assertIn("into key b of Secret s", problem_of(refusal("SignatureDoesNotMatch")).lines()[-1])

    def test_a_user_that_may_come_late_is_waited_for(self):
        for value in ("true", "false"):
            with environment(STARTUP_USER_MAY_COME_LATE=value):
                self.assertIs(problem_of(refusal("InvalidAccessKeyId")).passing, value == "true")

    def test_encryption_that_the_store_has_not_is_no_matter_of_the_bucket(self):
        with environment(MLFLOW_S3_UPLOAD_EXTRA_ARGS='{"ServerSideEncryption": "aws:kms"}'):
            self.assertEqual(problem_of(refusal("NotImplemented", 501), "put_object").name, "upload-args")
            self.assertEqual(problem_of(refusal("AccessDenied"), "put_object").name, "denied")

    def test_another_region_is_a_warning_unless_clients_go_there(self):
        client = Client()
        client.get_bucket_location = lambda **_: {"LocationConstraint": "eu-west-1"}
        stderr = io.StringIO()
        with environment(), contextlib.redirect_stderr(stderr):
            check(client)
        self.assertIn("WARNING: the region is us-east-1, and the artifact store is in eu-west-1", stderr.getvalue())
        with environment(STARTUP_ARTIFACT_TRANSFER="direct"), self.assertRaises(Problem) as met:
            check(client)
        self.assertEqual(met.exception.name, "region")


class Clock(unittest.TestCase):
    def test_that_is_off_is_told_in_minutes(self):
        with mock.patch("time.time", lambda: 1_000_000_000 + 1200):
            self.assertEqual(skew("Sun, 09 Sep 2001 01:46:40 GMT"), "; this node is 20 minutes ahead")
        for date in (None, "", "yesterday"):
            self.assertEqual(skew(date), "")


class Names(unittest.TestCase):
    def test_that_have_no_address_do_not_resolve(self):
        self.assertTrue(resolves("127.0.0.1"))
        with mock.patch("socket.getaddrinfo", side_effect=OSError):
            self.assertFalse(resolves("minio"))


if __name__ == "__main__":
    unittest.main()
