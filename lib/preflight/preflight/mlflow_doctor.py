#!/usr/bin/env python3
"""Examines an MLflow tracking server as its client: is it this environment, the server, or the experiment?

One file that needs nothing but Python 3.9, and changes nothing but one small artifact, which it uploads, downloads and deletes:
python mlflow_doctor.py [--json] [URL | --check-folder DIR]      URL: that in MLFLOW_TRACKING_URI, where none is given
import mlflow_doctor; mlflow_doctor.examine("http://mlflow-service.mlflow.svc.cluster.local:5000")
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
from collections.abc import Iterable, Iterator
from typing import Any, Callable, ClassVar, NamedTuple

EXIT_SERVER, EXIT_CLIENT, PATIENCE = 9, 10, 10  # two exit codes, and seconds that an answer may take
PROBE_PREFIX, WORKSPACE_HEADER = ".mlflow-preflight/", "X-MLFLOW-WORKSPACE"
SECRET_VARIABLES = re.compile(r"(PASSWORD|PASSPHRASE|SECRET|TOKEN|(SECRET|ACCESS|ENCRYPTION)_KEY|CONNECTION_STRING)$")
HIDDEN: dict[str, str] = {}  # secrets that are no variable's whole value, each with what is shown instead


class Cause(NamedTuple):  # its exit code, what one sees, why, what mends it, and whether waiting can
    code: int
    title: str
    why: str
    fix: str
    passing: bool = False


TEXTS = {
    "login-needed": (
        "the tracking server wants a login",
        "It, or a proxy before it, does not let in requests without user and password or a token.",
        "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
    ),
    "login-refused": (
        "the tracking server refuses the login of {user}",
        "{login_source} is not what MLflow has: a pod that starts gives it what the Secret has, and it was changed since.",
        "Raise the generation of the login (prop generation of BasicAuth) for another password, put the one that MLflow has into "
        "{login_source}, or set it in MLflow as another admin (update_user_password of mlflow.server.auth.client).",
    ),
    "login-denied": (
        "the tracking server does not allow {user} to do this",
        "The login is good, but the user has no permission, or a proxy before the server lets others in only.",
        "Use an admin, or give the user the permission (mlflow.server.auth.client).",
    ),
    "server-absent": (
        "the tracking server does not answer",
        "It is not running or not ready yet, or the URI has another host or port.",
        "Check host and port, and start a port-forward again. Else who runs the server looks at its pods and their logs.",
    ),
    "server-other": (
        "what answers there is no MLflow tracking server: {form}",
        "The URI leads to another web site, to the page of a login, or to a path below which the tracking server is not.",
        "Open {uri} in a browser to see what it is. Correct host, port and path of the URI (the path is --static-prefix of the "
        "server); where it is a login page, set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
    ),
    "host-refused": (
        "the tracking server refuses the host name of the request",
        "MLflow answers for the hosts in --allowed-hosts only, and compares them with the port: name:*.",
        "Add the host of {uri} to the prop settings.allowedHosts.",
    ),
    "server-error": (
        "the tracking server answers with an error",
        "What a client sees as too many 500 error responses has its reason in the server's log: mostly it is the artifact store.",
        "Run the doctor in the pod: {kubectl} exec deployment/{deployment} -- python3 /app/start-mlflow.py doctor",
    ),
    "server-waits": (
        "the tracking server is up, and waits for its {store}",
        "The {store} is away or slow. The server goes on trying, so that a short outage costs time and no call.",
        "Run the doctor in the pod: {kubectl} exec deployment/{deployment} -- python3 /app/start-mlflow.py doctor",
    ),
    "presigned-offered": (
        "the tracking server sends its clients to the artifact store, by presigned URLs",
        "MLflow 3.15 to 3.17 do so without the plugin of ArtifactTransfer.PROXIED; who cannot reach the store hangs.",
        "Use ArtifactTransfer.PROXIED, or give the store an endpoint that all clients reach.",
    ),
    "experiment-direct": (
        "experiments from before still have their artifacts at s3://, so clients go there by themselves",
        "An experiment keeps its artifact location; without good keys clients get InvalidAccessKeyId or NoCredentialsError.",
        "Who runs the server can move them: {kubectl} exec deployment/{deployment} -- python3 /app/start-mlflow.py relocate "
        "tells what would change, --apply does it. Until then rename an old one, which frees its name for one without keys, "
        "and read its files by run id: {uri}/get-artifact?run_uuid=<run id>&path=<path>",
    ),
    "client-keys": (
        "this client has S3 settings that a proxied server does not need",
        "They do no harm in a new experiment, and in an old one, at s3://, they are what the store refuses.",
        "Unset them.",
    ),
    "file-names": (
        "not all files in {folder} would become artifacts of the same name",
        "MLflow's client puts names into URLs as they are, where #, ? and %20 mean something, and decodes those that it lists.",
        "Give the files other names before they are logged. No server can mend it, since it never sees the whole name.",
    ),
}
OF_CLIENT = ("experiment-direct", "client-keys", "file-names")
CAUSES = {name: Cause(EXIT_CLIENT if name in OF_CLIENT else EXIT_SERVER, *texts) for name, texts in TEXTS.items()}


class Problem(Exception):
    """A cause that was met: what was tried, where, and what came back."""

    causes: ClassVar[dict[str, Cause]] = CAUSES  # the pod knows more of them, its namespace, and what to run
    kubectl: ClassVar[str] = "kubectl --namespace NAMESPACE"
    commands: ClassVar[Callable[[Any], list[str]]] = lambda _: []

    def __init__(self, name: str, tried: str, where: str = "", answer: str = "", **values: object) -> None:
        super().__init__(name)
        self.name, self.cause, self.passing = name, self.causes[name], self.causes[name].passing
        self.tried, self.where = tried, where
        # one line, and without the query of a URL
        self.answer = re.sub(r"(https?://[^\s\"?]*)\?[^\s\"]*", r"\1", re.sub(r"\s*[^\S ]\s*", " ", answer.strip()))
        self.values = {"deployment": os.environ.get("STARTUP_DEPLOYMENT", "mlflow"), "kubectl": self.kubectl, **values}
        self.title = self.text(self.cause.title)

    def text(self, template: str) -> str:
        return redact(template.format(**self.values))

    def record(self) -> dict[str, Any]:
        """For machines."""
        met = {"tried": redact(self.tried), "where": redact(self.where), "answer": redact(self.answer)}
        meant = {"why": self.text(self.cause.why), "fix": self.text(self.cause.fix), "run": self.commands()}
        return {"cause": self.name, "title": redact(self.title), **met, **meant, "exitCode": self.cause.code}

    def lines(self) -> list[str]:
        record = {**self.record(), "cause": self.text(self.cause.why)}
        parts = [f"  {name + ':':8}{record[name]}" for name in ("tried", "where", "answer", "cause", "fix") if record[name]]
        return [f"ERROR: {record['title']}", *parts, *(f"  run:    {command}" for command in record["run"])]


def say(line: str) -> None:
    print(line, flush=True)


def redact(text: str) -> str:
    """Takes secrets out of a text, and all but the beginning of a key id."""
    hidden = dict(HIDDEN)
    for variable in filter(SECRET_VARIABLES.search, os.environ):
        hidden.update(dict.fromkeys((os.environ[variable], os.environ[variable].strip()), f"({variable})"))
    for secret in sorted((secret for secret in hidden if len(secret) >= 4), key=len, reverse=True):
        text = text.replace(secret, hidden[secret])
    key = os.environ.get("AWS_ACCESS_KEY_ID", "").strip()
    return text.replace(key, masked(key)) if len(key) > 5 else text


def masked(key: str) -> str:
    """A key id may be known by its beginning; a secret key that stands in its place may not."""
    return f"{key[:5]}... ({len(key)} characters)" if len(key) <= 32 else f"(not shown, {len(key)} characters)"


def hide_secrets_of(uri: str) -> None:
    """Keeps the password in a URI out of all texts: the whole, decoded, and the pieces that it breaks into if badly written."""
    passwords = re.findall(r"[?&;]\w*password=([^&;]*)", uri, re.IGNORECASE)
    passwords += re.findall(r"\A[^:/]+://[^:]*:(.*)@", uri, re.DOTALL)
    for password in passwords:
        forms = (password, urllib.parse.unquote(password), urllib.parse.unquote_plus(password))
        pieces = [piece for form in forms for piece in re.split(r"[@:/?#]", form) if len(piece) >= 6]  # shorter ones are words
        HIDDEN.update(dict.fromkeys((uri, *forms, *pieces), "(password of the URI)"))


def request(
    url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None, read: Any = None
) -> tuple[int, bytes]:
    """One HTTP request, to the tracking server. A status is an answer; none has the status 0. `read` takes what may be large."""
    try:
        host = urllib.parse.urlsplit(url).hostname
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})] if host in ("127.0.0.1", "::1") else []
        ask = urllib.request.Request(url, body, {"Content-Type": "application/json"} if method == "POST" else {}, method=method)
        for name, value in (headers or {}).items():
            ask.add_unredirected_header(name, value)  # a login is for this host, and not for one that it redirects to
        if authority := os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority)))
        try:
            with urllib.request.build_opener(*handlers).open(ask, timeout=120 if read else PATIENCE) as response:
                there = urllib.parse.urlsplit(response.url).hostname  # a proxy may send one to its login elsewhere
                take = read or type(response).read
                return (response.status, take(response)) if there == host else (401, f"redirected to {there}".encode())
        except urllib.error.HTTPError as error:
            return error.code, error.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return 0, str(getattr(error, "reason", error)).encode()


class Login:  # how requests log in, and where that is from
    def __init__(self, variable: str, value: str, user: str | None = None) -> None:
        self.source, self.user = variable, user or "the token"
        pair = base64.b64encode(f"{user}:{value}".encode()).decode()
        self.header = f"Bearer {value}" if user is None else f"Basic {pair}"
        HIDDEN[pair] = f"({variable})"


def client_login() -> Login | None:
    """That of MLflow's clients, if there is one."""
    user, password, token = (os.environ.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD", "TOKEN"))
    if user and password:
        return Login("MLFLOW_TRACKING_PASSWORD", password, user)
    return Login("MLFLOW_TRACKING_TOKEN", token) if token else None


class TrackingServer:  # the running server, as its clients see it
    def __init__(self, uri: str, login: Login | None = None, host: str | None = None) -> None:
        hide_secrets_of(uri)
        parts = re.match(r"(\w+://|)(?:([^/?#]*)@|)(.*)", uri, re.DOTALL)
        scheme, userinfo, place = parts.groups("") if parts else ("", "", uri)
        user, _, password = userinfo.partition(":")
        if user and password:
            login = Login("MLFLOW_TRACKING_URI", urllib.parse.unquote(password), urllib.parse.unquote(user))
        self.uri = f"{scheme}{place}".rstrip("/")
        self.name, self.login, self.probe = f"the tracking server at {self.uri}", login, os.urandom(16).hex()
        given = {"Authorization": login and login.header, "Host": host, WORKSPACE_HEADER: os.environ.get("MLFLOW_WORKSPACE")}
        self.headers = {name: value for name, value in given.items() if value}

    def expect(self, path: str, tried: str, method: str = "GET", body: bytes | None = None) -> bytes:
        status, answer = request(self.uri + path, method, body, self.headers)
        if status == 200:
            return answer
        values = {"user": self.login.user, "login_source": self.login.source} if self.login else {}
        store = "artifact store" if "/mlflow-artifacts/" in path else "backend store"
        raise self.problem(self.cause(status, answer), tried, status, answer, store=store, **values)

    def cause(self, status: int, answer: bytes) -> str:
        if status == 403 and b"host" in answer.lower():
            return "host-refused"
        if status in (401, 403) and not self.login:
            return "login-needed"
        if b"timed out" in answer and request(self.uri + "/health", headers=self.headers)[0] == 200:
            return "server-waits"
        return {0: "server-absent", 401: "login-refused", 403: "login-denied"}.get(status, "server-error")

    def problem(self, name: str, tried: str, status: int, answer: bytes, **values: object) -> Problem:
        text = answer[:300].decode(errors="replace")
        return Problem(name, tried, self.uri, f"{status or 'no answer'} {text}", uri=self.uri, **values)

    def health(self) -> str:
        self.expect("/health", "GET /health")
        version = (answer := self.expect("/version", "GET /version")).decode("utf-8", "replace").strip()
        if not re.fullmatch(r"\d+\.\d+[\w.+-]*", version):
            raise self.problem("server-other", "GET /version", 200, answer, form="it does not tell its version")
        return f"MLflow {version}"

    def round_trip(self) -> None:
        """Uploads, downloads and deletes an artifact the way a client does: the same one at each try, so that none pile up."""
        path, content = f"/api/2.0/mlflow-artifacts/artifacts/{PROBE_PREFIX}{self.probe}", os.urandom(16)
        self.expect(path, "uploading an artifact through the server", "PUT", content)
        try:
            if self.expect(path, "downloading it through the server") != content:
                raise self.problem("server-error", "downloading it", 200, b"other content than was uploaded")
        except Problem:
            request(self.uri + path, "DELETE", None, self.headers)
            raise
        self.expect(path, "deleting it through the server", "DELETE")

    def ask(self, path: str, tried: str, body: object = None) -> tuple[dict[str, Any], bytes]:
        """The JSON object in an answer, and the answer itself."""
        answer = self.expect(path, tried, "POST", json.dumps(body).encode()) if body else self.expect(path, tried)
        with contextlib.suppress(ValueError):
            if isinstance(found := json.loads(answer), dict):
                return found, answer
        raise self.problem("server-other", tried, 200, answer, form="its answer is no JSON object")

    def keeps_clients_off_s3(self) -> None:
        info, _ = self.ask("/api/3.0/mlflow/server-info", "GET server-info")
        if offers := [key for key in ("multipart_uploads_enabled", "multipart_downloads_enabled") if info.get(key)]:
            raise Problem("presigned-offered", "GET server-info", self.uri, ", ".join(f"{key}: true" for key in offers))

    def no_direct_experiments(self) -> None:
        path, tried = "/api/2.0/mlflow/experiments/search", "searching experiments"
        direct, tokens = list[str](), [""]  # of the pages; one that comes again leads nowhere
        for token in tokens:
            body = {"max_results": 1000, "view_type": "ACTIVE_ONLY", **({"page_token": token} if token else {})}
            page, answer = self.ask(path, tried, body)
            try:
                found = [(e["artifact_location"], f'{e["experiment_id"]} "{e["name"]}"') for e in page.get("experiments", [])]
                direct += [f"{name} at {place}" for place, name in found if not place.startswith("mlflow-artifacts:")]
            except (AttributeError, KeyError, TypeError):
                raise self.problem("server-other", tried, 200, answer, form="its answer is no page of experiments") from None
            tokens += {page.get("next_page_token") or ""}.difference(tokens)
        if direct:
            names = "; ".join(direct[:20]) + (f" and {len(direct) - 20} more" if len(direct) > 20 else "")
            raise Problem("experiment-direct", "reading the artifact locations of all experiments", self.uri, names, uri=self.uri)


class Result(NamedTuple):  # what one check found
    name: str
    note: str = ""
    problem: Problem | None = None


def result_of(name: str, action: Callable[[], str | None]) -> Result:
    try:
        return Result(name, action() or "")
    except Problem as problem:
        return Result(name, problem=problem)


def client_environment() -> None:
    """What on a client's machine has nothing to do with a proxied server, and sends old experiments astray."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "MLFLOW_S3_ENDPOINT_URL")
    if found := [name for name in names if os.environ.get(name)]:
        raise Problem("client-keys", "reading the environment of this client", answer=", ".join(found) + " set")


def examine_server(server: TrackingServer, direct: bool = False) -> Iterator[Result]:
    yield (health := result_of("tracking server", server.health))
    if health.problem and health.problem.name == "server-other":
        return  # another site is asked for nothing more, and gets no uploads
    yield result_of("upload through the server", server.round_trip)
    if not direct:
        yield result_of("clients kept off the artifact store", server.keeps_clients_off_s3)
    yield result_of("experiments are proxied", server.no_direct_experiments)


def decoded(path: str) -> str:
    """A path as MLflow decodes it, in the server and in a list of files: until nothing changes."""
    for _ in range(10):
        path = urllib.parse.urlunparse(urllib.parse.urlparse(urllib.parse.unquote(path)))
    return re.sub(r"[\x00-\x1f\x7f]", lambda control: f"%{ord(control[0]):02x}", path)


def stored_name(path: str) -> str:
    """The name that the artifact of a file gets, or none where it is refused. A URL ends at # and ?, and is UTF-8."""
    sent = re.split("[#?]", path)[0].encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    stored = re.sub("/+", "/", decoded(f"run/{sent}"))[4:]
    refused = re.search(r"#|(^|/)\.{1,2}(/|$)|/$|^$", stored) or re.search(r"\n(?s:.)", urllib.parse.unquote(sent))
    return "" if refused else stored


def names_kept(folder: str) -> str:
    """That MLflow's client keeps the names of all files in a folder."""
    errors, artifacts = list[OSError](), dict[str, list[str]]()
    files = [os.path.join(place, file) for place, _, names in os.walk(folder, onerror=errors.append) for file in names]
    for path in sorted(os.path.relpath(file, folder).replace(os.sep, "/") for file in files):
        artifacts.setdefault(stored_name(path), []).append(path)
    found = [f"{error.filename!r} cannot be read" for error in errors]
    for name, paths in artifacts.items():
        listed = "/".join(map(decoded, name.split("/")))
        if [listed] != paths:
            one = f"becomes {name!r}" if name != paths[0] else f"is listed as {listed!r}, and not found there"
            what = (f"become {name!r}, and one of them is left" if len(paths) > 1 else one) if name else "cannot be logged"
            found.append(f"{', '.join(map(repr, paths))} {what}")
    if found:
        raise Problem("file-names", "reading the names of all files", folder, "; ".join(found), folder=folder)
    return f"none of {len(files)} would change"


def examine_client(uri: str) -> Iterator[Result]:
    yield result_of("environment of this client", client_environment)
    yield from examine_server(TrackingServer(uri, client_login()))


def report(results: Iterable[Result], as_json: bool = False) -> int:
    """Prints what the checks found, and gives the exit code of the first that failed."""
    found = list(results)
    failed, told = [result.problem for result in found if result.problem], dict[str, str]()
    if as_json:
        checks = [{"check": n, "ok": not p, "note": redact(note), **(p.record() if p else {})} for n, note, p in found]
        say(json.dumps({"ok": not failed, "checks": checks}, indent=2))
    for name, note, problem in [] if as_json else found:
        first = told.setdefault(problem.title, name) if problem else name
        remark = redact(note) or ("" if first == name else f"for the reason of {first}")
        say(f"{chr(0x2717 if problem else 0x2713)} {name}{remark and f': {remark}'}")
        for line in problem.lines() if problem and first == name else []:
            say(f"    {line}")
    return failed[0].cause.code if failed else 0


def examine(uri: str | None = None) -> None:
    """Prints what is wrong, for a notebook."""
    report(examine_client(uri or os.environ.get("MLFLOW_TRACKING_URI", "")))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="mlflow_doctor.py", description="Examines an MLflow tracking server as its client.")
    parser.add_argument("--json", action="store_true", help="for machines")
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--check-folder", metavar="DIR", help="would MLflow's client keep the names of the files in it?")
    asked.add_argument("url", metavar="URL", nargs="?", help="default: that in MLFLOW_TRACKING_URI")
    options = parser.parse_args(arguments)
    if options.check_folder is None:
        if not (url := options.url or os.environ.get("MLFLOW_TRACKING_URI")):
            parser.error("no URL: pass that of the tracking server, or set MLFLOW_TRACKING_URI")
        return report(examine_client(url), options.json)
    if not os.path.isdir(options.check_folder):
        parser.error(f"no folder: {options.check_folder}")
    return report([result_of("names of files", lambda: names_kept(options.check_folder))], options.json)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
