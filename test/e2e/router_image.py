"""An image with the nginx of this machine under the name that the manifests have, for a cluster without a registry.

usage: router_image.py OUT.tar

As a Docker archive with one layer: nginx, a shell and sleep, with the libraries that they are linked with.
"""

import hashlib
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = {"nginx": "/usr/sbin/nginx", "sh": "/bin/sh", "sleep": "/bin/sleep"}
FOLDERS = ("tmp", "var/log/nginx", "var/lib/nginx", "etc/nginx")


def name():
    (found,) = re.findall(r"NGINX = '(.+)'", (ROOT / "lib/options/images.ts").read_text())
    return found


def files():
    """Where each file stands in the image, and where it is here."""
    for program, place in PROGRAMS.items():
        here = shutil.which(program, path="/usr/sbin:/usr/bin:/bin")
        yield place, here
        linked = subprocess.run(["ldd", here], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", linked):
            yield library, library


def layer():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for folder in FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        for place, here in sorted(dict(files()).items()):
            content = pathlib.Path(here).resolve().read_bytes()
            entry = tarfile.TarInfo(place.lstrip("/"))
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def main(target):
    content = layer()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/usr/sbin:/usr/bin:/bin"], "StopSignal": "SIGQUIT"},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(content).hexdigest()]},
    }
    image = name()
    manifest = [{"Config": "config.json", "RepoTags": [image], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as archive:
        members = {
            "config.json": json.dumps(config).encode(),
            "layer.tar": content,
            "manifest.json": json.dumps(manifest).encode(),
        }
        for member, data in members.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    print(image)


if __name__ == "__main__":
    main(sys.argv[1])
