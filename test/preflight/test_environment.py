import contextlib
import io
import os
import tempfile
import unittest
from unittest import mock

from preflight.environment import (
    CLEANED,
    broken_form,
    clean,
    flag,
    judge_endpoint,
    login_settings,
    looks_encoded,
    number,
    proxy_for,
    put_credentials_in_place,
    suspicious_form,
    upload_arguments,
    wants_keys,
)
from preflight.problem import Problem

KEYS = {"AWS_ACCESS_KEY_ID": "minioadmin", "AWS_SECRET_ACCESS_KEY": "SecretThatNobodyMaySee"}


def environment(**variables):
    return mock.patch.dict(os.environ, variables, clear=True)


def warnings():
    return contextlib.redirect_stderr(io.StringIO())


class Flags(unittest.TestCase):
    def test_one_argument_or_two(self):
        for arguments in (["mlflow", "--port=7"], ["mlflow", "--port", "7"], ["--port=7", "--port=8"]):
            self.assertEqual(flag(arguments, "--port", "5000"), "7")

    def test_the_default(self):
        for arguments in ([], ["--port"], ["--ports=7"], ["7"]):
            self.assertEqual(flag(arguments, "--port", "5000"), "5000")

    def test_a_flag_may_be_empty(self):
        self.assertEqual(flag(["--port="], "--port", "5000"), "")


class Numbers(unittest.TestCase):
    def test_what_is_none_is_the_default_with_a_warning(self):
        for value in ("tcp://10.0.0.1:8080", "nan", "-1", "99999", "1e9"):
            with self.subTest(value), environment(PORT=value), warnings() as stderr:
                self.assertEqual(number("PORT", 8080, most=65535), 8080)
                self.assertIn("WARNING: PORT is no number", stderr.getvalue())

    def test_what_is_one_is_taken(self):
        for value, expected in (("9090", 9090), ("1.5", 1.5), ("", 8080)):
            with self.subTest(value), environment(PORT=value), warnings() as stderr:
                self.assertEqual(number("PORT", 8080), expected)
                self.assertEqual(stderr.getvalue(), "")


class WhiteSpace(unittest.TestCase):
    def test_is_taken_from_around_each_value_with_a_warning_that_names_the_secret(self):
        variables = [variable for group in CLEANED.values() for variable in group]
        for variable in ("PGUSER", "PGPASSWORD", "PGHOST", "PGDATABASE", "PGPORT", "AZURE_STORAGE_ACCESS_KEY", *KEYS):
            self.assertIn(variable, variables)
        for variable in variables:
            with self.subTest(variable), environment(STARTUP_SOURCES=f'{{"{variable}": "key k of Secret s"}}'):
                values = {variable: " a value\n"}
                with warnings() as stderr:
                    self.assertEqual(clean(values), [variable])
                self.assertEqual(values, {variable: "a value"})
                self.assertIn(f"WARNING: key k of Secret s ({variable}) has white space or a newline", stderr.getvalue())

    def test_stays_where_it_may_mean_something(self):
        values = {"PGOPTIONS": "-c a=b\\ ", "PGAPPNAME": " app ", "PGPASSFILE": "/a b ", "PGSSLROOTCERT": "/a ", "X": " y "}
        with warnings() as stderr:
            self.assertEqual(clean(dict(values)), [])
        self.assertEqual(stderr.getvalue(), "")

    def test_is_taken_once(self):
        values = {"PGUSER": "mlflow\n"}
        with warnings():
            clean(values)
            self.assertEqual(clean(values), [])


