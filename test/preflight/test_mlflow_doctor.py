import contextlib
import io
import json
import os
import pathlib
import socket
import tempfile
import unittest
from unittest import mock

from preflight import mlflow_doctor
from preflight.mlflow_doctor import HIDDEN, Problem, TrackingServer, client_login, examine, hide_secrets_of, main, redact

URL = "http://mlflow.example:5000"
HTML = b"<!doctype html><title>Sign in</title>"
EXPERIMENT = {"experiment_id": "1", "name": "churn", "artifact_location": "mlflow-artifacts:/1"}


def environment(**variables):
    return mock.patch.dict(os.environ, variables, clear=True)


class Server:
    """Answers as a tracking server where all is well, but for the given answers, by a part of the path."""

    def __init__(self, **answers):
        self.answers = {name.replace("_", "-"): answer for name, answer in answers.items()}
        self.requests = []
        self.artifact = b""

    def __call__(self, url, method="GET", body=None, headers=None):
        self.requests.append((method, url, body, headers))
        for part, answer in self.answers.items():
            if part in url:
                answer = answer.pop(0) if isinstance(answer, list) else answer
                return answer if isinstance(answer, tuple) else (200, answer)
        if "artifacts" in url:
            self.artifact = body if method == "PUT" else self.artifact
            return 200, self.artifact
        if "experiments" in url:
            return 200, json.dumps({"experiments": [EXPERIMENT]}).encode()
        return 200, {"health": b"OK", "version": b"3.17.2"}.get(url.rpartition("/")[2], b"{}")


def ask(server, arguments=(URL,), **variables):
    """Exit code and output of the program."""
    output = io.StringIO()
    with mock.patch.object(mlflow_doctor, "request", server), environment(**variables), contextlib.redirect_stdout(output):
        code = main(list(arguments))
    return code, output.getvalue()


