"""A bucket in memory, with what the programs of the backup ask of one."""

import json

from mlflow_backup.bucket import Found


class FakeBucket:
    uri = "s3://vault/mlflow"

    def __init__(self, objects=None):
        self.objects = dict(objects or {})

    def listing(self, below=""):
        return [
            Found(path, len(text), f"etag of {text}") for path, text in sorted(self.objects.items()) if path.startswith(below)
        ]

    def folders(self, below):
        return sorted({path[len(below) :].split("/")[0] for path in self.objects if path.startswith(below)})

    def read_json(self, path):
        return json.loads(self.objects[path]) if path in self.objects else None

    def write_json(self, path, value):
        self.objects[path] = json.dumps(value)

    def delete(self, paths):
        return sum(1 for path in list(paths) if self.objects.pop(path, None) is not None)

    def delete_below(self, below):
        return self.delete([found.path for found in self.listing(below)])

    def sha256(self, path):
        return f"sha256 of {self.objects[path]}"
