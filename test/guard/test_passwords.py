import unittest

from exchange import Exchange, guard
from mlflow_guard.passwords import passwords_only

PASSWORDS = (b"Basic YTpi", b"basic YTpi", b"BASIC  YTpi", b"Basic", b"Basic ?")
OTHERS = (b"Bearer token", b"Digest username=a", b"token", b"", b"Basic\tYTpi", b"Basically YTpi")
OTHER_HEADERS = [(b"accept", b"*/*"), (b"x-authorization", b"Bearer token")]


def seen(credentials, path="/api/2.0/mlflow/runs/create", name=b"authorization"):
    """Whether these reach MLflow, with all else."""
    scope = passwords_only({"headers": [*OTHER_HEADERS, (name, credentials)], "path": path}, path)
    assert scope["headers"][:2] == OTHER_HEADERS and scope["path"] == path
    return len(scope["headers"]) == 3


class Credentials(unittest.TestCase):
    def test_that_are_a_password_go_by(self):
        for credentials in PASSWORDS:
            self.assertTrue(seen(credentials), credentials)

    def test_that_are_none_are_taken_off(self):
        for credentials in OTHERS:
            self.assertFalse(seen(credentials), credentials)
            self.assertFalse(seen(credentials, name=b"Authorization"), credentials)

    def test_of_a_provider_reach_the_gateway(self):
        self.assertTrue(seen(b"Bearer token", "/gateway/openai/v1/chat/completions"))
        self.assertFalse(seen(b"Bearer token", "/gateways"))

    def test_the_guard_takes_them_off_where_the_login_knows_passwords_only(self):
        for wanted in (True, False):
            headers = []
            it = guard(passwords_only=wanted)
            app = it.app

            async def note(scope, receive, send, app=app, headers=headers):
                headers.extend(scope["headers"])
                await app(scope, receive, send)

            it._app = note
            it.app.seen = None
            Exchange(it, "/api/2.0/mlflow/runs/create", headers=[(b"authorization", b"Bearer token")])
            self.assertEqual(headers, [] if wanted else [(b"authorization", b"Bearer token")])


if __name__ == "__main__":
    unittest.main()
