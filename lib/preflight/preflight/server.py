"""The running tracking server, asked from the pods beside it."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
from typing import Any

from .environment import flag, has_login, login_settings
from .mlflow_doctor import WORKSPACE_HEADER, Login, TrackingServer, client_login
from .problem import Problem, source_of


def admin() -> tuple[str, str]:
    """Name and password of the admin, in the pod of the server."""
    settings: dict[str, str] = {}
    with contextlib.suppress(Problem):
        # another check tells it
        settings = login_settings()
    user = os.environ.get("MLFLOW_AUTH_ADMIN_USERNAME") or settings.get("admin_username", "admin")
    password = os.environ.get("MLFLOW_AUTH_ADMIN_PASSWORD") or settings.get("admin_password", "")
    return user, password


def admin_login() -> Login:
    user, password = admin()
    return Login("MLFLOW_AUTH_ADMIN_PASSWORD", password, user)


def host_for(arguments: list[str], host: str) -> str | None:
    """A host that the server answers for: the one that is asked, unless --allowed-hosts has others only."""
    allowed = flag(arguments, "--allowed-hosts", os.environ.get("MLFLOW_SERVER_ALLOWED_HOSTS", ""))
    patterns = [pattern.strip() for pattern in allowed.split(",") if pattern.strip()]
    if not patterns or any(fnmatch.fnmatch(host, pattern) for pattern in patterns):
        return None
    port = host.rpartition(":")[2]
    # first those that are names
    hosts = sorted((re.sub(r":\*$", f":{port}", pattern) for pattern in patterns), key=lambda pattern: "*" in pattern)
    return hosts[0].replace("*", "x")


class ServerOfThisPod(TrackingServer):
    """As its admin sees it."""

    def no_direct_experiments(self) -> None:
        for workspace in workspaces_of(self) or [""]:
            self.headers = {**self.headers, **({WORKSPACE_HEADER: workspace} if workspace else {})}
            super().no_direct_experiments()


def has_workspaces(server: TrackingServer) -> bool:
    info, _ = server.ask("/api/3.0/mlflow/server-info", "GET server-info")
    return bool(info.get("workspaces_enabled"))


def workspaces_of(server: TrackingServer) -> list[str]:
    """The names of all workspaces; none where the server has none."""
    if not has_workspaces(server):
        return []
    found, _ = server.ask("/api/3.0/mlflow/workspaces", "listing the workspaces")
    return [str(workspace.get("name")) for workspace in found.get("workspaces", [])]


def server_in_this_pod(arguments: list[str]) -> TrackingServer:
    listens = flag(arguments, "--host", os.environ.get("MLFLOW_HOST", ""))
    host = f"{'[::1]' if ':' in listens else '127.0.0.1'}:{flag(arguments, '--port', '5000')}"
    prefix = flag(arguments, "--static-prefix", os.environ.get("MLFLOW_STATIC_PREFIX", ""))
    login = admin_login() if has_login(arguments) else None
    return with_source(ServerOfThisPod(f"http://{host}{prefix}", login, host_for(arguments, host)))


def log_in_by_environment(arguments: list[str]) -> None:
    """For MLflow's own client in the pod of the server."""
    if has_login(arguments):
        os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = admin()


def server_at(uri: str) -> TrackingServer:
    return with_source(TrackingServer(uri, client_login()))


def with_source(server: TrackingServer) -> TrackingServer:
    """A login of a pod is from a Secret, most often."""
    if server.login:
        server.login.source = source_of(server.login.source)
    return server


def an_experiment(server: TrackingServer) -> dict[str, Any]:
    """One that is in the server's database, if it tells of one."""
    path = "/api/2.0/mlflow/experiments/search"
    with contextlib.suppress(Problem, LookupError, TypeError):
        page, _ = server.ask(path, "searching an experiment", {"max_results": 1, "view_type": "ALL"})
        return dict(page["experiments"][0])
    return {}


def lets_in(server: TrackingServer) -> None:
    """For those who start with the server: it is up, knows the user, and reaches its artifact store."""
    try:
        server.health()
        server.round_trip()
    except Problem as problem:
        problem.passing = problem.name in ("server-absent", "server-error", "server-waits")
        raise
