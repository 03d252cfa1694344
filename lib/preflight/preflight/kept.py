"""mlflow gc that goes on where something cannot be deleted."""

from __future__ import annotations

import re
from typing import Any, Callable

from .problem import Problem, redact, say

GONE = re.compile(r"(Run|Logged model|Experiment) with ID (\S+) has been permanently deleted\.")
# of MLflow, that are taken over
NAMES = ("get_artifact_repository", "_get_store", "click")


class Kept:
    """Stands between the command of MLflow, the repositories of artifacts, and the store of its rows.

    MLflow deletes the artifacts of a run, then its row, and ends at the first error for good: the next night begins with
    the same run. Here the row is kept, and so is the experiment that it is in, since with that its rows would go as well.
    """

    def __init__(self, cli: Any, still_well: Callable[[], None]) -> None:
        # finds out that nothing can be deleted any more
        self.still_well = still_well
        self.original = {name: getattr(cli, name) for name in NAMES}
        self.store: Any = None
        self.place, self.reason = "", ""
        self.kept: dict[str, str] = {}
        self.experiments: set[str] = set()
        cli.get_artifact_repository, cli._get_store, cli.click = self.repository, self.get_store, self

    def __getattr__(self, name: str) -> Any:
        """All of click, but echo."""
        return getattr(self.original["click"], name)

    def echo(self, message: object = None, *arguments: Any, **options: Any) -> None:
        """What MLflow says, but for what is not so."""
        gone = GONE.match(str(message))
        if not (gone and gone[2] in self.kept):
            self.original["click"].echo(message, *arguments, **options)

    def repository(self, place: str, *arguments: Any, **options: Any) -> Any:
        self.place, self.reason = place, ""
        repository = Repository(self)
        repository.delete = self.attempt(
            lambda: self.original["get_artifact_repository"](place, *arguments, **options).delete_artifacts()
        )
        return repository

    def attempt(self, delete: Callable[[], None]) -> Callable[[], None]:
        from mlflow.exceptions import InvalidUrlException

        def attempted() -> None:
            try:
                delete()
            except InvalidUrlException:
                # MLflow goes on by itself
                raise
            # the libraries of the stores raise errors of many packages
            except Exception as error:
                self.reason = " ".join(redact(f"{type(error).__name__}: {error}").split())[:300]
                if self.place.startswith(("mlflow-artifacts:", "http:", "https:")):
                    self.still_well()

        return attempted

    def get_store(self, *arguments: Any, **options: Any) -> Any:
        self.store = self.original["_get_store"](*arguments, **options)
        for name, what, experiment in (
            ("_hard_delete_run", "Run", lambda i: self.store.get_run(i).info.experiment_id),
            (
                "_hard_delete_logged_model",
                "Logged model",
                lambda i: self.store.get_logged_model(i, allow_deleted=True).experiment_id,
            ),
        ):
            if hasattr(self.store, name):
                setattr(self.store, name, self.unless_kept(getattr(self.store, name), what, experiment))
        if hasattr(self.store, "_hard_delete_experiment"):
            self.store._hard_delete_experiment = self.unless_in_use(self.store._hard_delete_experiment)
        return self.store

    def unless_kept(self, delete: Callable[[str], None], what: str, experiment: Callable[[str], object]) -> Callable[[str], None]:
        def deleted(name: str) -> None:
            if not self.reason:
                return delete(name)
            self.experiments.add(str(experiment(name)))
            self.keep(what, name, f"{self.place}: {self.reason}")

        return deleted

    def unless_in_use(self, delete: Callable[[str], None]) -> Callable[[str], None]:
        def deleted(name: str) -> None:
            if str(name) not in self.experiments:
                return delete(name)
            self.keep("Experiment", name, "something in it is kept")

        return deleted

    def keep(self, what: str, name: str, why: str) -> None:
        self.kept[str(name)] = line = f"{what} {name} ({why})"
        say(f"Kept: {line}")

    def problem(self) -> Problem:
        names = list(self.kept.values())
        listed = "; ".join(names[:20]) + (f" and {len(names) - 20} more, which are named above" if len(names) > 20 else "")
        return Problem("gc-kept", "mlflow gc", answer=listed, count=len(names))


class Repository:
    """What MLflow asks of a repository here."""

    delete: Callable[[], None]

    def __init__(self, owner: Kept) -> None:
        self.owner = owner

    def __str__(self) -> str:
        return self.owner.place

    def delete_artifacts(self) -> None:
        self.delete()
