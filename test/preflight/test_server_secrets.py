import contextlib
import io
import os
import sys
import types
import unittest
from unittest import mock

from preflight import environment, server_secrets
from preflight.database import Database
from preflight.problem import Problem
from preflight.server_secrets import ServerSecrets
from preflight.wait import Wait

KEY = "k" * 43 + "="
PUBLIC = "(public)"


class Session:
    def __init__(self, tables):
        self.tables = tables

    def has_table(self, name):
        return name in self.tables

    def rows(self, statement):
        return self.tables[statement.rpartition(" ")[2]]


class Fake(Database):
    checkable = True

    def __init__(self, **tables):
        super().__init__("postgresql://db:5432/mlflow")
        self.a_session = Session(tables)
        self.ran = []

    @contextlib.contextmanager
    def session(self):
        yield self.a_session

    def run(self, cause, tried, program):
        """As the rotation does it."""
        self.ran.append((cause, tried, os.environ["PREVIOUS_KEK_PASSPHRASE"]))
        version = int(os.environ["MLFLOW_CRYPTO_KEK_VERSION"])
        wrapped = f"{os.environ['MLFLOW_CRYPTO_KEK_PASSPHRASE']} {version}".encode()
        keys = self.a_session.tables["secrets"]
        self.a_session.tables["secrets"] = [(version, wrapped) if old == version - 1 else (old, key) for old, key in keys]


class InvalidToken(Exception):
    pass


class Fernet:
    """Opens what begins with its own key."""

    def __init__(self, key):
        self.key = key

    def decrypt(self, token):
        if not token.decode().startswith(self.key):
            raise InvalidToken


def opens(passphrase, version, wrapped):
    return wrapped == f"{passphrase} {version}".encode()


class Secrets(unittest.TestCase):
    def setUp(self):
        fernet = types.ModuleType("cryptography.fernet")
        fernet.Fernet, fernet.InvalidToken = Fernet, InvalidToken
        for patch in (
            mock.patch.dict(sys.modules, {"cryptography": types.ModuleType("cryptography"), "cryptography.fernet": fernet}),
            mock.patch.object(server_secrets, "opens", opens),
            mock.patch.object(server_secrets, "public_passphrase", lambda: PUBLIC),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def prepare(self, database, version="1", passphrase="mine", **more):
        given = {"MLFLOW_CRYPTO_KEK_PASSPHRASE": passphrase, "MLFLOW_CRYPTO_KEK_VERSION": version, **more}
        given = {name: value for name, value in given.items() if value}
        said = io.StringIO()
        quiet = contextlib.redirect_stdout(said), contextlib.redirect_stderr(said)
        with mock.patch.dict(os.environ, given, clear=True), quiet[0], quiet[1]:
            ServerSecrets(database).prepare(Wait(1))
            self.assertNotIn("PREVIOUS_KEK_PASSPHRASE", os.environ)
        return said.getvalue()

    def told(self, database, **given):
        with self.assertRaises(Problem) as raised:
            self.prepare(database, **given)
        return raised.exception

    def test_nothing_is_said_where_there_is_nothing(self):
        self.assertEqual(self.prepare(Fake()), "")
        self.assertEqual(self.prepare(Fake(secrets=[], webhooks=[])), "")

    def test_own_keys_are_well(self):
        self.assertEqual(self.prepare(Fake(secrets=[(1, b"mine 1"), (1, memoryview(b"mine 1"))])), "")

    def test_a_server_without_a_passphrase_is_not_judged(self):
        self.assertEqual(self.prepare(Fake(secrets=[(1, b"(public) 1")]), passphrase=""), "")

    def test_the_public_passphrase_is_told_with_the_version_that_leads_over(self):
        problem = self.told(Fake(secrets=[(1, b"(public) 1")]))

        self.assertEqual((problem.name, problem.cause.code), ("kek-public", 3))
        self.assertIn("kekVersion of TrackingServer to 2", problem.text(problem.cause.fix))

    def test_a_higher_version_encrypts_them_anew_from_the_public_passphrase(self):
        database = Fake(secrets=[(1, b"(public) 1")])

        self.assertEqual(
            self.prepare(database, version="2"),
            "Encrypting the API keys of the AI gateway with passphrase 2, in place of 1\n",
        )
        self.assertEqual(database.ran, [("kek-rotation", "mlflow crypto rotate-kek", PUBLIC)])

    def test_a_higher_version_encrypts_them_anew_from_the_passphrase_of_the_secret(self):
        database = Fake(secrets=[(2, b"old 2"), (3, b"mine 3")])

        self.prepare(database, version="3", PREVIOUS_KEK_PASSPHRASE="old")

        self.assertEqual([previous for *_, previous in database.ran], ["old"])

    def test_a_passphrase_before_that_nobody_has_is_told(self):
        database = Fake(secrets=[(1, b"lost 1")])

        problem = self.told(database, version="2", PREVIOUS_KEK_PASSPHRASE="other")

        self.assertEqual(
            (problem.name, problem.values["actual"], problem.values["wanted"], database.ran), ("kek-version", 1, 2, [])
        )

    def test_a_version_that_was_set_back_is_told(self):
        self.assertEqual(self.told(Fake(secrets=[(3, b"mine 3")]), version="2").values["actual"], 3)

    def test_a_lost_passphrase_is_a_warning(self):
        said = self.prepare(Fake(secrets=[(1, b"lost 1")]))

        self.assertRegex(
            said, r"^WARNING: the passphrase of the server does not open the API keys .* Fix: Put the passphrase back"
        )

    def test_webhooks_that_nobody_can_read_are_a_warning_which_names_them(self):
        rows = [
            ("b", "other", None),
            ("a", "other", None),
            ("well", KEY + "x", None),
            ("plain", None, None),
            ("gone", "other", 5),
        ]

        said = self.prepare(Fake(webhooks=rows), MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY=KEY)

        self.assertIn("WARNING: the key of the server does not open the secrets of 2 webhooks. ", said)
        self.assertIn("DELETE FROM webhooks WHERE webhook_id IN ('a', 'b');", said)

    def test_for_the_doctor_they_are_problems(self):
        database = Fake(webhooks=[("a", "other", None)])
        given = {"MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": KEY}
        with mock.patch.dict(os.environ, given, clear=True), self.assertRaises(Problem) as raised:
            ServerSecrets(database).check()

        self.assertEqual(raised.exception.name, "webhook-key-wrong")

    def test_webhooks_that_open_are_well(self):
        self.assertEqual(self.prepare(Fake(webhooks=[("a", KEY, None)]), MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY=KEY), "")


class Form(unittest.TestCase):
    def judge(self, key):
        with mock.patch.dict(os.environ, {}, clear=True):
            environment.judge_environment({"MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": key}, ["--artifacts-destination=/tmp"])

    def test_a_fernet_key_or_none(self):
        self.judge(KEY)
        self.judge("")

    def test_anything_else_is_told(self):
        for key in ("short", KEY[:-1], KEY + "=", KEY.replace("k", "+", 1)):
            with self.subTest(key), self.assertRaises(Problem) as raised:
                self.judge(key)
            self.assertEqual(raised.exception.name, "webhook-key-form")
            self.assertNotIn(key, "\n".join(raised.exception.lines()))


if __name__ == "__main__":
    unittest.main()
