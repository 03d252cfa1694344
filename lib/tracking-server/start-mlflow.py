#!/usr/bin/env python3
"""Puts the S3 credentials in place, lets the preflight look where it is mounted, and becomes the MLflow tracking server.

start-mlflow.py COMMAND [ARGUMENT...]              becomes the command, such as mlflow server --host=0.0.0.0
start-mlflow.py doctor|monitor|gc|relocate|causes  what the preflight can do besides; with --help it tells how
"""

import os
import re
import shutil
import sys

PREFLIGHT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "preflight")
CLEANED = re.compile("AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)|MLFLOW_S3_ENDPOINT_URL|PG[A-Z]+")
COMMANDS = ("doctor", "monitor", "gc", "relocate", "causes")


def stop(code: int, text: str) -> None:
    if os.access(log := os.environ.get("TERMINATION_LOG", "/dev/termination-log"), os.W_OK):
        os.write(os.open(log, os.O_WRONLY), text.encode()[:4096])
    sys.exit(print(text, file=sys.stderr) or code)


def put_credentials_in_place(destination: str) -> str:
    os.environ.update({name: value.strip() for name, value in os.environ.items() if CLEANED.fullmatch(name)})
    missing = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not os.environ.get(name)]
    in_s3 = not destination or destination.startswith("s3:")
    if in_s3 and missing and (len(missing) == 1 or os.environ.get("STARTUP_POD_IDENTITY") != "true"):
        stop(1, f"ERROR: {missing[0]} not set!")
    if in_s3 or ":" not in destination:
        region = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or "us-east-1"
        os.environ.update(AWS_DEFAULT_REGION=region, AWS_REGION=os.environ.get("AWS_REGION") or region)
        if not missing:
            return f"AWS credentials: {os.environ['AWS_ACCESS_KEY_ID'][:5]}..."
    kind = "credentials of" if destination.startswith(("gs:", "wasbs:")) else "artifacts in"
    shown = "(password of the URI)" if re.search("://.*:.*@|password=", destination, re.IGNORECASE) else destination
    return "the identity of the pod" if in_s3 else f"the {kind} {shown}"


name, *arguments = sys.argv[1:] or [""]
if name in ("-h", "--help"):
    sys.exit(print(__doc__, end=""))
if not name:
    stop(2, f"ERROR: no command to start\n{__doc__}")
if os.path.isdir(PREFLIGHT):
    sys.path.insert(0, os.path.dirname(PREFLIGHT))
    from preflight.__main__ import main as preflight
    from preflight.become import become

    if name in COMMANDS:
        sys.exit(preflight(name, *arguments))
    preflight("check", name, *arguments)
elif name in COMMANDS:
    stop(2, f"ERROR: {name} is in the preflight, and no preflight is mounted at {PREFLIGHT}")
found = re.search("\0--artifacts-destination[=\0]([^\0]*)", "\0".join(("", *arguments)))
credentials = put_credentials_in_place(found[1] if found else os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", ""))
if not shutil.which(name):
    stop(2, f"ERROR: {name} is no program on PATH, see start-mlflow.py --help")
print(f"Starting MLflow with {credentials}", flush=True)
(become if os.path.isdir(PREFLIGHT) else os.execvp)(name, (name, *arguments))
