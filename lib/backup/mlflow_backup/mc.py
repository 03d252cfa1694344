"""The settings of mc: in a file on a volume in memory, since the arguments of a process can be read by all others."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import urllib.parse

from .bucket import PREFIX, Bucket

STYLES = {"path": "on", "virtual": "off"}


def write_settings(artifacts: Bucket, destination: Bucket) -> None:
    """Two stores: artifacts and backup."""
    folder = pathlib.Path(os.environ["MC_CONFIG_DIR"])
    authorities = folder / "certs" / "CAs"
    authorities.mkdir(parents=True, exist_ok=True)
    aliases = {}
    for name, prefix in (("artifacts", ""), ("backup", PREFIX)):
        endpoint = os.environ.get(f"{prefix}MLFLOW_S3_ENDPOINT_URL") or "https://s3.amazonaws.com"
        aliases[name] = {
            "url": urllib.parse.urlsplit(endpoint.strip())._replace(path="").geturl(),
            "accessKey": os.environ[f"{prefix}AWS_ACCESS_KEY_ID"].strip(),
            "secretKey": os.environ[f"{prefix}AWS_SECRET_ACCESS_KEY"].strip(),
            "api": "S3v4",
            "path": STYLES.get(os.environ.get(f"{prefix}MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE", ""), "auto"),
        }
        if os.environ.get(f"{prefix}AWS_CA_BUNDLE"):
            shutil.copyfile(os.environ[f"{prefix}AWS_CA_BUNDLE"], authorities / f"{name}.crt")
    file = folder / "config.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"version": "10", "aliases": aliases}))
    roots = {
        "ARTIFACTS": f"artifacts/{artifacts.bucket}/{artifacts.root}",
        "BACKUP": f"backup/{destination.bucket}/{destination.root}",
    }
    (folder / "roots").write_text("".join(f"{name}={root}\n" for name, root in roots.items()))
    encryption = {"artifacts": artifacts, "backup": destination}
    (folder / "flags").write_text("\n".join(flag for name, bucket in encryption.items() for flag in encryption_of(name, bucket)))


def encryption_of(alias: str, bucket: Bucket) -> list[str]:
    """What mc calls the encryption that uploads ask for."""
    place = f"{alias}/{bucket.bucket}/"
    kind = bucket.arguments.get("ServerSideEncryption")
    if kind == "AES256":
        return [f"--enc-s3={place}"]
    key = bucket.arguments.get("SSEKMSKeyId")
    return [f"--enc-kms={place}={key}"] if kind == "aws:kms" and key else []
