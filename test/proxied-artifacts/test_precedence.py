import asyncio
import time
import unittest
from unittest import mock

from proxied_artifacts import precedence
from proxied_artifacts.precedence import Calls, Courtesy


class Case(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.calls = Calls()

    async def call(self, over):
        with self.calls.counted():
            await over.wait()

    async def begin(self):
        over = asyncio.Event()
        task = asyncio.ensure_future(self.call(over))
        await asyncio.sleep(0)
        return over, task


class Courteous(Case):
    async def test_waits_for_no_call_where_there_is_none(self):
        with mock.patch.object(Calls, "gone") as gone:
            await Courtesy(self.calls).show()
        gone.assert_not_called()

    async def test_waits_until_all_calls_are_over(self):
        with mock.patch.object(precedence, "SOON", 60):
            (first, one), (second, other) = await self.begin(), await self.begin()
            waiting = asyncio.ensure_future(Courtesy(self.calls).show())
            first.set()
            await one
            await asyncio.sleep(0)
            self.assertFalse(waiting.done())
            second.set()
            await other
            await asyncio.wait_for(waiting, 5)

    async def test_waits_for_a_long_call_for_a_moment(self):
        with mock.patch.object(precedence, "SOON", 0.05):
            over, task = await self.begin()
            await asyncio.wait_for(Courtesy(self.calls).show(), 5)
            # it is old, and waited for by nobody
            await asyncio.sleep(0.06)
            self.assertFalse(self.calls.under_way)
            over.set()
            await task

    async def test_waits_at_most_half_of_its_time(self):
        courtesy, clock = Courtesy(self.calls), [100.0]

        async def gone():
            clock[0] += 3

        over, task = await self.begin()
        with mock.patch.object(time, "monotonic", lambda: clock[0]), mock.patch.object(self.calls, "gone", gone):
            waited = []
            for _ in range(8):
                before = clock[0]
                await courtesy.show()
                waited.append(clock[0] - before)
                clock[0] += 1
        self.assertEqual(waited, [3, 0, 0, 3, 0, 0, 3, 0])
        over.set()
        await task

    async def test_a_call_that_fails_is_over(self):
        with self.assertRaises(ValueError), self.calls.counted():
            raise ValueError
        self.assertFalse(self.calls.under_way)


if __name__ == "__main__":
    unittest.main()
