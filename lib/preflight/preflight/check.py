"""What the start of the tracking server wants to know first."""

from __future__ import annotations

import functools
import os

from .environment import clean, destination_of, has_login, judge_environment, put_credentials_in_place
from .login_admin import LoginAdmin
from .postgres import ReadReplica
from .problem import Problem, examine, fail, warn
from .server_secrets import ServerSecrets
from .store import installed
from .stores import artifact_store, backend_store, login_database, registry_store
from .wait import Wait, end_at_sigterm, until_well


def check(arguments: list[str]) -> int:
    """Waits for the stores of the command, and ends with cause and fix where the tracking server would not work."""
    end_at_sigterm()
    clean(os.environ)
    try:
        put_credentials_in_place(os.environ, destination_of(arguments))
        judge_environment(os.environ, arguments)
        wait = Wait.of_the_environment()
        logins = [login_database()] if has_login(arguments) else []
        admins = [LoginAdmin(login) for login in logins]
        database = backend_store(arguments)
        for store in (artifact_store(arguments), database, *registry_store(arguments), *logins, *admins, ServerSecrets(database)):
            if not store.checkable:
                continue
            if not installed(store):
                lacking = f"this Python has no {store.module}, so {store.name} is not checked"
                warn(f"{lacking}: use an MLflow image with the suffix -full")
                continue
            until_well(wait, store.name, functools.partial(store.prepare, wait))
    except Problem as problem:
        fail(problem.cause.code, problem.lines())
    replica = ReadReplica()
    if replica.checkable and installed(replica):
        found = examine(replica.name, replica.check).problem
        if found:
            warn(f"{found.title}. {found.cause.why}")
    return 0
