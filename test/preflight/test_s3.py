import contextlib
import datetime
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


class ClientError(exceptions.BotoCoreError):
    def __init__(self, response, operation_name):
        super().__init__(operation_name)
        self.response, self.operation_name = response, operation_name


exceptions.ClientError = ClientError


def refusal(code, status=403, **details):
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {"server": "MinIO"}}
    return ClientError({"Error": {"Code": code, "Message": "the message", **details}, "ResponseMetadata": metadata}, "Action")


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


class Bucket(Client):
    """One that keeps versions, each with its key, and markers of deletes."""

    def __init__(self, versions=True, may_delete_versions=True, **refusals):
        super().__init__(**refusals)
        self.versions, self.may_delete_versions = versions, may_delete_versions
        self.kept = []
        self.listed = []
        self.date = "Thu, 26 Nov 2026 12:00:00 GMT"

    def put_object(self, **arguments):
        self.__getattr__("put_object")(**arguments)
        self.kept.append((arguments["Key"], f"v{len(self.calls)}" if self.versions else ""))
        return {"VersionId": self.kept[-1][1]} if self.versions else {}

    def remove(self, Key, VersionId=""):
        if VersionId and not self.may_delete_versions:
            return {"Key": Key, "Code": "AccessDenied", "Message": "the message"}
        if self.versions and not VersionId:
            self.kept.append((Key, "marker"))
        self.kept = [(key, version) for key, version in self.kept if (key, version) != (Key, VersionId)]
        return None

    def delete_objects(self, Delete, **arguments):
        self.__getattr__("delete_objects")(**arguments)
        errors = [self.remove(**target) for target in Delete["Objects"]]
        return {"Errors": [error for error in errors if error]}

    def delete_object(self, Bucket, ExpectedBucketOwner="", **target):
        self.__getattr__("delete_object")()
        if self.remove(**target):
            raise refusal("AccessDenied")

    def list_objects_v2(self, **_):
        self.calls.append("list_objects_v2")
        return {"Contents": self.listed, "ResponseMetadata": {"HTTPHeaders": {"date": self.date}}}


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
        self.assertEqual(client.calls, ["list_objects_v2", "get_bucket_location", "put_object", "get_object", "delete_objects"])

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

    def test_knows_a_full_drive_that_minio_calls_an_internal_error(self):
        message = "We encountered an internal error, please try again.: cause(no space left on device)"
        with environment():
            self.assertEqual(problem_of(refusal("InternalError", 500, Message=message)).name, "store-full")
            self.assertEqual(problem_of(refusal("InternalError", 500)).name, "store-error")

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
            self.assertIn("Compare key a of Secret s", problem_of(refusal("InvalidAccessKeyId")).record()["fix"])
            self.assertIn("into key b of Secret s", problem_of(refusal("SignatureDoesNotMatch")).record()["fix"])

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


class Probes(unittest.TestCase):
    def store(self, client):
        store = S3Store("s3://bucket")
        store.client, store.endpoint = client, ENDPOINT
        return store

    def met(self, store):
        with environment(), self.assertRaises(Problem) as met:
            store.check()
        return met.exception.name

    def test_of_a_bucket_with_versions_leave_neither_a_version_nor_a_marker(self):
        client = Bucket()
        with environment():
            check(client)
            check(client)
        self.assertEqual(client.kept, [])

    def test_go_without_a_version_where_none_may_be_deleted_and_are_seldom_then(self):
        client = Bucket(may_delete_versions=False)
        store = self.store(client)
        with environment(), contextlib.redirect_stderr(io.StringIO()) as stderr:
            for _ in range(3):
                store.check()
            store.next_probe = 0
            store.check()
        self.assertEqual(client.calls.count("put_object"), 2)
        self.assertEqual(client.calls.count("list_objects_v2"), 4)
        self.assertEqual(stderr.getvalue().count("WARNING: the bucket bucket keeps versions"), 1)

    def test_are_deleted_where_a_later_step_fails(self):
        for failing in ("get_object", "delete_objects"):
            for versions in (True, False):
                client = Bucket(versions, **{failing: refusal("SlowDown", 503)})
                self.assertEqual(self.met(self.store(client)), "store-error")
                self.assertEqual(client.kept, [])

    def test_are_deleted_by_the_next_check_where_that_fails_too(self):
        client = Bucket(get_object=refusal("SlowDown", 503), delete_object=refusal("SlowDown", 503))
        store = self.store(client)
        self.met(store)
        self.met(store)
        self.assertEqual(len(client.kept), 2)
        client.refusals.clear()
        with environment():
            store.check()
        self.assertEqual(client.kept, [])

    def test_are_deleted_where_the_pod_ends_in_between(self):
        client = Bucket(get_object=SystemExit())
        with environment(), self.assertRaises(SystemExit):
            check(client)
        self.assertEqual(client.kept, [])

    def test_that_were_refused_are_not_looked_for_again(self):
        store = self.store(Client(put_object=refusal("AccessDenied"), head_object=refusal("404", 404)))
        self.assertEqual(self.met(store), "denied")
        self.assertEqual(store.left, [])

    def test_that_others_left_an_hour_ago_are_deleted(self):
        at = datetime.datetime(2026, 11, 26, 12, tzinfo=datetime.timezone.utc)
        client = Bucket(versions=False)
        names = {"old": at - datetime.timedelta(minutes=61), "running": at - datetime.timedelta(minutes=59)}
        client.listed = [{"Key": f".mlflow-preflight/{name}", "LastModified": when} for name, when in names.items()]
        client.kept = [(found["Key"], "") for found in client.listed]
        with environment():
            check(client)
        self.assertEqual(client.kept, [(".mlflow-preflight/running", "")])

    def test_name_a_store_that_does_not_delete_as_mlflow_does(self):
        for error, cause in (
            (refusal("MissingContentMD5", 400), "delete-md5"),
            (refusal("InvalidRequest", 400, Message="Missing required header for this request: Content-MD5"), "delete-md5"),
            (refusal("NotImplemented", 501), "delete-objects"),
            (refusal("MethodNotAllowed", 405), "delete-objects"),
            (refusal("AccessDenied"), "denied"),
            (refusal("SlowDown", 503), "store-error"),
        ):
            client = Bucket(versions=False, delete_objects=error)
            self.assertEqual(self.met(self.store(client)), cause)
            self.assertEqual(client.kept, [])

    def test_name_an_error_that_stands_in_an_answer_of_200(self):
        client = Bucket(versions=False)
        client.remove = lambda **target: {**target, "Code": "AccessDenied", "Message": "no"}
        self.assertEqual(self.met(self.store(client)), "denied")

    def test_are_for_the_owner_that_mlflow_expects(self):
        client = Client()
        with environment(MLFLOW_S3_EXPECTED_BUCKET_OWNER="123456789012"):
            check(client)
        self.assertEqual(client.object["ExpectedBucketOwner"], "123456789012")


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
