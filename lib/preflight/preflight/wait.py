"""Waiting, and how SIGTERM ends it."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import Callable, TypeVar

from .environment import number
from .problem import Problem, redact, say

Found = TypeVar("Found")

RETRY_SECONDS = 1
# what a store that starts takes; what takes longer may want somebody
HINT_SECONDS = 30


class Wait:
    """Waits, with a line whenever the reason changes, until the time is up."""

    @classmethod
    def of_the_environment(cls) -> Wait:
        return cls(number("STARTUP_DEADLINE_SECONDS", 300))

    def __init__(self, seconds: float, prop: str = "preflight.startupDeadline") -> None:
        self.seconds = seconds
        # that sets it
        self.prop = prop
        self.end = time.monotonic() + seconds
        self.line = ""

    def __call__(self, what: str, reason: str) -> bool:
        """False when the time is up."""
        line = redact(f"Waiting for {what}: {reason}")
        if line != self.line:
            self.line = line
            say(line)
        if time.monotonic() + RETRY_SECONDS > self.end:
            return False
        time.sleep(RETRY_SECONDS)
        return True

    def over(self, problem: Problem) -> Problem:
        """The problem that was waited for, as one that nobody waits for any more."""
        problem.answer = f"{problem.answer} (gave up after {self.seconds:g} s, the prop {self.prop})".strip()
        problem.passing = False
        return problem


def mending(problem: Problem) -> list[str]:
    """Of the lines of a problem, what may be behind it, and what mends it."""
    return [line for line in problem.lines() if line.startswith(("  cause:", "  fix:", "  run:"))]


def until_well(wait: Wait, name: str, action: Callable[[], Found]) -> Found:
    """The result of an action that is tried again while waiting can mend what goes wrong; after a time, with what else can."""
    told, since = "", 0.0
    while True:
        try:
            return action()
        except Problem as problem:
            if not problem.passing:
                raise
            if problem.name != told:
                told, since = problem.name, time.monotonic()
            elif time.monotonic() - since >= HINT_SECONDS:
                since = float("inf")
                for line in mending(problem):
                    say(line)
            if not wait(name, f"{problem.title}; {problem.answer}" if problem.answer else problem.title):
                raise wait.over(problem) from None


def end_at_sigterm(code: int = 128 + signal.SIGTERM) -> None:
    # process 1 ignores signals that it has no handler for, and waiting must not outlive the pod
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(code))


@contextlib.contextmanager
def undisturbed(what: str) -> Iterator[None]:
    """Puts SIGTERM off until this is done: half of a schema is worse than a pod that ends a little later."""
    came: list[int] = []

    def put_off(number: int, _: FrameType | None) -> None:
        if not came:
            say(f"SIGTERM came: finishing {what} first")
        came.append(number)

    before = signal.signal(signal.SIGTERM, put_off)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
    if came:
        sys.exit(128 + came[0])
