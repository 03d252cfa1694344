import contextlib
import os
import re
import tempfile
import unittest
from unittest import mock

from preflight.causes import CAUSES
from preflight.commands import COMMANDS, UNKNOWN, namespace
from preflight.mlflow_doctor import OF_CLIENT
from preflight.problem import Problem

# of the whole cluster, or of manifests that have their namespace in them
WITHOUT = ("kubectl get nodes", "kubectl apply -f dist/")


@contextlib.contextmanager
def written(text):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        yield file


class Namespace(unittest.TestCase):
    def test_is_that_of_the_token_or_of_the_names_that_are_looked_for_first(self):
        with (
            written("of-the-token\n") as token,
            written("nameserver 10.0.0.10\nsearch team-a.svc.cluster.local svc.cluster.local a.b\n") as search,
        ):
            self.assertEqual(namespace(token.name, search.name), "of-the-token")
            self.assertEqual(namespace("/no/such", search.name), "team-a")

    def test_is_a_word_to_replace_where_nothing_tells_it(self):
        for text in ("", "nameserver 8.8.8.8\n", "search example.com lan\n", "search svc.cluster.local\n", "# search a.svc.b\n"):
            with written(text) as search:
                self.assertEqual(namespace("/no/such", search.name), UNKNOWN, text)


class Commands(unittest.TestCase):
    def problem(self, name, **values):
        texts = CAUSES[name].title + CAUSES[name].why + CAUSES[name].fix
        return Problem(
            name,
            "trying",
            **{**dict.fromkeys(re.findall(r"\{(\w+)\}", texts), "x"), "kubectl": "kubectl --namespace team-a", **values},
        )

    def test_are_of_causes_that_there_are(self):
        self.assertEqual(set(COMMANDS) - set(CAUSES), set())

    def test_each_cause_of_the_pod_has_some_that_can_be_pasted(self):
        for name in set(CAUSES) - set(OF_CLIENT) - {"login-needed"}:
            with self.subTest(name):
                problem = self.problem(name)
                run = problem.record()["run"]
                self.assertTrue(run)
                for command in run:
                    self.assertTrue(command.startswith("kubectl --namespace team-a ") or command in WITHOUT, command)
                    self.assertNotRegex(command, r"[{}<>…]")
                # and those in the sentences too
                self.assertNotRegex(problem.record()["fix"], r"kubectl (?!--namespace|create secret generic)")
                self.assertEqual(problem.lines()[-len(run) :], [f"  run:    {command}" for command in run])

    def test_name_the_pods_of_a_server_by_label_since_the_deployment_would_be_the_old_one(self):
        self.assertIn(
            "kubectl --namespace team-a logs --selector app.kubernetes.io/component=tracking-server --prefix --tail=20",
            self.problem("server-error").record()["run"],
        )
        for name in COMMANDS:
            self.assertNotIn("logs deployment/", " ".join(COMMANDS[name]))

    def test_name_the_secret_that_the_cause_is_about(self):
        self.assertIn(
            "kubectl --namespace team-a describe secret minio-user",
            self.problem("key-missing", source="key a of Secret minio-user (AWS_ACCESS_KEY_ID)").record()["run"],
        )
        self.assertIn(
            "kubectl --namespace team-a describe secret SECRET",
            self.problem("key-missing", source="AWS_ACCESS_KEY_ID").record()["run"],
        )

    def test_show_no_secret(self):
        with mock.patch.dict(os.environ, {"PGPASSWORD": "minio-user"}):
            self.assertNotIn(
                "minio-user", "".join(self.problem("key-missing", source="key a of Secret minio-user").record()["run"])
            )


if __name__ == "__main__":
    unittest.main()