class Doctor(unittest.TestCase):
    def test_finds_nothing_where_all_is_well(self):
        server = Server()
        code, text = ask(server)
        self.assertEqual(code, 0)
        self.assertEqual(
            text.splitlines(),
            [
                "✓ environment of this client",
                "✓ tracking server: MLflow 3.17.2",
                "✓ upload through the server",
                "✓ clients kept off the artifact store",
                "✓ experiments are proxied",
            ],
        )
        self.assertEqual([method for method, url, *_ in server.requests if "artifacts" in url], ["PUT", "GET", "DELETE"])

    def test_leaves_no_artifact_where_the_download_fails(self):
        answers = {"artifacts": [(200, b""), (500, b"no"), (200, b"")]}
        server = Server(**answers)
        self.assertEqual(ask(server)[0], 9)
        self.assertEqual([method for method, url, *_ in server.requests if "artifacts" in url], ["PUT", "GET", "DELETE"])

    def test_uploads_the_same_artifact_at_each_try(self):
        server = Server(artifacts=(500, b"no"))
        there = mlflow_doctor.TrackingServer(URL)
        with mock.patch.object(mlflow_doctor, "request", server):
            for _ in range(3):
                self.assertRaises(mlflow_doctor.Problem, there.round_trip)
        self.assertEqual(len({url for _, url, *_ in server.requests}), 1)

    def test_names_a_web_site_that_is_no_tracking_server_and_uploads_nothing_to_it(self):
        server = Server(mlflow=HTML)
        code, text = ask(server)
        self.assertEqual(code, 9)
        self.assertIn("ERROR: what answers there is no MLflow tracking server: it does not tell its version", text)
        self.assertIn(f"fix:    Open {URL} in a browser", text)
        self.assertIn("Sign in", text)
        self.assertEqual({method for method, *_ in server.requests}, {"GET"})

    def test_names_every_answer_that_is_not_what_was_expected(self):
        page = {"experiments": [EXPERIMENT]}
        for part, answers in {
            "server_info": (HTML, b"", b"[]", b"null", b"1", b'"text"', b"\xff"),
            "experiments": (
                HTML,
                b"[]",
                b'{"experiments": 1}',
                b'{"experiments": [1]}',
                b'{"experiments": [{}]}',
                json.dumps({"experiments": [{**EXPERIMENT, "artifact_location": None}]}).encode(),
                b'{"experiments": null}',
            ),
        }.items():
            for answer in answers:
                with self.subTest(part, answer=answer):
                    code, text = ask(Server(**{part: answer}), [URL, "--json"])
                    failed = [check for check in json.loads(text)["checks"] if not check["ok"]]
                    self.assertEqual([check["cause"] for check in failed], ["server-other"])
                    self.assertEqual(code, 9)
        self.assertEqual(ask(Server(experiments=json.dumps(page).encode()))[0], 0)

    def test_turns_all_pages_of_experiments(self):
        old = {**EXPERIMENT, "artifact_location": "s3://models/1"}
        pages = [{"experiments": [EXPERIMENT], "next_page_token": "two"}, {"experiments": [old]}]
        code, text = ask(Server(experiments=[json.dumps(page).encode() for page in pages]))
        self.assertEqual(code, 10)
        self.assertIn('1 "churn" at s3://models/1', text)

    def test_does_not_turn_the_same_page_for_ever(self):
        answer = json.dumps({"experiments": [EXPERIMENT], "next_page_token": "again"}).encode()
        self.assertEqual(ask(Server(experiments=answer))[0], 0)

    def test_names_what_a_server_refuses(self):
        for answer, cause in (
            ((0, b"refused"), "server-absent"),
            ((401, b""), "login-needed"),
            ((403, b""), "login-needed"),
            ((403, b"Invalid Host header"), "host-refused"),
            ((500, b""), "server-error"),
        ):
            code, text = ask(Server(mlflow=answer), ["--json", URL])
            causes = [check.get("cause") for check in json.loads(text)["checks"]]
            self.assertEqual((code, set(causes[1:])), (9, {cause}))

    def test_names_the_store_that_a_server_which_is_up_waits_for(self):
        for part, check, store in (
            ("mlflow-artifacts", "upload through the server", "artifact store"),
            ("experiments", "experiments are proxied", "backend store"),
        ):
            code, text = ask(Server(**{part: (0, b"timed out")}), ["--json", URL])
            failed = [found for found in json.loads(text)["checks"] if not found["ok"]]
            self.assertEqual([(found["check"], found["cause"]) for found in failed], [(check, "server-waits")])
            self.assertEqual((code, failed[0]["title"]), (9, f"the tracking server is up, and waits for its {store}"))

    def test_takes_a_server_that_never_answered_for_absent(self):
        _, text = ask(Server(mlflow=(0, b"timed out")), ["--json", URL])
        self.assertEqual({found["cause"] for found in json.loads(text)["checks"] if not found["ok"]}, {"server-absent"})

    def test_says_timed_out_whatever_part_of_an_answer_is_late(self):
        with socket.create_server(("127.0.0.1", 0)) as late, mock.patch.object(mlflow_doctor, "PATIENCE", 0.1):
            status, answer = mlflow_doctor.request(f"http://127.0.0.1:{late.getsockname()[1]}")
        self.assertEqual((status, answer), (0, b"timed out"))

    def test_names_a_login_that_is_refused(self):
        login = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "SecretThatNobodyMaySee"}
        for status, cause in ((401, "refuses the login of ada"), (403, "does not allow ada")):
            code, text = ask(Server(mlflow=(status, b"SecretThatNobodyMaySee")), **login)
            self.assertEqual(code, 9)
            self.assertIn(cause, text)
            self.assertNotIn("NobodyMaySee", text)

    def test_names_presigned_urls(self):
        code, text = ask(Server(server_info=b'{"multipart_uploads_enabled": true}'))
        self.assertEqual(code, 9)
        self.assertIn("by presigned URLs", text)

    def test_names_settings_of_the_client(self):
        code, text = ask(Server(), AWS_PROFILE="work")
        self.assertEqual(code, 10)
        self.assertIn("AWS_PROFILE set", text)

    def test_has_the_url_of_the_environment_for_a_default(self):
        self.assertEqual(ask(Server(), [], MLFLOW_TRACKING_URI=URL)[0], 0)
        with environment(), contextlib.redirect_stderr(io.StringIO()) as stderr, self.assertRaises(SystemExit) as end:
            main([])
        self.assertEqual(end.exception.code, 2)
        self.assertIn("set MLFLOW_TRACKING_URI", stderr.getvalue())

    def test_prints_the_same_in_a_notebook(self):
        output = io.StringIO()
        with mock.patch.object(mlflow_doctor, "request", Server()), environment(), contextlib.redirect_stdout(output):
            self.assertIsNone(examine(URL))
        self.assertEqual(output.getvalue(), ask(Server())[1])

    def test_survives_every_url(self):
        for url in ("nonsense", "sqlite:///mlflow.db", "http://", "http://[bad", "http://h:port", "http://\n", "databricks"):
            with self.subTest(url), environment(), contextlib.redirect_stdout(io.StringIO()) as output:
                self.assertEqual(main([url]), 9)
                self.assertIn("the tracking server does not answer", output.getvalue())


