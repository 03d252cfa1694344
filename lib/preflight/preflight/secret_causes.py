"""Causes that are about the secrets of the server, and what they encrypt."""

from __future__ import annotations

from .exits import EXIT_ENVIRONMENT
from .mlflow_doctor import Cause

CAUSES = {
    "webhook-key-form": Cause(
        EXIT_ENVIRONMENT,
        "{source} is no key for the secrets of webhooks",
        "MLflow takes 32 random bytes as urlsafe base64 (a Fernet key, 44 characters), and does not start with anything else.",
        "Put such a key there (openssl rand -base64 32 | tr +/ -_), or leave the prop secrets.secretName of TrackingServer "
        "out, and restart the pod.",
    ),
    "webhook-key-wrong": Cause(
        EXIT_ENVIRONMENT,
        "the key of the server does not open the secrets of {count} webhooks",
        "They were stored under another key: one that a process had made up for itself, since none was set, or one of a "
        "Secret that was lost. MLflow answers 500 to who lists, tests or deletes them.",
        "Put that key back into {source}; where nobody has it, remove these webhooks from the database, and make them anew: "
        "DELETE FROM webhooks WHERE webhook_id IN ({ids});",
    ),
    "kek-public": Cause(
        EXIT_ENVIRONMENT,
        "the API keys of the AI gateway are encrypted with the passphrase that stands in MLflow's source",
        "They were stored while MLFLOW_CRYPTO_KEK_PASSPHRASE was not set: whoever reads the table secrets, or a backup of "
        "it, can decrypt them.",
        "Set the prop secrets.kekVersion of TrackingServer to {next}: the next start encrypts them with a passphrase of this "
        "server. If others could read the database, get new keys from the providers, too.",
    ),
    "kek-version": Cause(
        EXIT_ENVIRONMENT,
        "API keys of the AI gateway are encrypted with passphrase {actual}, and the server has passphrase {wanted}",
        "Its version was changed by more than one, or changed back; or an old pod stored a key while the others were replaced.",
        "Set the prop secrets.kekVersion of TrackingServer to {actual}; where it is one higher on purpose, put the "
        "passphrase before it into the Secret, and restart the pod: its start encrypts the keys anew.",
    ),
    "kek-wrong": Cause(
        EXIT_ENVIRONMENT,
        "the passphrase of the server does not open the API keys of the AI gateway",
        "The Secret was lost and made up anew, or the database is that of another server. The gateway cannot use these keys.",
        "Put the passphrase back into {source}, from the backup; where nobody has it, delete the keys in the gateway's page, "
        "and enter them again.",
    ),
    "kek-rotation": Cause(
        EXIT_ENVIRONMENT,
        "the API keys of the AI gateway could not be encrypted anew",
        "The lines above say why. They are as they were: all of them are changed, or none.",
        "Mend what the lines above name, or set the prop secrets.kekVersion of TrackingServer back.",
    ),
    "webhook-rotation": Cause(
        EXIT_ENVIRONMENT,
        "the secrets of webhooks could not be encrypted anew",
        "The lines above say why. They are as they were: all of them are changed, or none.",
        "Mend what the lines above name, or set the prop secrets.webhookKeyVersion of TrackingServer back.",
    ),
}
