import unittest
from unittest import mock

from preflight.sql import OtherDatabase, OtherSession, other_cause

URI = "mysql+pymysql://mlflow:PasswordThatNobodyMaySee@db:3306/mlflow"


class Errors(unittest.TestCase):
    def test_have_causes(self):
        for arguments, cause in (
            ((1045, "Access denied"), "database-refuses"),
            ((1049, "Unknown database"), "database-missing"),
            ((1142, "command denied"), "database-error"),
            ((2026, "SSL connection error"), "database-tls"),
            ((2003, "Can't connect"), "database-absent"),
            (("(18456, b'Login failed')",), "database-refuses"),
            (("[SSL: CERTIFICATE_VERIFY_FAILED]",), "database-certificate"),
            ((), "database-absent"),
        ):
            with self.subTest(arguments):
                self.assertEqual(other_cause(RuntimeError(*arguments)), cause)


class Texts(unittest.TestCase):
    def test_speak_of_the_uri_and_not_of_postgresql(self):
        for name in ("database-refuses", "database-error", "database-init", "database-missing"):
            text = "\n".join(OtherDatabase(URI, variable="MLFLOW_BACKEND_STORE_URI").problem(name, "trying").lines())
            self.assertNotRegex(text, "PGPASSWORD|ALTER ROLE|ALTER DATABASE|NobodyMaySee")
        fix = OtherDatabase(URI).problem("database-refuses", "logging in").record()["fix"]
        self.assertIn("Correct --backend-store-uri, or the user in the database (ALTER USER)", fix)


class Locks(unittest.TestCase):
    def session(self, dialect, answer=1):
        connection = mock.Mock()
        connection.dialect.name = dialect
        connection.engine.url.database = "a" * 80
        session = OtherSession(connection)
        session.value = mock.Mock(return_value=answer)
        return session

    def test_are_those_of_mysql_one_for_each_database(self):
        session = self.session("mysql")
        self.assertIs(session.try_lock(), True)
        self.assertEqual(session.value.call_args[1], {"name": "mlflow " + "a" * 57})
        self.assertIs(self.session("mysql", 0).try_lock(), False)
        session.unlock()
        session.value.assert_called_with("SELECT RELEASE_LOCK(:name)", name="mlflow " + "a" * 57)

    def test_are_not_there_elsewhere(self):
        session = self.session("mssql")
        self.assertTrue(session.try_lock())
        session.value.assert_not_called()


if __name__ == "__main__":
    unittest.main()
