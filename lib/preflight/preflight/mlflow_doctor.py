#!/usr/bin/env python3
"""Examines an MLflow tracking server as its client: is it this environment, the server, or the experiment?

One file that needs nothing but Python 3.9, for a shell and for a notebook:
python mlflow_doctor.py [--json] [URL]      URL: that in MLFLOW_TRACKING_URI, where none is given
import mlflow_doctor; mlflow_doctor.examine("http://mlflow-service.mlflow.svc.cluster.local:5000")
It uploads one small artifact, downloads and deletes it, and changes nothing else.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Callable, ClassVar

EXIT_SERVER = 9
EXIT_CLIENT = 10

PROBE_PREFIX = ".mlflow-preflight/"
# variables with a secret for a value
SECRET_VARIABLES = re.compile(r"(PASSWORD|PASSPHRASE|SECRET|TOKEN|(SECRET|ACCESS)_KEY|CONNECTION_STRING)$")
# secrets that are no variable's whole value, each with what is shown instead
HIDDEN: dict[str, str] = {}


@dataclass(frozen=True)
class Cause:
    """One way for the server not to work: its exit code, what one sees, why, what mends it, and whether waiting can."""

    code: int
    title: str
    why: str
    fix: str
    passing: bool = False


CAUSES = {
    "login-needed": Cause(
        EXIT_SERVER,
        "the tracking server wants a login",
        "It, or a proxy before it, does not let in requests without user and password or a token.",
        "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
    ),
    "login-refused": Cause(
        EXIT_SERVER,
        "the tracking server refuses the login of {user}",
        "{login_source} is not what MLflow has. The password of the admin is taken from its Secret when the user is made, and "
        "not again: where it was changed in MLflow, the Secret has the old one.",
        "Put the password that MLflow has into {login_source} and restart the pods that use it, or set it in MLflow as another "
        "admin (update_user_password of mlflow.server.auth.client).",
    ),
    "login-denied": Cause(
        EXIT_SERVER,
        "the tracking server does not allow {user} to do this",
        "The login is good, but the user has no permission, or a proxy before the server lets others in only.",
        "Use an admin, or give the user the permission (mlflow.server.auth.client).",
    ),
    "server-absent": Cause(
        EXIT_SERVER,
        "the tracking server does not answer",
        "It is not running or not ready yet, or the URI has another host or port.",
        "See the pods and their logs: kubectl get pods, kubectl logs deployment/{deployment}.",
    ),
    "server-other": Cause(
        EXIT_SERVER,
        "what answers there is no MLflow tracking server: {form}",
        "The URI leads to another web site, to the page of a login, or to a path below which the tracking server is not.",
        "Open {uri} in a browser to see what it is. Correct host, port and path of the URI (the path is --static-prefix of the "
        "server); where it is a login page, set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
    ),
    "host-refused": Cause(
        EXIT_SERVER,
        "the tracking server refuses the host name of the request",
        "MLflow answers for the hosts in --allowed-hosts only, and compares them with the port: name:*.",
        "Add the host of {uri} to the prop settings.allowedHosts.",
    ),
    "server-error": Cause(
        EXIT_SERVER,
        "the tracking server answers with an error",
        "What a client sees as too many 500 error responses has its reason in the log of the server: most often it is the "
        "artifact store.",
        "Run the doctor in the pod: kubectl exec deployment/{deployment} -- python3 /app/start-mlflow.py doctor",
    ),
    "presigned-offered": Cause(
        EXIT_SERVER,
        "the tracking server sends its clients to the artifact store, by presigned URLs",
        "MLflow does so since 3.15 unless the plugin for ArtifactTransfer.PROXIED is there; a client that cannot reach the "
        "store hangs.",
        "Use ArtifactTransfer.PROXIED, or give the store an endpoint that all clients reach.",
    ),
    "experiment-direct": Cause(
        EXIT_CLIENT,
        "experiments from before still have their artifacts at s3://, so clients go there by themselves",
        "An experiment keeps the artifact location that it was made with; its clients need keys, and without good ones they get "
        "InvalidAccessKeyId or NoCredentialsError.",
        "Make a new experiment and log into that. No setting of the server changes an old one.",
    ),
    "client-keys": Cause(
        EXIT_CLIENT,
        "this client has S3 settings that a proxied server does not need",
        "They do no harm in a new experiment, and in an old one, at s3://, they are what the store refuses.",
        "Unset them.",
    ),
}


class Problem(Exception):
    """A cause that was met: what was tried, where, and what came back."""

    # the pod knows more of them
    causes: ClassVar[dict[str, Cause]] = CAUSES

    def __init__(self, name: str, tried: str, where: str = "", answer: str = "", **values: object) -> None:
        super().__init__(name)
        self.name = name
        self.cause = self.causes[name]
        self.passing = self.cause.passing
        self.tried = tried
        self.where = where
        # one line, and without the query of a URL
        self.answer = re.sub(r"(https?://[^\s\"?]*)\?[^\s\"]*", r"\1", " ".join(answer.split()))
        self.values = {"deployment": os.environ.get("STARTUP_DEPLOYMENT", "mlflow"), **values}

    def text(self, template: str) -> str:
        return redact(template.format(**self.values))

    @property
    def title(self) -> str:
        return self.text(self.cause.title)

    def record(self) -> dict[str, Any]:
        """For machines."""
        met = {"tried": redact(self.tried), "where": redact(self.where), "answer": redact(self.answer)}
        meant = {"why": self.text(self.cause.why), "fix": self.text(self.cause.fix)}
        return {"cause": self.name, "title": self.title, **met, **meant, "exitCode": self.cause.code}

    def lines(self) -> list[str]:
        record = {**self.record(), "cause": self.text(self.cause.why)}
        parts = {name: record[name] for name in ("tried", "where", "answer", "cause", "fix")}
        return [f"ERROR: {self.title}", *(f"  {name + ':':8}{text}" for name, text in parts.items() if text)]


def say(line: str) -> None:
    print(line, flush=True)


def redact(text: str) -> str:
    """Takes secrets out of a text, and all but the beginning of a key id."""
    hidden = dict(HIDDEN)
    for variable, value in os.environ.items():
        if SECRET_VARIABLES.search(variable):
            hidden.update(dict.fromkeys((value, value.strip()), f"({variable})"))
    for secret in sorted(hidden, key=len, reverse=True):
        if len(secret) >= 4:
            text = text.replace(secret, hidden[secret])
    key = os.environ.get("AWS_ACCESS_KEY_ID", "").strip()
    return text.replace(key, masked(key)) if len(key) > 5 else text


def masked(key: str) -> str:
    """A key id may be known by its beginning; a secret key that stands in its place may not."""
    return f"{key[:5]}... ({len(key)} characters)" if len(key) <= 32 else f"(not shown, {len(key)} characters)"


def hide_secrets_of(uri: str) -> None:
    """Keeps the password in a URI out of all texts: the whole, decoded, and the pieces that it breaks into if badly written."""
    passwords = re.findall(r"[?&;]\w*password=([^&;]*)", uri, re.IGNORECASE)
    userinfo = re.match(r"[^:/]+://(.*)@", uri, re.DOTALL)
    if userinfo and ":" in userinfo[1]:
        passwords.append(userinfo[1].split(":", 1)[1])
    for password in passwords:
        forms = (password, urllib.parse.unquote(password), urllib.parse.unquote_plus(password))
        # shorter ones are parts of words
        pieces = [piece for form in forms for piece in re.split(r"[@:/?#]", form) if len(piece) >= 6]
        for secret in (uri, *forms, *pieces):
            HIDDEN[secret] = "(password of the URI)"


def request(url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """One HTTP request, to the tracking server. An answer of any status is an answer; none has the status 0."""
    authority = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    try:
        host = urllib.parse.urlsplit(url).hostname
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})] if host in ("127.0.0.1", "::1") else []
        ask = urllib.request.Request(url, body, {"Content-Type": "application/json"} if method == "POST" else {}, method=method)
        for name, value in (headers or {}).items():
            # a login is for this host, and not for one that it redirects to
            ask.add_unredirected_header(name, value)
        if authority:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority)))
        try:
            with urllib.request.build_opener(*handlers).open(ask, timeout=10) as response:
                there = urllib.parse.urlsplit(response.url).hostname
                # a proxy that sends one to its login elsewhere
                return (response.status, response.read()) if there == host else (401, f"redirected to {there}".encode())
        except urllib.error.HTTPError as error:
            return error.code, error.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return 0, str(getattr(error, "reason", error)).encode()


class Login:
    """How requests log in, and where that is from."""

    def __init__(self, variable: str, value: str, user: str | None = None) -> None:
        self.source = variable
        self.user = user or "the token"
        pair = base64.b64encode(f"{user}:{value}".encode()).decode()
        self.header = f"Bearer {value}" if user is None else f"Basic {pair}"
        HIDDEN[pair] = f"({variable})"


def client_login() -> Login | None:
    """That of MLflow's clients, if there is one."""
    user, password, token = (os.environ.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD", "TOKEN"))
    if user and password:
        return Login("MLFLOW_TRACKING_PASSWORD", password, user)
    return Login("MLFLOW_TRACKING_TOKEN", token) if token else None


class TrackingServer:
    """The running server, as its clients see it."""

    def __init__(self, uri: str, login: Login | None = None, host: str | None = None) -> None:
        hide_secrets_of(uri)
        parts = re.match(r"(\w+://|)(?:([^/?#]*)@|)(.*)", uri, re.DOTALL)
        scheme, userinfo, place = parts.groups("") if parts else ("", "", uri)
        user, _, password = userinfo.partition(":")
        if user and password:
            login = Login("MLFLOW_TRACKING_URI", urllib.parse.unquote(password), urllib.parse.unquote(user))
        self.uri = f"{scheme}{place}".rstrip("/")
        self.name = f"the tracking server at {self.uri}"
        self.login = login
        self.headers = {**({"Authorization": login.header} if login else {}), **({"Host": host} if host else {})}

    def expect(self, path: str, tried: str, method: str = "GET", body: bytes | None = None) -> bytes:
        status, answer = request(self.uri + path, method, body, self.headers)
        if status == 200:
            return answer
        values = {"user": self.login.user, "login_source": self.login.source} if self.login else {}
        raise self.problem(self.cause(status, answer), tried, status, answer, **values)

    def cause(self, status: int, answer: bytes) -> str:
        if status == 0:
            return "server-absent"
        if status == 403 and b"host" in answer.lower():
            return "host-refused"
        if status in (401, 403) and not self.login:
            return "login-needed"
        return {401: "login-refused", 403: "login-denied"}.get(status, "server-error")

    def problem(self, name: str, tried: str, status: int, answer: bytes, **values: object) -> Problem:
        text = f"{status or 'no answer'} {answer[:300].decode('utf-8', 'replace')}".strip()
        return Problem(name, tried, self.uri, text, uri=self.uri, **values)

    def health(self) -> str:
        self.expect("/health", "GET /health")
        answer = self.expect("/version", "GET /version")
        version = answer.decode("utf-8", "replace").strip()
        if not re.fullmatch(r"\d+\.\d+[\w.+-]*", version):
            raise self.problem("server-other", "GET /version", 200, answer, form="it does not tell its version")
        return f"MLflow {version}"

    def round_trip(self) -> None:
        """Uploads, downloads and deletes an artifact the way a client does."""
        path, content = f"/api/2.0/mlflow-artifacts/artifacts/{PROBE_PREFIX}{uuid.uuid4().hex}", uuid.uuid4().bytes
        self.expect(path, "uploading an artifact through the server", "PUT", content)
        back = self.expect(path, "downloading it through the server")
        self.expect(path, "deleting it through the server", "DELETE")
        if back != content:
            raise Problem(
                "server-error", "downloading an artifact through the server", self.uri, "other content than was uploaded"
            )

    def ask(self, path: str, tried: str, body: object = None) -> tuple[dict[str, Any], bytes]:
        """The JSON object in an answer, and the answer itself."""
        answer = self.expect(path, tried, "POST", json.dumps(body).encode()) if body else self.expect(path, tried)
        with contextlib.suppress(ValueError):
            found = json.loads(answer)
            if isinstance(found, dict):
                return found, answer
        raise self.problem("server-other", tried, 200, answer, form="its answer is no JSON object")

    def keeps_clients_off_s3(self) -> None:
        info, _ = self.ask("/api/3.0/mlflow/server-info", "GET server-info")
        offers = [key for key in ("multipart_uploads_enabled", "multipart_downloads_enabled") if info.get(key)]
        if offers:
            raise Problem("presigned-offered", "GET server-info", self.uri, ", ".join(f"{key}: true" for key in offers))

    def no_direct_experiments(self) -> None:
        path, tried = "/api/2.0/mlflow/experiments/search", "searching experiments"
        direct: list[str] = []
        # of the pages; a token that comes again leads nowhere
        tokens = [""]
        for token in tokens:
            body = {"max_results": 1000, "view_type": "ACTIVE_ONLY", **({"page_token": token} if token else {})}
            page, answer = self.ask(path, tried, body)
            try:
                found = [(e["artifact_location"], f'{e["experiment_id"]} "{e["name"]}"') for e in page.get("experiments", [])]
                direct += [f"{name} at {place}" for place, name in found if not place.startswith("mlflow-artifacts:")]
            except (AttributeError, KeyError, TypeError):
                raise self.problem("server-other", tried, 200, answer, form="its answer is no page of experiments") from None
            following = page.get("next_page_token") or ""
            tokens += [] if following in tokens else [following]
        if direct:
            names = "; ".join(direct[:20]) + (f" and {len(direct) - 20} more" if len(direct) > 20 else "")
            raise Problem("experiment-direct", "reading the artifact locations of all experiments", self.uri, names)


@dataclass
class Result:
    """What one check found."""

    name: str
    note: str = ""
    problem: Problem | None = None


def result_of(name: str, action: Callable[[], str | None]) -> Result:
    """Runs one check."""
    try:
        return Result(name, action() or "")
    except Problem as problem:
        return Result(name, problem=problem)


def client_environment() -> None:
    """What on a client's machine has nothing to do with a proxied server, and sends old experiments astray."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "MLFLOW_S3_ENDPOINT_URL")
    found = [name for name in names if os.environ.get(name)]
    if found:
        raise Problem("client-keys", "reading the environment of this client", answer=", ".join(found) + " set")


def examine_server(server: TrackingServer, direct: bool = False) -> Iterator[Result]:
    health = result_of("tracking server", server.health)
    yield health
    # another site is asked for nothing more, and gets no uploads
    if health.problem and health.problem.name == "server-other":
        return
    yield result_of("upload through the server", server.round_trip)
    if not direct:
        yield result_of("clients kept off the artifact store", server.keeps_clients_off_s3)
    yield result_of("experiments are proxied", server.no_direct_experiments)


def examine_client(uri: str) -> Iterator[Result]:
    yield result_of("environment of this client", client_environment)
    yield from examine_server(TrackingServer(uri, client_login()))


def report(results: Iterable[Result], as_json: bool = False) -> int:
    """Prints what the checks found, and gives the exit code of the first that failed."""
    found = list(results)
    failed = [result.problem for result in found if result.problem]
    if as_json:
        checks = [
            {"check": r.name, "ok": not r.problem, "note": redact(r.note), **(r.problem.record() if r.problem else {})}
            for r in found
        ]
        say(json.dumps({"ok": not failed, "checks": checks}, indent=2))
    for result in [] if as_json else found:
        say(f"{'✗' if result.problem else '✓'} {result.name}{': ' + redact(result.note) if result.note else ''}")
        for line in result.problem.lines() if result.problem else []:
            say(f"    {line}")
    return failed[0].cause.code if failed else 0


def examine(uri: str | None = None) -> None:
    """Prints what is wrong, for a notebook."""
    report(examine_client(uri or os.environ.get("MLFLOW_TRACKING_URI", "")))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="mlflow_doctor.py", description="Examines an MLflow tracking server as its client.")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("url", metavar="URL", nargs="?", help="default: that in MLFLOW_TRACKING_URI")
    options = parser.parse_args(arguments)
    url = options.url or os.environ.get("MLFLOW_TRACKING_URI")
    if not url:
        parser.error("no URL: pass that of the tracking server, or set MLFLOW_TRACKING_URI")
    return report(examine_client(url), options.json)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
