import contextlib
import io
import os
import signal
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

from preflight import database
from preflight.database import Database
from preflight.mlflow_versions import NEWEST
from preflight.problem import Problem
from preflight.schema import MLFLOW_TABLES, Note
from preflight.wait import Wait

URI = "postgresql://u:PasswordThatNobodyMaySee@db:5432/mlflow"


class Session:
    def __init__(self, revision, locked=0):
        self.actual = revision
        self.locked = locked
        self.asked = self.given_back = False
        self.text = ""

    def try_lock(self):
        self.locked -= 1
        self.asked = True
        return self.locked < 0

    def unlock(self):
        self.given_back = True

    def revision(self, tables):
        return self.actual

    def remark(self, tables):
        return self.text

    def leave_remark(self, tables, text):
        self.text = text


class Fake(Database):
    def __init__(self, revision, locked=0):
        super().__init__(URI)
        self.a_session = Session(revision, locked)
        self.ran = []

    @contextlib.contextmanager
    def session(self):
        yield self.a_session

    def run(self, cause, tried, program):
        self.ran.append(tried)


def revisions(known, wanted):
    return mock.patch.object(database, "package_revisions", lambda folder: (known, wanted))


def quiet():
    return contextlib.redirect_stdout(io.StringIO())


class Prepare(unittest.TestCase):
    def prepare(self, store, upgrade="", seconds=5):
        environment = mock.patch.dict(os.environ, {"STARTUP_UPGRADE_SCHEMA": upgrade}, clear=True)
        with environment, quiet() as output, revisions({"a1", "b2"}, "b2"), mock.patch("time.sleep"):
            store.prepare(Wait(seconds))
        return output.getvalue()

    def test_initialises_an_empty_database(self):
        store = Fake(None)
        self.assertEqual(self.prepare(store), "The database is empty: initialising it\n")
        self.assertEqual(store.ran, ["making the tables of MLflow"])

    def test_leaves_the_schema_of_this_mlflow(self):
        store = Fake("b2")
        self.assertEqual(self.prepare(store, upgrade="true"), "")
        self.assertEqual((store.ran, store.a_session.asked), ([], False))

    def test_upgrades_an_older_schema_where_that_is_asked_for(self):
        store = Fake("a1")
        with self.assertRaises(Problem) as met:
            self.prepare(store)
        self.assertEqual((met.exception.name, store.ran), ("schema-older", []))
        self.prepare(store, upgrade="true")
        self.assertEqual(store.ran, ["mlflow db upgrade"])

    def test_never_touches_a_newer_schema(self):
        store = Fake("c3")
        with self.assertRaises(Problem) as met:
            self.prepare(store, upgrade="true")
        self.assertEqual((met.exception.name, store.ran), ("schema-newer", []))

    def test_leaves_a_note_for_older_images(self):
        store = Fake("a1")
        self.prepare(store, upgrade="true")
        note = Note.read(store.a_session.text)
        self.assertEqual((note.revision, note.before, note.job), ("a1", "revision a1", ""))

    def test_tells_an_older_image_what_the_upgrade_has_noted(self):
        store = Fake("c3")
        store.a_session.text = Note("c3", "3.19.0", "revision b2", "mlflow-schema-upgrade").text()
        with self.assertRaises(Problem) as met:
            self.prepare(store)
        text = " ".join(met.exception.lines())
        self.assertIn("The database was upgraded to MLflow 3.19.0, from revision b2.", text)
        self.assertIn("without what was logged since: that of Job mlflow-schema-upgrade, see https://", text)

    def test_tells_what_is_known_of_a_revision_that_nobody_has_noted(self):
        for text in ("", "a comment of somebody else", Note("other", "3.19.0", "", "").text()):
            store = Fake("c3")
            store.a_session.text = text
            with self.assertRaises(Problem) as met:
                self.prepare(store)
            self.assertIn(f"This program knows MLflow up to {NEWEST}, and not this revision", " ".join(met.exception.lines()))

    def test_waits_for_the_job_that_upgrades(self):
        store = Fake("a1")
        done = iter(["a1", "a1", "b2", "b2"])
        store.a_session.revision = lambda tables: next(done)
        environment = mock.patch.dict(os.environ, {"STARTUP_UPGRADE_SCHEMA": "true", "STARTUP_UPGRADE_JOB": "job"})
        with environment, quiet() as output, revisions({"a1", "b2"}, "b2"), mock.patch("time.sleep"):
            store.prepare(Wait(5))
        self.assertEqual(store.ran, [])
        self.assertIn("the Job job has not upgraded it yet", output.getvalue())

    def test_tells_what_a_failed_upgrade_has_left(self):
        for after, state in (("a1", "The schema is as it was"), ("b1", "Some of its steps may be done")):
            store = Fake("a1")
            store.before, store.a_session.actual = "a1", after
            with self.assertRaises(Problem) as met, contextlib.redirect_stderr(io.StringIO()):
                Database.run(store, "schema-upgrade", "upgrading", "raise SystemExit(1)")
            self.assertIn(state, " ".join(met.exception.lines()))

    def test_waits_for_the_lock(self):
        store = Fake(None, locked=2)
        self.assertIn("another pod is initialising it", self.prepare(store))
        self.assertEqual((len(store.ran), store.a_session.given_back), (1, True))

    def test_leaves_what_another_pod_has_done_meanwhile(self):
        store = Fake(None)

        def done(session):
            session.actual = "b2"
            return True

        with mock.patch.object(Session, "try_lock", done):
            self.assertEqual(self.prepare(store), "")
        self.assertEqual((store.ran, store.a_session.given_back), ([], True))

    def test_gives_the_lock_up_at_the_deadline(self):
        with self.assertRaises(Problem) as met:
            self.prepare(Fake(None, locked=99), seconds=0)
        self.assertEqual(met.exception.name, "database-absent")
        self.assertTrue(met.exception.lines())


