import unittest

from mlflow_guard.settings import Settings


class Environment(unittest.TestCase):
    def test_has_the_props(self):
        self.assertEqual(Settings.of({}), Settings(False, 32 << 20, True))
        given = {"GUARD_ASSISTANT": "true", "GUARD_MAX_BODY_BYTES": "1000", "GUARD_OWN_PLACES": "false"}
        self.assertEqual(Settings.of(given), Settings(True, 1000, False))
        self.assertTrue(Settings.of({"GUARD_PASSWORDS_ONLY": "true"}).passwords_only)

    def test_is_read_in_full_or_not_at_all(self):
        for name, values in (
            ("GUARD_ASSISTANT", ("yes", "")),
            ("GUARD_OWN_PLACES", ("False",)),
            ("GUARD_PASSWORDS_ONLY", ("1",)),
            ("GUARD_MAX_BODY_BYTES", ("", "0", "-1", "1e6", "٣")),
        ):
            for value in values:
                with self.assertRaises(ValueError) as met:
                    Settings.of({name: value})
                self.assertIn(name, str(met.exception))


if __name__ == "__main__":
    unittest.main()
