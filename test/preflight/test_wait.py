import contextlib
import io
import os
import signal
import unittest
from unittest import mock

from preflight.problem import Problem
from preflight.wait import Wait, end_at_sigterm, mending, undisturbed, until_well


def quiet():
    return contextlib.redirect_stdout(io.StringIO())


class Case(unittest.TestCase):
    def setUp(self):
        patch = mock.patch("time.sleep")
        self.sleep = patch.start()
        self.addCleanup(patch.stop)


class Waiting(Case):
    def test_says_each_reason_once(self):
        wait = Wait(60)
        with quiet() as output:
            for reason in ("a", "a", "b"):
                self.assertTrue(wait("the store", reason))
        self.assertEqual(output.getvalue(), "Waiting for the store: a\nWaiting for the store: b\n")
        self.assertEqual(self.sleep.call_count, 3)

    def test_ends_in_time(self):
        with quiet():
            self.assertFalse(Wait(0.5)("the store", "a"))
        self.sleep.assert_not_called()

    def test_has_the_deadline_of_the_environment(self):
        for value, expected in (("1.9", 1.9), ("", 300), ("soon", 300), ("nan", 300)):
            with mock.patch.dict(os.environ, {"STARTUP_DEADLINE_SECONDS": value}), contextlib.redirect_stderr(io.StringIO()):
                self.assertEqual(Wait.of_the_environment().seconds, expected)


class UntilWell(Case):
    def run_with(self, *outcomes, seconds=60):
        with quiet():
            return until_well(Wait(seconds), "the store", mock.Mock(side_effect=outcomes))

    def test_tries_again_what_passes(self):
        self.assertEqual(self.run_with(Problem("store-absent", "trying"), "well"), "well")

    def test_says_what_mends_it_once_when_it_takes_long(self):
        absent = [Problem("store-absent", "trying") for _ in range(4)]
        with contextlib.redirect_stdout(io.StringIO()) as output, mock.patch("preflight.wait.HINT_SECONDS", 0):
            self.assertEqual(until_well(Wait(60), "the store", mock.Mock(side_effect=[*absent, "well"])), "well")
        waiting, *hint = output.getvalue().splitlines()
        self.assertEqual(waiting, "Waiting for the store: the artifact store does not answer")
        self.assertEqual(hint, mending(absent[0]))
        self.assertRegex("\n".join(hint), r"^  cause:  .*\n  fix:    .*\n  run:    kubectl .*")
        with contextlib.redirect_stdout(io.StringIO()) as output:
            until_well(Wait(60), "the store", mock.Mock(side_effect=[*absent, "well"]))
        self.assertEqual(output.getvalue().count("\n"), 1)

    def test_leaves_at_once_what_does_not(self):
        with self.assertRaises(Problem) as met:
            self.run_with(Problem("secret-wrong", "trying", secret_source="s"), "well")
        self.assertEqual(met.exception.name, "secret-wrong")

    def test_gives_up_with_the_prop_that_makes_it_wait_longer(self):
        with self.assertRaises(Problem) as met:
            self.run_with(Problem("store-absent", "trying", answer="refused"), seconds=0.5)
        self.assertEqual(met.exception.answer, "refused (gave up after 0.5 s, the prop preflight.startupDeadline)")
        self.assertFalse(met.exception.passing)


class Sigterm(unittest.TestCase):
    def setUp(self):
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))

    def terminate(self):
        os.kill(os.getpid(), signal.SIGTERM)

    def test_ends_the_process_with_its_code(self):
        for code, arguments in ((143, {}), (0, {"code": 0})):
            end_at_sigterm(**arguments)
            with self.assertRaises(SystemExit) as end:
                self.terminate()
            self.assertEqual(end.exception.code, code)

    def test_is_put_off_and_told_once(self):
        end_at_sigterm()
        done = []
        with quiet() as output, self.assertRaises(SystemExit) as end, undisturbed("the upgrade"):
            self.terminate()
            self.terminate()
            done.append(True)
        self.assertEqual((end.exception.code, done), (143, [True]))
        self.assertEqual(output.getvalue(), "SIGTERM came: finishing the upgrade first\n")

    def test_that_does_not_come_changes_nothing(self):
        end_at_sigterm()
        with undisturbed("the upgrade"):
            pass
        with self.assertRaises(SystemExit):
            self.terminate()

    def test_does_not_hide_what_went_wrong_meanwhile(self):
        end_at_sigterm()
        with quiet(), self.assertRaises(Problem), undisturbed("the upgrade"):
            self.terminate()
            raise Problem("store-absent", "trying")


if __name__ == "__main__":
    unittest.main()
