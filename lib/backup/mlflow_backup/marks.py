"""Which secrets of the server a backup needs: marks by which they are known again, and which tell nothing of them."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from typing import Any

from preflight.problem import source_of

# what they encrypt in the database
OPENS = {
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "the secrets of webhooks",
    "MLFLOW_CRYPTO_KEK_PASSPHRASE": "the API keys of the AI gateway",
}


def mark(value: str, salt: str) -> str:
    """By a function that takes long for who would try all values."""
    return hashlib.scrypt(value.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=16).hex()


def marks() -> dict[str, Any]:
    salt = secrets.token_hex(16)
    there = {name: os.environ.get(name, "").strip() for name in OPENS}
    found = {name: mark(value, salt) for name, value in there.items() if value}
    return {"salt": salt, **found}


def differences(known: dict[str, Any]) -> list[str]:
    """A sentence for each secret that is missing, or another one than at the time of the backup."""
    lines = []
    for name, what in OPENS.items():
        if name not in known:
            continue
        value = os.environ.get(name, "").strip()
        if value and hmac.compare_digest(mark(value, str(known["salt"])), str(known[name])):
            continue
        state = "is another one than at the time of the backup" if value else "is missing"
        lines.append(
            f"{source_of(name)} {state}: it opens {what} in the restored database. Put the old value back, and restart the server"
        )
    return lines