class Run(unittest.TestCase):
    def test_fails_with_the_exit_code_and_shows_no_password(self):
        program = 'import os, sys; print("tried", os.environ["MLFLOW_BACKEND_STORE_URI"], file=sys.stderr); sys.exit(3)'
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr), self.assertRaises(Problem) as met:
            Database(URI).run("schema-upgrade", "upgrading", program)
        self.assertEqual(met.exception.answer, "exit code 3")
        self.assertEqual(stderr.getvalue(), "tried (password of the URI)\n")

    def test_goes_on_where_nobody_reads_what_it_prints(self):
        with tempfile.TemporaryDirectory() as directory:
            done = os.path.join(directory, "done")
            program = f'import sys; print("a line", file=sys.stderr, flush=True); open({done!r}, "w").close()'
            broken = mock.Mock(write=mock.Mock(side_effect=BrokenPipeError))
            with mock.patch.object(sys, "stderr", broken):
                Database(URI).run("schema-upgrade", "upgrading", program)
            self.assertTrue(os.path.exists(done))

    def test_is_not_cut_off_by_sigterm(self):
        for revision, cause, what in ((None, "initialise", "the initialisation"), ("a1", "upgrade", "the upgrade of the schema")):
            with self.subTest(cause), tempfile.TemporaryDirectory() as directory:
                begun, done = os.path.join(directory, "begun"), os.path.join(directory, "done")
                program = f"import time; open({begun!r}, 'w').close(); time.sleep(0.3); open({done!r}, 'w').close()"

                class Slow(Fake):
                    run = Database.run

                store = Slow(revision)
                store.tables = mock.Mock(wraps=MLFLOW_TABLES, **{cause: ("making tables", program)})

                def terminate(begun=begun):
                    while not os.path.exists(begun):
                        time.sleep(0.01)
                    os.kill(os.getpid(), signal.SIGTERM)

                threading.Thread(target=terminate).start()
                environment = mock.patch.dict(os.environ, {"STARTUP_UPGRADE_SCHEMA": "true"})
                with environment, quiet() as output, revisions({"a1", "b2"}, "b2"), self.assertRaises(SystemExit) as end:
                    store.prepare(Wait(5))
                self.assertEqual(end.exception.code, 143)
                self.assertTrue(os.path.exists(done))
                self.assertIn(f"SIGTERM came: finishing {what} first\n", output.getvalue())


class Words(unittest.TestCase):
    def test_name_the_server_without_the_rest_of_the_uri(self):
        for uri, server in ((URI, "db:5432"), ("postgresql:///mlflow", "localhost"), ("mysql://h/d?x=y", "h")):
            self.assertEqual(Database(uri).server, server)

    def test_name_the_secret_of_the_password(self):
        with mock.patch.dict(os.environ, {"STARTUP_SOURCES": '{"PGPASSWORD": "key p of Secret s"}'}, clear=True):
            fix = Database("postgresql://db/d").problem("database-refuses", "logging in").record()["fix"]
        self.assertIn("Correct key p of Secret s (PGPASSWORD), or the user in the database (ALTER ROLE", fix)


if __name__ == "__main__":
    unittest.main()