def check(*names, arguments=()):
    """What the program says of a folder with such files."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        # no request may be sent
        code, text = ask(mock.Mock(side_effect=AssertionError), ["--check-folder", folder, *arguments])
    return code, text.replace(folder, "DIR")


class Folder(unittest.TestCase):
    """The names are those that test/servers/guard.suite.ts logs with MLflow's own client."""

    def test_whose_files_keep_their_names_is_fine(self):
        fine = [
            "a.txt",
            "d/ä ö.txt",
            "100%",
            "a%zz",
            "x ",
            "a&b=c+d;e",
            "[a]{b}<c>",
            "a:b",
            "d/.hidden",
            "..a",
            "p%00q",
            "d/e f/g",
        ]
        self.assertEqual(check(*fine), (0, f"✓ names of files: none of {len(fine)} would change\n"))
        self.assertEqual(check(), (0, "✓ names of files: none of 0 would change\n"))

    def test_is_told_what_becomes_of_each_file(self):
        for name, expected in {
            "x#1.txt": "'x#1.txt' becomes 'x'",
            "x?1.txt": "'x?1.txt' becomes 'x'",
            "d#1/x.txt": "'d#1/x.txt' becomes 'd'",
            "p%20q.txt": "'p%20q.txt' becomes 'p q.txt'",
            "p%2Fq": "'p%2Fq' becomes 'p/q'",
            "%2Fq": "'%2Fq' becomes 'q'",
            "a%2520": "'a%2520' becomes 'a '",
            "a  #": "'a  #' becomes 'a  '",
            "x\t": r"'x\t' becomes 'x'",
            "x\n": r"'x\n' becomes 'x'",
            "x\x1f": r"'x\x1f' becomes 'x%1f'",
            "x\udcff": "'x\\udcff' becomes 'x\ufffd\ufffd\ufffd'",
            "d/x;": "'d/x;' becomes 'd/x'",
            " x": "' x' is listed as 'x', and not found there",
            " d/x": "' d/x' is listed as 'd/x', and not found there",
            "Epoch:1": "'Epoch:1' is listed as 'epoch:1', and not found there",
            "x\ny": r"'x\ny' cannot be logged",
            "d/#x": "'d/#x' cannot be logged",
            "p%23q": "'p%23q' cannot be logged",
            "%2e%2e": "'%2e%2e' cannot be logged",
        }.items():
            with self.subTest(name):
                code, text = check(name, "good.txt")
                self.assertEqual(code, 10)
                self.assertEqual(text.splitlines()[4], f"      answer: {expected}")

    def test_is_told_which_files_become_one(self):
        code, text = check("x#1.txt", "x#2.txt", "x", "y?", "good.txt")
        self.assertEqual(code, 10)
        lines = text.splitlines()
        self.assertEqual(
            lines[:5],
            [
                "✗ names of files",
                "    ERROR: not all files in DIR would become artifacts of the same name",
                "      tried:  reading the names of all files",
                "      where:  DIR",
                "      answer: 'x', 'x#1.txt', 'x#2.txt' become 'x', and one of them is left; 'y?' becomes 'y'",
            ],
        )
        self.assertRegex(lines[5], "^      cause:  MLflow's client puts names into URLs as they are")
        self.assertRegex(lines[6], "^      fix:    Give the files other names")

    def test_is_told_to_machines(self):
        code, text = check("x#1", arguments=["--json"])
        (found,) = json.loads(text)["checks"]
        self.assertEqual((code, found["ok"], found["cause"], found["answer"]), (10, False, "file-names", "'x#1' becomes 'x'"))

    def test_that_cannot_be_read_is_not_fine(self):
        def walk(folder, onerror):
            onerror(PermissionError(13, "Permission denied", "DIR/private"))
            return iter([(folder, [], ["a"])])

        with mock.patch.object(mlflow_doctor.os, "walk", walk):
            code, text = check("a")
        self.assertEqual(code, 10)
        self.assertIn("answer: 'DIR/private' cannot be read\n", text)

    def test_that_is_none_or_comes_with_a_url_is_a_wrong_call(self):
        for arguments, expected in (
            (["--check-folder", __file__], "no folder: "),
            (["--check-folder", ".", URL], "not allowed with"),
        ):
            with contextlib.redirect_stderr(io.StringIO()) as stderr, self.assertRaises(SystemExit) as end:
                main(arguments)
            self.assertEqual(end.exception.code, 2)
            self.assertIn(expected, stderr.getvalue())


