import asyncio
import random
import threading
import time
import unittest

from proxied_artifacts import uploads
from proxied_artifacts.request import Upload
from proxied_artifacts.uploads import BrokenUpload, Places, part_size, upload

MEBIBYTE = 1024 * 1024
PART = 4 * MEBIBYTE
# places for parts
ROOM = 8


class Store:
    """One that keeps what it gets, and counts what it has in its hands."""

    path = "run/artifacts/file"

    def __init__(self, slow=0.0, broken=(), hold=None):
        self.calls, self.parts, self.whole = [], {}, None
        self.slow, self.broken, self.hold = slow, broken, hold
        self.busy = self.most = 0
        self._lock = threading.Lock()

    def _call(self, name):
        with self._lock:
            self.calls.append(name)
            self.busy += 1
            self.most = max(self.most, self.busy)
        if self.hold is not None and name == "part":
            self.hold.wait(5)
        time.sleep(self.slow)
        with self._lock:
            self.busy -= 1
        if name in self.broken:
            raise OSError(f"{name} fails")

    def put(self, body):
        self._call("put")
        self.whole = bytes(body)

    def begin(self):
        self._call("begin")

    def part(self, number, body):
        self._call("part")
        self.parts[number] = bytes(body)
        return number

    def finish(self, parts):
        self._call("finish")
        self.whole = b"".join(self.parts[number] for number in parts)

    def abort(self):
        self._call("abort")
        self.parts.clear()


async def pieces(data, size=1_000_003, error=None):
    for at in range(0, len(data), size):
        yield data[at : at + size]
    if error is not None:
        raise error


def data_of(size):
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


