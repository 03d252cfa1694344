import os
import sys
import tempfile
import types
import typing
import unittest
from unittest import mock

import test_layer
from proxied_artifacts.in_flight import InFlight, gauge_of_process

DEAD = 4_194_305  # above the largest number that Linux gives


class Gauge:
    made: typing.ClassVar[list] = []

    def __init__(self, name, what, labels, multiprocess_mode):
        self.name, self.mode, self.values, self.most = name, multiprocess_mode, {}, {}
        Gauge.made.append(self)

    def labels(self, direction):
        def add(step):
            self.values[direction] += step
            self.most[direction] = max(self.most.get(direction, 0), self.values[direction])

        return mock.Mock(inc=lambda: add(1), dec=lambda: add(-1), set=lambda value: self.values.update({direction: value}))


def library(forget):
    prometheus = types.ModuleType("prometheus_client")
    prometheus.Gauge, prometheus.multiprocess = Gauge, mock.Mock(mark_process_dead=forget)
    return mock.patch.dict(sys.modules, {"prometheus_client": prometheus})


class Counting(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.forgotten = folder.name, []
        self.enterContext = lambda context: (context.__enter__(), self.addCleanup(context.__exit__, None, None, None))
        self.enterContext(mock.patch.dict(os.environ, {"prometheus_multiproc_dir": self.folder}))
        self.enterContext(library(lambda pid, path: self.forgotten.append((pid, path))))
        Gauge.made.clear()
        gauge_of_process.cache_clear()
        self.addCleanup(gauge_of_process.cache_clear)

    def gauge(self):
        in_flight = InFlight()
        # the check of the protocol wraps as well
        InFlight()
        (gauge,) = Gauge.made
        return in_flight, gauge

    def test_begins_with_none_even_where_a_process_before_had_the_same_number(self):
        _, gauge = self.gauge()
        self.assertEqual((gauge.name, gauge.mode), ("mlflow_artifact_transfers_in_progress", "livesum"))
        self.assertEqual(gauge.values, {"upload": 0, "download": 0})

    def test_the_folder_of_the_page_is_made_where_mlflow_has_not_made_it_yet(self):
        folder = os.path.join(self.folder, "of", "metrics")
        with mock.patch.dict(os.environ, {"prometheus_multiproc_dir": folder}):
            self.gauge()
        self.assertTrue(os.path.isdir(folder))

    def test_a_download_is_under_way_until_its_last_byte(self):
        in_flight, gauge = self.gauge()
        got = test_layer.Exchange(test_layer.App(test_layer.Source()), in_flight=in_flight)
        self.assertEqual((got.status, gauge.most, gauge.values), (200, {"download": 1}, {"upload": 0, "download": 0}))

    def test_one_that_breaks_off_is_over(self):
        in_flight, gauge = self.gauge()
        got = test_layer.Exchange(test_layer.App(test_layer.Source(ends=600_000)), in_flight=in_flight)
        self.assertEqual((got.resets, gauge.most, gauge.values), (1, {"download": 1}, {"upload": 0, "download": 0}))

    def test_one_that_mlflow_sends_itself_counts_too(self):
        in_flight, gauge = self.gauge()
        test_layer.Exchange(test_layer.App(status=403), in_flight=in_flight, streams=False)
        self.assertEqual(gauge.most, {"download": 1})

    def test_an_upload_counts_as_one(self):
        in_flight, gauge = self.gauge()
        test_layer.Exchange(test_layer.App(status=200), in_flight=in_flight, method="PUT")
        self.assertEqual((gauge.most, gauge.values["upload"]), ({"upload": 1}, 0))

    def test_other_requests_do_not_count(self):
        in_flight, gauge = self.gauge()
        test_layer.Exchange(test_layer.App(status=200), in_flight=in_flight, path="/api/2.0/mlflow/runs/search", method="POST")
        test_layer.Exchange(test_layer.App(status=200), in_flight=in_flight, method="DELETE")
        self.assertEqual(gauge.most, {})

    def test_what_killed_processes_have_left_is_forgotten(self):
        for name in (f"gauge_livesum_{DEAD}.db", f"gauge_livesum_{os.getpid()}.db", f"counter_{DEAD}.db"):
            open(os.path.join(self.folder, name), "wb").close()
        self.gauge()
        self.assertEqual(self.forgotten, [(DEAD, self.folder)])


class WithoutPage(unittest.TestCase):
    def test_nothing_is_counted_and_nothing_imported(self):
        with mock.patch.dict(os.environ):
            os.environ.pop("prometheus_multiproc_dir", None)
            os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
            with library(lambda *_: None):
                Gauge.made.clear()
                gauge_of_process.cache_clear()
                with InFlight().counted("upload"):
                    self.assertEqual(Gauge.made, [])


if __name__ == "__main__":
    unittest.main()