class Keys(unittest.TestCase):
    def test_are_wanted_for_s3_unless_the_pod_has_an_identity(self):
        pod = {"STARTUP_POD_IDENTITY": "true"}
        self.assertTrue(wants_keys({}, "") and wants_keys({}, "s3://bucket"))
        self.assertFalse(wants_keys({}, "gs://bucket") or wants_keys({}, "/data") or wants_keys(pod, "s3://bucket"))
        self.assertTrue(wants_keys({**pod, "AWS_ACCESS_KEY_ID": "half"}, "s3://bucket"))

    def test_that_are_missing_are_a_problem(self):
        for variable in KEYS:
            with self.subTest(variable), self.assertRaises(Problem) as met:
                put_credentials_in_place({**KEYS, variable: ""}, "s3://bucket")
            self.assertEqual(met.exception.title, f"{variable} not set!")

    def test_bring_a_region_along(self):
        for given, expected in (
            ({}, ("us-east-1", "us-east-1")),
            ({"AWS_REGION": "eu-west-3"}, ("eu-west-3", "eu-west-3")),
            ({"AWS_DEFAULT_REGION": "a", "AWS_REGION": "b"}, ("a", "b")),
        ):
            values = {**KEYS, **given}
            put_credentials_in_place(values, "s3://bucket")
            self.assertEqual((values["AWS_DEFAULT_REGION"], values["AWS_REGION"]), expected)

    def test_of_other_stores_bring_none(self):
        values = {}
        put_credentials_in_place(values, "gs://bucket")
        self.assertEqual(values, {})

    def test_have_forms_that_no_store_knows(self):
        for value in ('"quoted"', "$(VAR)", "${VAR}", "{{ .Values.key }}", "a b", "a\tb", "\ufeffkey"):
            self.assertIsNotNone(broken_form(value), value)
        self.assertIsNone(broken_form("minioadmin"))

    def test_may_be_swapped_or_encoded(self):
        with environment(AWS_SECRET_ACCESS_KEY="short"):
            self.assertIn("swapped", suspicious_form("AWS_ACCESS_KEY_ID", "x" * 31))
            self.assertIsNone(suspicious_form("AWS_SECRET_ACCESS_KEY", "a-b"))
        self.assertTrue(looks_encoded("bWluaW9hZG1pbgo="))
        self.assertFalse(looks_encoded("minioadmin!"))


class Endpoint(unittest.TestCase):
    def test_with_credentials_in_it_does_not_show_them(self):
        with self.assertRaises(Problem) as met:
            judge_endpoint("http://user:SecretThatNobodyMaySee@minio:9000", "models")
        self.assertEqual(met.exception.title, "MLFLOW_S3_ENDPOINT_URL is no endpoint: it has credentials in it: (not shown)")

    def test_may_have_a_path_of_its_own_but_not_the_bucket(self):
        judge_endpoint("https://ref.supabase.co/storage/v1/s3", "models")
        judge_endpoint("https://s3.example.com/team", "models")
        judge_endpoint("https://s3.example.com/", "")
        for endpoint in (
            "http://minio:9000/models",
            "http://minio:9000/storage/models/",
            "http://minio:9000?x",
            "http://minio#x",
        ):
            with self.subTest(endpoint), self.assertRaises(Problem) as met:
                judge_endpoint(endpoint, "models")
            self.assertEqual(met.exception.name, "endpoint-bucket")
        self.assertRaises(Problem, judge_endpoint, "https://s3.example.com/team", "")

    def test_goes_through_a_proxy_unless_no_proxy_has_it(self):
        with environment(HTTP_PROXY="http://proxy:3128"):
            self.assertEqual(proxy_for("http://minio:9000"), "HTTP_PROXY")
            self.assertIsNone(proxy_for("https://minio:9000"))
        with environment(HTTP_PROXY="http://proxy:3128", NO_PROXY="minio"):
            self.assertIsNone(proxy_for("http://minio:9000"))


class UploadArguments(unittest.TestCase):
    def test_are_a_json_object(self):
        self.assertEqual(upload_arguments({"MLFLOW_S3_UPLOAD_EXTRA_ARGS": '{"A": 1}'}), {"A": 1})
        self.assertEqual(upload_arguments({"MLFLOW_S3_UPLOAD_EXTRA_ARGS": ""}), {})
        for extra in ("no JSON", "[1]", "1", '"text"', "null"):
            with self.subTest(extra), self.assertRaises(Problem) as met:
                upload_arguments({"MLFLOW_S3_UPLOAD_EXTRA_ARGS": extra})
            self.assertEqual(met.exception.name, "upload-args-form")


class LoginSettings(unittest.TestCase):
    def read(self, text):
        with tempfile.NamedTemporaryFile("wb") as file:
            file.write(text)
            file.flush()
            with environment(MLFLOW_AUTH_CONFIG_PATH=file.name):
                return login_settings()

    def test_are_those_of_section_mlflow(self):
        settings = self.read(b"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///x\n")
        self.assertEqual(settings["database_uri"], "sqlite:///x")

    def test_of_no_file_are_none(self):
        with environment():
            self.assertEqual(login_settings(), {})

    def test_of_a_wrong_file_are_a_problem(self):
        for text in (b"", b"\xff\xfe", b"no section = here\n", b"[other]\n", b"[mlflow]\n"):
            with self.subTest(text), self.assertRaises(Problem) as met:
                self.read(text)
            self.assertEqual(met.exception.name, "login-config")


if __name__ == "__main__":
    unittest.main()
