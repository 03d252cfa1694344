import hashlib
import http.server
import json
import threading
import unittest
from unittest import mock

from preflight import relocate_check as module
from preflight.mlflow_doctor import WORKSPACE_HEADER, TrackingServer
from preflight.problem import Problem
from preflight.relocate_check import Check, Moved, spread
from preflight.relocate_files import File


class Store:
    def __init__(self, **files):
        self.content = {path.replace("__", "/"): content for path, content in files.items()}

    def files(self, below=""):
        return (File(path, len(content), "") for path, content in self.content.items() if path.startswith(below))

    def sha256(self, path):
        return hashlib.sha256(self.content[path]).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get(WORKSPACE_HEADER)))
        self.server.logins.append(self.headers.get("Authorization"))
        if self.path in self.server.moved:
            self.send_response(302)
            self.send_header("Location", self.server.moved[self.path])
            self.end_headers()
            return
        answer = self.server.answers.get(self.path)
        self.send_response(404 if answer is None else 200)
        self.end_headers()
        self.wfile.write(answer or b"")

    def log_message(self, *_):
        pass


class Checks(unittest.TestCase):
    def setUp(self):
        self.server = self.serve()

    def serve(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.answers, server.asked, server.moved, server.logins = {}, [], {}, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def tells(self, run, uri):
        path = f"/api/2.0/mlflow/runs/get?run_id={run}"
        self.server.answers[path] = json.dumps({"run": {"info": {"artifact_uri": uri}}}).encode()

    def gives(self, path, content):
        self.server.answers[f"/api/2.0/mlflow-artifacts/artifacts/{path}"] = content

    def check(self, moved, store, wanted=20):
        with mock.patch.object(module, "say") as said:
            Check(TrackingServer(f"http://127.0.0.1:{self.server.server_port}"), store, wanted).run(moved)
        return said.call_args[0][0]

    def moved(self, run="r", workspace="default"):
        return Moved("run", {"run_uuid": run}, workspace, f"mlflow-artifacts:/1/{run}", f"1/{run}")

    def wrong(self, *arguments):
        with self.assertRaises(Problem) as caught:
            self.check(*arguments)
        self.assertEqual(caught.exception.name, "relocate-verify")
        return caught.exception.answer

    def test_what_is_as_it_should_be(self):
        self.tells("r", "mlflow-artifacts:/1/r")
        self.gives("1/r/a%20b", b"content")
        said = self.check([self.moved()], Store(**{"1__r__a b": b"content", "1__rest": b"of another"}))
        self.assertEqual(said, "Checked through the server: 1 of 1 places, 1 files of 7 bytes, all as they are in the store")
        self.assertEqual({workspace for _, workspace in self.server.asked}, {None})

    def test_another_place_other_content_and_no_file(self):
        self.tells("r", "s3://b/1/r")
        self.assertEqual(self.wrong([self.moved()], Store()), "run r: the server tells s3://b/1/r")
        self.tells("r", "mlflow-artifacts:/1/r")
        self.assertEqual(self.wrong([self.moved()], Store(**{"1__r__a": b"content"})), "run r: 1/r/a: 404")
        self.gives("1/r/a", b"CONTENT")
        self.assertIn("1/r/a: other content than in the store", self.wrong([self.moved()], Store(**{"1__r__a": b"content"})))

    def test_what_is_deleted_is_looked_for_in_the_store_only(self):
        self.assertIn("1 of 1 places", self.check([self.moved()], Store()))

    def test_each_workspace_is_asked_as_itself(self):
        for run in "ab":
            self.tells(run, f"mlflow-artifacts:/1/{run}")
        self.check([self.moved("a", "team"), self.moved("b", "other")], Store())
        self.assertEqual([workspace for _, workspace in self.server.asked], ["team", "other"])

    def test_a_sample_has_some_files_of_a_place_and_all_has_all(self):
        self.tells("r", "mlflow-artifacts:/1/r")
        store = Store(**{f"1__r__{number}": b"x" for number in range(5)})
        for number in range(5):
            self.gives(f"1/r/{number}", b"x")
        self.assertIn("3 files of 3 bytes", self.check([self.moved()], store))
        self.assertIn("5 files of 5 bytes", self.check([self.moved()], store, None))

    def test_a_login_goes_to_no_other_host(self):
        elsewhere, path = self.serve(), "/api/2.0/mlflow-artifacts/artifacts/1/r/a"
        self.server.moved[path] = f"http://127.0.0.1:{elsewhere.server_port}/page"
        elsewhere.answers["/page"] = b"content"
        uri = f"http://mlflow:{'PasswordThatNobodyMaySee'}@127.0.0.1:{self.server.server_port}"
        Check(TrackingServer(uri), Store(**{"1__r__a": b"content"}), 20).download("1/r/a")
        self.assertRegex(self.server.logins[0], "^Basic ")
        self.assertEqual(elsewhere.logins, [None])

    def test_a_server_that_is_gone_is_no_other_content(self):
        with self.serve().socket as gone:
            uri = f"http://127.0.0.1:{gone.getsockname()[1]}"
        with self.assertRaises(Problem) as caught:
            Check(TrackingServer(uri), Store(), 20).download("1/r/a")
        self.assertEqual(caught.exception.name, "server-absent")

    def test_a_sample_has_each_kind(self):
        runs = [self.moved(str(number)) for number in range(100)]
        other = [runs[0]._replace(kind="trace")]
        chosen = spread(runs + other, 10)
        self.assertEqual([each.keys["run_uuid"] for each in chosen if each.kind == "run"], ["0", "20", "40", "60", "80"])
        self.assertIn(other[0], chosen)
        self.assertEqual(spread(runs, None), runs)
        self.assertEqual(spread([], 5), [])


if __name__ == "__main__":
    unittest.main()