class Login(unittest.TestCase):
    def test_is_that_of_the_url_before_that_of_the_environment(self):
        with environment(MLFLOW_TRACKING_TOKEN="TokenOfTheEnvironment"):
            server = TrackingServer("https://ada:p%40ss@mlflow.example/prefix/", client_login())
            self.assertEqual(TrackingServer(URL, client_login()).headers, {"Authorization": "Bearer TokenOfTheEnvironment"})
        self.assertEqual(server.uri, "https://mlflow.example/prefix")
        self.assertEqual(server.headers, {"Authorization": "Basic YWRhOnBAc3M="})

    def test_is_that_of_user_and_password_before_a_token(self):
        with environment(MLFLOW_TRACKING_USERNAME="a", MLFLOW_TRACKING_PASSWORD="b", MLFLOW_TRACKING_TOKEN="c"):
            self.assertEqual(client_login().user, "a")
        with environment(MLFLOW_TRACKING_USERNAME="a"):
            self.assertIsNone(client_login())


class Secrets(unittest.TestCase):
    def setUp(self):
        HIDDEN.clear()

    def test_of_variables_are_taken_out(self):
        for variable in ("PGPASSWORD", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_STORAGE_CONNECTION_STRING"):
            with environment(**{variable: "TheSecret\n"}):
                self.assertEqual(redact("it is TheSecret."), f"it is ({variable}).")

    def test_are_no_parts_of_words(self):
        with environment(PGPASSWORD="abc", AWS_ACCESS_KEY_ID="minio"):
            self.assertEqual(redact("abc minio"), "abc minio")

    def test_of_a_key_id_the_beginning_stays(self):
        with environment(AWS_ACCESS_KEY_ID="minioadmin"):
            self.assertEqual(redact("as minioadmin"), "as minio... (10 characters)")
        with environment(AWS_ACCESS_KEY_ID="x" * 40):
            self.assertEqual(redact("x" * 40), "(not shown, 40 characters)")

    def test_of_uris_are_taken_out_decoded_and_in_pieces(self):
        hide_secrets_of("postgresql://tracker:p%C3%B6ss/NobodyMaySee@db/mlflow")
        for text in ("p%C3%B6ss/NobodyMaySee", "pöss/NobodyMaySee", "NobodyMaySee@db"):
            self.assertNotIn("NobodyMaySee", redact(f"could not resolve {text}"))
        hide_secrets_of("mysql://h/d?password=AnotherSecret&x=y")
        self.assertEqual(redact("AnotherSecret"), "(password of the URI)")

    def test_in_the_query_of_a_url_are_not_in_an_answer(self):
        problem = Problem("server-error", "trying", answer="GET https://h/p?X-Amz-Signature=abcdef\n failed")
        self.assertEqual(problem.answer, "GET https://h/p failed")

    def test_are_in_no_record(self):
        with environment(PGPASSWORD="TheSecretItself"):
            problem = Problem("server-error", "TheSecretItself", "TheSecretItself", "TheSecretItself")
            self.assertNotIn("TheSecretItself", json.dumps(problem.record()) + "".join(problem.lines()))


if __name__ == "__main__":
    unittest.main()
