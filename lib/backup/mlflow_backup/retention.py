"""Which backups go, once there is a newer one that is known to be good."""

from __future__ import annotations

import datetime

from preflight.problem import say

from . import layout
from .bucket import Bucket


def to_remove(names: list[str], verified: str, seconds: float) -> list[str]:
    """Those that are older than the retention, counted back from the one that was verified just now, which stays."""
    oldest = layout.time_of(verified) - datetime.timedelta(seconds=seconds)
    return [name for name in names if name < verified and layout.time_of(name) < oldest]


def clean_up(destination: Bucket, verified: str, seconds: float) -> tuple[int, list[str]]:
    """Removes them; how many are left, and which went."""
    begun = layout.names_of(destination)
    manifests = layout.whole(destination, begun)
    old = to_remove(begun, verified, seconds)
    # of a run that did not end there is nothing to restore
    broken = [name for name in begun if name not in manifests and name < verified and name not in old]
    for name in [*old, *broken]:
        # first what makes it look whole
        destination.delete([layout.path_of(name, layout.MANIFEST)])
        destination.delete_below(layout.path_of(name, ""))
    left = [name for name in manifests if name not in old]
    for name in layout.kept_names(destination):
        # it is for backups before it
        if name <= verified and not any(other < name for other in left):
            say(
                f"Removing what was changed or deleted before {name}: {destination.delete_below(f'{layout.KEPT}{name}/')} objects"
            )
    return len(left), old
