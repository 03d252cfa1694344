import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from cdk8s import Yaml

[VALUES] = Yaml.load("values.yaml")


class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "main.py"], env={**os.environ, "CDK8S_OUTDIR": folder}, check=True)
            cls.objects = [item for file in pathlib.Path(folder).iterdir() for item in Yaml.load(str(file))]

    def one(self, kind, name):
        return next(item for item in self.objects if (item["kind"], item["metadata"]["name"]) == (kind, name))

    def test_everything_is_in_the_namespace_of_the_values(self):
        found = {item["metadata"]["namespace"] for item in self.objects if "namespace" in item["metadata"]}
        self.assertEqual(found, {VALUES["namespace"]})
        self.one("Namespace", VALUES["namespace"])

    def test_there_is_as_much_as_the_values_say(self):
        def size(store):
            [claim] = self.one("StatefulSet", store)["spec"]["volumeClaimTemplates"]
            return claim["spec"]["resources"]["requests"]["storage"]

        self.assertEqual(self.one("Deployment", "mlflow")["spec"]["replicas"], VALUES["replicas"])
        self.assertEqual([size("postgres"), size("minio")], [f"{VALUES['databaseGiB']}Gi", f"{VALUES['artifactsGiB']}Gi"])

    def test_no_value_of_a_secret_stands_in_the_manifests(self):
        secrets = [item for item in self.objects if item["kind"] == "Secret"]
        self.assertTrue(secrets)
        for secret in secrets:
            self.assertFalse({"data", "stringData"} & secret.keys(), secret["metadata"]["name"])

    def test_every_image_has_a_version(self):
        images = re.findall(r'"image": "([^"]+)"', json.dumps(self.objects))
        self.assertTrue(images)
        for image in images:
            self.assertRegex(image, r":(?!latest$)[\w.-]+(@sha256:[0-9a-f]{64})?$")


if __name__ == "__main__":
    unittest.main()
