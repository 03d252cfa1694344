"""What users have encrypted in the database: the server's secrets have to open it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from .database import Database
from .problem import Problem, say, source_of, warn
from .store import Store, installed
from .wait import Wait

WEBHOOK_KEY = "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"
PASSPHRASE = "MLFLOW_CRYPTO_KEK_PASSPHRASE"  # noqa: S105
VERSION = "MLFLOW_CRYPTO_KEK_VERSION"
PREVIOUS = "PREVIOUS_KEK_PASSPHRASE"
# MLflow's command wants the old passphrase in the environment, and makes the version one higher. The new one stands in no
# argument of a process.
ROTATE = f"""
import os
from mlflow.cli import cli
new, version = os.environ["{PASSPHRASE}"], int(os.environ["{VERSION}"])
os.environ.update({PASSPHRASE}=os.environ["{PREVIOUS}"], {VERSION}=str(version - 1))
cli(["crypto", "rotate-kek", "--yes", "--new-passphrase", new], prog_name="mlflow")
"""
PREVIOUS_WEBHOOK_KEY = "PREVIOUS_WEBHOOK_KEY"
# whatever the database is: by SQLAlchemy, as MLflow does. A secret that somebody changes meanwhile is not overwritten.
ENCRYPT_WEBHOOKS = f"""
import os, sqlalchemy
from cryptography.fernet import Fernet, InvalidToken
def opened(cipher, secret):
    try:
        return cipher.decrypt(secret.encode())
    except InvalidToken:
        return None
old, new = Fernet(os.environ["{PREVIOUS_WEBHOOK_KEY}"]), Fernet(os.environ["{WEBHOOK_KEY}"])
change = sqlalchemy.text("UPDATE webhooks SET secret = :new WHERE webhook_id = :identity AND secret = :old")
with sqlalchemy.create_engine(os.environ["MLFLOW_BACKEND_STORE_URI"]).begin() as connection:
    for identity, secret in connection.execute(sqlalchemy.text("SELECT webhook_id, secret FROM webhooks")).all():
        plain = opened(old, secret) if secret and opened(new, secret) is None else None
        if plain is not None:
            connection.execute(change, dict(new=new.encrypt(plain).decode(), old=secret, identity=identity))
"""  # noqa: S608


class ServerSecrets(Store):
    """The API keys of the AI gateway and the secrets of webhooks, in the database of a server that has secrets for them."""

    name = "the secrets of the server"

    def __init__(self, database: Database) -> None:
        self.database = database
        # what is needed besides belongs to MLflow itself
        self.module = database.module
        given = os.environ.get(PASSPHRASE) or os.environ.get(WEBHOOK_KEY)
        self.checkable = bool(given) and database.checkable and installed(database)

    def prepare(self, wait: Wait) -> None:
        """Encrypts API keys anew where the version of the passphrase was raised. What is lost is lost: a server that tracks
        runs goes without it."""
        previous = self.previous_passphrase()
        if previous is not None:
            say(f"Encrypting the API keys of the AI gateway with passphrase {self.version}, in place of {self.version - 1}")
            os.environ[PREVIOUS] = previous
            self.database.run("kek-rotation", "mlflow crypto rotate-kek", ROTATE)
        os.environ.pop(PREVIOUS, None)
        self.encrypt_webhooks()
        for problem in self.problems():
            if problem.name in ("kek-wrong", "webhook-key-wrong"):
                warn(f"{problem.title}. {problem.text(problem.cause.why)} Fix: {problem.text(problem.cause.fix)}")
            else:
                raise problem

    def encrypt_webhooks(self) -> None:
        """Encrypts secrets of webhooks anew that were stored under the key of the version before."""
        previous = os.environ.get(PREVIOUS_WEBHOOK_KEY)
        if previous and os.environ.get(WEBHOOK_KEY):
            shut = self.shut_webhooks(os.environ[WEBHOOK_KEY])
            count = len(shut) - len(self.shut_webhooks(previous, shut))
            if count:
                say(f"Encrypting the secrets of {count} webhooks with the key of the new version")
                self.database.run("webhook-rotation", "encrypting the secrets of webhooks anew", ENCRYPT_WEBHOOKS)
        os.environ.pop(PREVIOUS_WEBHOOK_KEY, None)

    def check(self) -> None:
        for problem in self.problems():
            raise problem

    @property
    def version(self) -> int:
        return int(os.environ.get(VERSION) or "1")

    def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Some of the columns of a table; none of one that this version of MLflow does not have."""
        with self.database.session() as session:
            return session.rows(f"SELECT {columns} FROM {table}") if session.has_table(table) else []  # noqa: S608

    def api_keys(self) -> list[tuple[int, bytes]]:
        if not os.environ.get(PASSPHRASE):
            return []
        return [(int(version), bytes(wrapped)) for version, wrapped in self.rows("secrets", "kek_version, wrapped_dek")]

    def previous_passphrase(self) -> str | None:
        """The passphrase with which keys of the version before were encrypted, where there are any and it is known."""
        wrapped = next((key for version, key in self.api_keys() if version == self.version - 1), None)
        if wrapped is None:
            return None
        known = (os.environ.get(PREVIOUS, ""), public_passphrase())
        return next((one for one in known if one and opens(one, self.version - 1, wrapped)), None)

    def problems(self) -> Iterator[Problem]:
        keys = self.api_keys()
        for version in sorted({version for version, _ in keys} - {self.version}):
            yield self.problem("kek-version", "reading the API keys", actual=version, wanted=self.version)
        own = next((key for version, key in keys if version == self.version), None)
        if own is not None and not opens(os.environ[PASSPHRASE], self.version, own):
            name = "kek-public" if opens(public_passphrase(), self.version, own) else "kek-wrong"
            yield self.problem(name, "decrypting an API key", next=self.version + 1, source=source_of(PASSPHRASE))
        yield from self.webhooks()

    def webhooks(self) -> Iterator[Problem]:
        if not os.environ.get(WEBHOOK_KEY):
            return
        ids = [f"'{identity}'" for identity in sorted(self.shut_webhooks(os.environ[WEBHOOK_KEY]))]
        if ids:
            values = {"count": len(ids), "ids": ", ".join(ids), "source": source_of(WEBHOOK_KEY)}
            yield self.problem("webhook-key-wrong", "decrypting the secrets of webhooks", **values)

    def shut_webhooks(self, key: str, secrets: dict[str, str] | None = None) -> dict[str, str]:
        """The secrets of webhooks, all or these, that a key does not open."""
        if secrets is None:
            rows = self.rows("webhooks", "webhook_id, secret, deleted_timestamp")
            secrets = {str(identity): str(secret) for identity, secret, deleted in rows if secret and not deleted}
        if not secrets:
            return {}
        from cryptography.fernet import Fernet, InvalidToken

        shut = {}
        for identity, secret in secrets.items():
            try:
                Fernet(key).decrypt(secret.encode())
            except InvalidToken:
                shut[identity] = secret
        return shut

    def problem(self, name: str, tried: str, **values: object) -> Problem:
        return Problem(name, tried, self.database.server, "", **values)


def public_passphrase() -> str:
    """The one in MLflow's source, which it takes where none is set."""
    from mlflow.utils.crypto import DEFAULT_KEK_PASSPHRASE

    return str(DEFAULT_KEK_PASSPHRASE)


def opens(passphrase: str, version: int, wrapped: bytes) -> bool:
    """Whether a key in the database was encrypted with this passphrase."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.crypto import KEKManager, unwrap_dek

    with contextlib.suppress(MlflowException):
        unwrap_dek(wrapped, KEKManager(passphrase, version).get_kek())
        return True
    return False
