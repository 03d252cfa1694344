"""A hook of MkDocs for pages that are read on GitHub too: what they link outside of docs/ is shown by the repository."""

from __future__ import annotations

import pathlib
import posixpath
import re
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\((\.\./[^)#\s]+)(#[^)\s]+)?\)")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    def elsewhere(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.file.src_uri), match[1]))
        if path.startswith("docs/"):
            return match[0]
        if not (ROOT / path).exists():
            raise FileNotFoundError(f"{page.file.src_uri} links to {path}, which is not there")
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"]({config.repo_url}/{kind}/main/{path}{match[2] or ''})"

    # the comment that says what the page needs to be run would stand before its title
    return LINK.sub(elsewhere, re.sub(r"\A<!-- walkthrough:.*-->\n", "", markdown))
