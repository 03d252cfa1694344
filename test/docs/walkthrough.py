#!/usr/bin/env python3
"""Runs a document: all its code blocks, from top to bottom, in one bash process in an empty directory.

walkthrough.py DOCUMENT --directory DIR [--app DIR] [--tarball FILE] [--wheel FILE] [--replace OLD=NEW]...
                        [--section HEADING]... [--until HEADING]
walkthrough.py DOCUMENT --print      the bash script that would run
walkthrough.py DOCUMENT --list       what the document needs and its blocks, as JSON

What a block is for stands behind its fence:

  sh                  runs
  python, ts          a complete program: runs in python3, or in tsx
  ts main.ts          is written to this file, whatever the language
  text, mermaid       is only looked at
  go, java            is only looked at, too: test/consumers compiles and runs it

The first line of a document that has something to run is a comment with what it needs:

  <!-- walkthrough: app cluster -->

  app       the finished app of the tutorial is in the directory (--app)
  cluster   a cluster in KUBECONFIG. "kind" then does nothing, since the cluster is there already
  wheel     the Python package (--wheel)
  helm      the program

The package is in no registry yet, so "npm install … cdk8s-mlflow" takes --tarball and "pip install … cdk8s-mlflow" takes
--wheel in its place. The exit code is that of the first command that fails; what runs in the background ends with the script.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

PACKAGE = "cdk8s-mlflow"
SHOWN = ("go", "java", "mermaid", "text")
PROGRAMS = {
    "python": "python3 -",
    "ts": "npx --no tsx -",
}
# quiet and quick, and independent of whoever runs it
ENVIRONMENT = {
    "CDK8S_CHECK_UPGRADE": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "NPM_CONFIG_AUDIT": "false",
    "NPM_CONFIG_FUND": "false",
    "NPM_CONFIG_PREFER_OFFLINE": "true",
    "NPM_CONFIG_UPDATE_NOTIFIER": "false",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
FOREIGN = ("AWS_", "CDK8S_", "MLFLOW_EXPERIMENT", "MLFLOW_S3_", "S3_", "VIRTUAL_ENV")
NEEDS = ("app", "cluster", "wheel", "helm")


class Fault(Exception):
    """Something is wrong with the document, or with the arguments."""


@dataclasses.dataclass
class Block:
    line: int
    language: str
    file: str
    sections: list
    text: str

    @property
    def use(self):
        """What happens to the block: run, write or show."""
        if self.language in SHOWN:
            return "show"
        return "write" if self.file else "run"


def needs_of(text):
    """What the first line says that the document needs; None where there is nothing to run."""
    match = re.match(r"<!-- walkthrough:([\w ]*)-->\n", text)
    return match[1].split() if match else None


def blocks_of(text):
    """The code blocks of a document, each with the headings it stands under."""
    blocks, headings, block, fence = [], [], None, ""
    for number, line in enumerate(text.split("\n"), 1):
        if block is not None:
            if line.strip() == fence:
                blocks.append(block)
                block = None
            else:
                block.text += line + "\n"
        elif match := re.match(r"(`{3,})(\S*)(?: +(\S+))?\s*$", line):
            fence = match[1]
            block = Block(number, match[2], match[3] or "", [title for _, title in headings], "")
        elif re.match(r"\s*(```|~~~)", line):
            raise Fault(f"line {number}: a fence has three backticks at the beginning of a line, a language, perhaps a file name")
        elif match := re.match(r"(#{1,6}) +(.*?)\s*$", line):
            headings = [heading for heading in headings if heading[0] < len(match[1])] + [(len(match[1]), match[2])]
    if block is not None:
        raise Fault(f"line {block.line}: the fence has no end")
    return blocks


def titles_of(text):
    """All headings with their line, outside of blocks."""
    inside, found = "", []
    for number, line in enumerate(text.split("\n"), 1):
        fence = re.match(r"`{3,}", line)
        if fence and (not inside or line.strip() == inside):
            inside = "" if inside else fence[0]
        elif not inside and (match := re.match(r"#{1,6} +(.*?)\s*$", line)):
            found.append((number, match[1]))
    return found


def chosen(text, sections, until):
    """The blocks under the headings that are asked for."""
    titles = titles_of(text)
    for title in [*sections, *([until] if until else [])]:
        if title not in [name for _, name in titles]:
            raise Fault(f'there is no heading "{title}"')
    end = next((number for number, title in titles if title == until), float("inf"))
    return [
        block
        for block in blocks_of(text)
        if block.line < end and (not sections or any(title in block.sections for title in sections))
    ]


def commands(text, tarball, wheel):
    """The commands of a block, with the package that is in no registry replaced by its file."""

    def replaced(line):
        for pattern, file, option in ((r"\s*npm (install|i)\b", tarball, "--tarball"), (r".*\bpip install\b", wheel, "--wheel")):
            if re.match(pattern, line) and re.search(rf"(?<!\S){PACKAGE}(@\S+|==\S+)?(?!\S)", line):
                if not file:
                    raise Fault(f"{line.strip()}: pass the package with {option}")
                path = shlex.quote(os.path.abspath(file)).replace("\\", r"\\")
                line = re.sub(rf"(?<!\S){PACKAGE}(@\S+|==\S+)?(?!\S)", path, line)
        # "set -e" passes over a command behind "!"
        return f"{line} || false" if line.startswith("! ") else line

    return "\n".join(replaced(line) for line in text.split("\n"))


def here_document(text, word="END_OF_BLOCK"):
    while word in text:
        word += "_"
    return f"<<'{word}'\n{text}{word}\n"


def script(name, blocks, tarball="", wheel=""):
    """One bash script of all blocks. A command that fails ends it, with the line of its block."""
    lines = [
        "set -euo pipefail",
        "trap 'code=$?; [ $code = 0 ] || echo \"FAILED: $walkthrough_at (exit code $code)\" >&2' EXIT",
        "",
    ]
    for block in blocks:
        if block.use == "show":
            continue
        lines.append(f'walkthrough_at={shlex.quote(f"{name}:{block.line}")}; echo "=== $walkthrough_at"')
        if block.use == "write":
            if "/" in block.file:
                lines.append(f"mkdir -p {shlex.quote(os.path.dirname(block.file))}")
            lines.append(f"cat >{shlex.quote(block.file)} {here_document(block.text)}")
        elif block.language == "sh":
            lines.append(commands(block.text, tarball, wheel))
        elif block.language in PROGRAMS:
            lines.append(f"{PROGRAMS[block.language]} {here_document(block.text)}")
        else:
            raise Fault(f'line {block.line}: nobody knows how to run "{block.language}": give it a file name, or call it text')
    return "\n".join(lines)


def copy_app(source, target):
    """A copy of an app whose files may be overwritten; the many files of its packages are shared."""
    for entry in os.scandir(source):
        destination = os.path.join(target, entry.name)
        if entry.name == "node_modules":
            os.mkdir(destination)
            for module in os.scandir(entry.path):
                path = os.path.join(destination, module.name)
                if module.is_dir(follow_symlinks=False):
                    shutil.copytree(module.path, path, symlinks=True, copy_function=share)
                else:
                    shutil.copy2(module.path, path, follow_symlinks=False)
        elif entry.is_dir():
            shutil.copytree(entry.path, destination, symlinks=True)
        else:
            shutil.copy2(entry.path, destination)


def share(source, target, *, follow_symlinks=True):
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=follow_symlinks)


def environment(scratch):
    values = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)} | ENVIRONMENT
    if values.get("KUBECONFIG"):
        # a copy, so that a document may choose a namespace for all its commands
        values["KUBECONFIG"] = shutil.copy(values["KUBECONFIG"], os.path.join(scratch, "kubeconfig"))
        shim = os.path.join(scratch, "bin", "kind")
        os.mkdir(os.path.dirname(shim))
        with open(shim, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n# the cluster in KUBECONFIG is there already, and stays\n")
        os.chmod(shim, 0o700)
        values["PATH"] = os.path.dirname(shim) + os.pathsep + values["PATH"]
    return values


def run(text, directory):
    """Runs a script in a process group of its own, and ends all of that group with it."""
    with tempfile.TemporaryDirectory(prefix="walkthrough-") as scratch:
        path = os.path.join(scratch, "script")
        pathlib.Path(path).write_text(text, encoding="utf-8")
        options = {"cwd": directory, "env": environment(scratch), "stdin": subprocess.DEVNULL}
        process = subprocess.Popen(["bash", path], start_new_session=True, **options)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, frame: sys.exit(128 + number))
        try:
            return process.wait()
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                    process.wait(10)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue


def check_needs(options, needs):
    """For a whole document: who runs a part of one knows what that needs."""
    if options.section or options.until:
        return
    if needs is None:
        raise Fault("it does not begin with a comment <!-- walkthrough: … -->")
    for need in needs:
        if need not in NEEDS:
            raise Fault(f'it needs "{need}", and only {", ".join(NEEDS)} are known')
    for need, there, remedy in (
        ("app", options.app, "pass the app of the tutorial with --app"),
        ("cluster", os.environ.get("KUBECONFIG"), "set KUBECONFIG"),
        ("wheel", options.wheel, "pass the Python package with --wheel"),
        ("helm", shutil.which("helm"), "install helm"),
    ):
        # a part of a document may need less than all of it
        if need in (needs or []) and not there and not options.section:
            raise Fault(f"it needs {need}: {remedy}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document")
    parser.add_argument("--directory", help="where to run; has to be empty for a whole document")
    parser.add_argument("--app", help="the app of the tutorial")
    parser.add_argument("--tarball", help="the package for npm")
    parser.add_argument("--wheel", help="the package for Python")
    parser.add_argument("--replace", action="append", default=[], metavar="OLD=NEW", help="another text in all blocks")
    parser.add_argument("--section", action="append", default=[], metavar="HEADING", help="only what stands under it")
    parser.add_argument("--until", metavar="HEADING", help="only what stands before it")
    parser.add_argument("--print", action="store_true", help="print the script")
    parser.add_argument("--list", action="store_true", help="print needs and blocks as JSON")
    options = parser.parse_args()
    text = pathlib.Path(options.document).read_text(encoding="utf-8")
    try:
        needs = needs_of(text)
        if options.list:
            blocks = [dataclasses.asdict(block) | {"use": block.use} for block in blocks_of(text)]
            print(json.dumps({"needs": needs, "headings": [title for _, title in titles_of(text)], "blocks": blocks}))
            return 0
        blocks = chosen(text, options.section, options.until)
        for old, new in (replacement.split("=", 1) for replacement in options.replace):
            for block in blocks:
                block.text = block.text.replace(old, new)
        composed = script(options.document, blocks, options.tarball, options.wheel)
        if options.print:
            print(composed)
            return 0
        check_needs(options, needs)
        if not options.directory:
            raise Fault("pass the directory to run in with --directory")
        os.makedirs(options.directory, exist_ok=True)
        if options.app and "app" in (needs or []):
            copy_app(options.app, options.directory)
        return run(composed, options.directory)
    except Fault as fault:
        print(f"{options.document}: {fault}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