class Uploads(unittest.TestCase):
    def setUp(self):
        self._before = uploads.PART, uploads.PLACES_LEFT
        uploads.PART, uploads.PLACES_LEFT = PART, Places(ROOM)

    def tearDown(self):
        # whatever happened, the room is free again
        self.assertEqual(uploads.PLACES_LEFT.free, uploads.PLACES_LEFT.count)
        self.assertEqual(uploads.BUFFERS.take(PART), bytearray(PART))
        uploads.PART, uploads.PLACES_LEFT = self._before

    def run_one(self, store, data, length=None, error=None):
        async def main():
            try:
                await upload(pieces(data, error=error), store, Upload(length))
            finally:
                await asyncio.sleep(0.05)

        asyncio.run(main())

    def test_small_bodies_are_one_put(self):
        for size in (0, 1, MEBIBYTE, PART):
            store = Store()
            self.run_one(store, data_of(size), size)
            self.assertEqual((store.calls, store.whole), (["put"], data_of(size)))

    def test_others_are_parts_in_order_a_bounded_number_at_a_time(self):
        for size in (PART + 1, 5 * PART, 10 * PART + 7):
            store = Store(slow=0.2)
            self.run_one(store, data_of(size))
            self.assertEqual(store.whole, data_of(size))
            self.assertEqual((store.calls[0], store.calls[-1]), ("begin", "finish"))
            self.assertEqual({len(store.parts[number]) for number in range(1, len(store.parts))}, {PART})
            self.assertEqual(store.most, min(uploads.PARALLEL, len(store.parts)))

    def test_memory_that_is_used_again_shows_nothing_of_what_it_had(self):
        sizes = [3 * PART + 5, 2 * MEBIBYTE, 6 * PART, PART - 1, 2 * PART + MEBIBYTE + 1]
        contents = [random.Random(size).randbytes(size) for size in sizes]  # noqa: S311
        stores = [Store(slow=0.005) for _ in sizes]

        async def main():
            started = [upload(pieces(data), store, Upload(len(data))) for data, store in zip(contents, stores)]
            # one whose client goes, and one whose length is not known
            broken = upload(pieces(contents[0], error=ConnectionError()), Store(), Upload(None))
            unknown = Store(slow=0.005)
            ended = await asyncio.gather(
                *started, broken, upload(pieces(contents[4]), unknown, Upload(None)), return_exceptions=True
            )
            self.assertEqual([type(one) for one in ended if one is not None], [ConnectionError])
            self.assertEqual(unknown.whole, contents[4])
            await asyncio.sleep(0.05)

        asyncio.run(main())
        self.assertEqual([store.whole == data for store, data in zip(stores, contents)], [True] * len(sizes))

    def test_a_store_may_want_one_part_after_the_other(self):
        store = Store(slow=0.01)
        store.parallel = 1
        self.run_one(store, data_of(5 * PART))
        self.assertEqual((store.most, store.whole), (1, data_of(5 * PART)))

    def test_what_is_shorter_than_announced_is_no_object(self):
        for size, last in ((10, []), (3 * PART, ["abort"])):
            store = Store()
            with self.assertRaisesRegex(BrokenUpload, f"{size} of {size + 1} bytes"):
                self.run_one(store, data_of(size), size + 1)
            self.assertEqual((store.calls[-1:], store.whole), (last, None))

    def test_a_client_that_goes_leaves_nothing_behind(self):
        store = Store(slow=0.02)
        with self.assertRaises(ConnectionError):
            self.run_one(store, data_of(6 * PART), error=ConnectionError())
        self.assertEqual((store.calls[-1], store.whole, store.parts, store.busy), ("abort", None, {}, 0))

    def test_an_error_of_the_store_leaves_nothing_behind(self):
        for broken, last in (("begin", "begin"), ("part", "abort"), ("finish", "abort"), ("put", "put")):
            store = Store(broken=(broken,))
            with self.assertRaisesRegex(OSError, f"{broken} fails"):
                self.run_one(store, data_of(10 if broken == "put" else 3 * PART))
            self.assertEqual((store.calls[-1], store.whole), (last, None))

    def test_a_store_without_room_says_so_of_the_request(self):
        class Full(Store):
            def no_room(self, error):
                return f"no room: {error}"

        for broken in ("begin", "part", "finish", "put"):
            request = Upload(None)
            with self.assertRaises(OSError):
                asyncio.run(upload(pieces(data_of(10 if broken == "put" else 3 * PART)), Full(broken=(broken,)), request))
            self.assertEqual((request.no_room, request.refusal), (True, f"no room: {broken} fails"))

    def test_what_the_store_says_is_told_of_the_request_and_what_the_client_does_is_not(self):
        for broken in ("begin", "part", "finish", "put"):
            request = Upload(None)
            with self.assertRaises(OSError):
                asyncio.run(upload(pieces(data_of(10 if broken == "put" else 3 * PART)), Store(broken=(broken,)), request))
            self.assertEqual((request.no_room, request.refusal), (False, f"OSError: {broken} fails"))
        request = Upload(11)
        with self.assertRaises(BrokenUpload):
            asyncio.run(upload(pieces(data_of(10)), Store(), request))
        self.assertEqual(request.refusal, "")

    def test_parts_that_the_store_does_not_take_back_are_named(self):
        with self.assertLogs("mlflow.proxied_artifacts", "ERROR") as logs, self.assertRaises(OSError):
            self.run_one(Store(broken=("part", "abort")), data_of(3 * PART))
        self.assertIn("run/artifacts/file", logs.output[0])

    def test_a_process_that_ends_takes_back_first_what_is_under_way(self):
        store = Store(slow=0.2)

        async def main():
            async def endless():
                while True:
                    yield data_of(MEBIBYTE)
                    await asyncio.sleep(0)

            task = asyncio.create_task(upload(endless(), store, Upload(None)))
            while store.calls.count("part") < 2:
                await asyncio.sleep(0.01)
            task.cancel()
            # the loop of uvicorn turns a few times more, and then the process is gone
            for _ in range(3):
                await asyncio.sleep(0)
            self.assertEqual((store.calls[-1], store.busy), ("abort", 0))
            await asyncio.sleep(0.05)

        asyncio.run(main())
        self.assertIsNone(store.whole)

    def test_all_uploads_together_have_bounded_room_and_small_ones_do_not_wait(self):
        hold = threading.Event()
        large = [Store(hold=hold) for _ in range(6)]

        async def main():
            tasks = [asyncio.create_task(upload(pieces(data_of(4 * PART)), store, Upload(4 * PART))) for store in large]
            await asyncio.sleep(0.3)
            self.assertEqual(uploads.PLACES_LEFT.free, 0)
            self.assertLessEqual(sum(store.busy for store in large), ROOM)
            small = Store()
            await asyncio.wait_for(upload(pieces(data_of(1000)), small, Upload(1000)), 2)
            self.assertEqual(small.calls, ["put"])
            hold.set()
            await asyncio.gather(*tasks)
            await asyncio.sleep(0.05)

        asyncio.run(main())
        self.assertEqual([store.whole == data_of(4 * PART) for store in large], [True] * 6)

    def test_who_waits_for_room_and_gives_up_holds_up_nobody(self):
        async def main():
            places = Places(1)
            await places.take(1)
            first, second = asyncio.create_task(places.take(1)), asyncio.create_task(places.take(1))
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.sleep(0)
            places.give(1)
            await asyncio.wait_for(second, 1)
            places.give(1)
            self.assertEqual(places.free, 1)

        asyncio.run(main())

    def test_parts_are_equal_where_the_length_is_known_and_ten_thousand_at_the_most(self):
        uploads.PART = 8 * MEBIBYTE
        tebibyte = MEBIBYTE**2
        for length in (1, 10_000 * uploads.PART, 10_000 * uploads.PART + 1, tebibyte, 5 * tebibyte):
            size = part_size(length, 0)
            self.assertEqual({part_size(length, sent) for sent in (0, 5000, 9999)}, {size})
            self.assertLessEqual(-(-length // size), 10_000)
        self.assertEqual([part_size(None, sent) // MEBIBYTE for sent in (0, 2499, 2500, 5000, 9999)], [8, 8, 16, 32, 64])


if __name__ == "__main__":
    unittest.main()
