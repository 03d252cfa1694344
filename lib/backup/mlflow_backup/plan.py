"""What a run copies, and what it moves aside first."""

from __future__ import annotations

from typing import NamedTuple

from . import layout
from .bucket import Bucket, Found


class Plan(NamedTuple):
    """By paths below the root of the bucket."""

    new: list[Found]
    changed: list[Found]
    # of the copies at the destination: what changed, and what is gone
    aside: list[str]

    def counts(self) -> dict[str, int]:
        copied = [*self.new, *self.changed]
        gone = len(self.aside) - len(self.changed)
        sizes = {"copied": len(copied), "copied_bytes": sum(found.size for found in copied)}
        return {"new": len(self.new), "changed": len(self.changed), "gone": gone, **sizes}

    def text(self) -> str:
        counts = self.counts()
        return (
            f"New: {counts['new']}, changed: {counts['changed']}, gone: {counts['gone']}; to copy: {counts['copied_bytes']} bytes"
        )


def changes(destination: Bucket, objects: dict[str, Found], last: str) -> Plan:
    """Compares the bucket with the copies.

    Of which state of an object a copy is, its size does not tell, and neither does its ETag, which goes by the parts that it was
    uploaded in. So the ETags of the bucket are noted, before a run copies and after it: a copy is good where one of them is that
    of today. What a run has moved aside before it noted anything is not there any more, and so is copied.
    """
    known = {found.path: found.etag for found in layout.objects_of(destination, last)} if last else {}
    # of a run that may not have ended; where it did, the list of the backup tells more
    copying = destination.read_json(layout.COPYING) or {}
    copies = {found.path[len(layout.OBJECTS) :]: found for found in destination.listing(layout.OBJECTS)}
    new, changed = [], []
    for path, found in objects.items():
        copy = copies.get(path)
        if copy is None:
            new.append(found)
        elif copy.size != found.size or noted(path, known, copying) != found.etag:
            changed.append(found)
    gone = [path for path in copies if path not in objects]
    return Plan(new, changed, [*(found.path for found in changed), *gone])


def noted(path: str, known: dict[str, str], copying: dict[str, str]) -> str:
    """The ETag that the bucket had when the copy was made; empty where it changed meanwhile."""
    if path in copying and copying[path] != known.get(path):
        # noted by a run behind the last whole one, or one that saw it change
        return copying[path] if known.get(path) != "" else ""
    return known.get(path, "")
