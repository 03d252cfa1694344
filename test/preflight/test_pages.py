import contextlib
import http.client
import socket
import time
import unittest
from unittest import mock

from preflight import pages as module
from preflight.pages import Pages


class Http(unittest.TestCase):
    def serve(self):
        pages = Pages({"/ready": lambda: (503, "database: x\n"), "/metrics": lambda: (200, "m 1\n")}, 0)
        self.addCleanup(pages.close)
        return pages

    def ask(self, pages, path, host="127.0.0.1", method="GET"):
        connection = http.client.HTTPConnection(host, pages.port, timeout=5)
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def send(self, pages, data, host="127.0.0.1"):
        """All that comes back."""
        with socket.create_connection((host, pages.port), timeout=5) as connection:
            connection.sendall(data)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while part := connection.recv(4096):
                    received += part
        return received

    def test_tells_by_ipv4(self):
        pages = self.serve()
        self.assertEqual(self.ask(pages, "/ready"), (503, "database: x\n"))
        self.assertEqual(self.ask(pages, "/metrics?x=1"), (200, "m 1\n"))
        self.assertEqual(self.ask(pages, "/"), (404, "no such page\n"))
        self.assertEqual(self.ask(pages, "/metrics", method="POST"), (405, "only GET\n"))

    @unittest.skipUnless(socket.has_dualstack_ipv6(), "this machine has no IPv6")
    def test_tells_by_ipv6_too(self):
        self.assertEqual(self.ask(self.serve(), "/metrics", "::1")[0], 200)

    def test_tells_by_ipv4_alone_where_there_is_nothing_else(self):
        with mock.patch("socket.has_dualstack_ipv6", lambda: False):
            self.assertEqual(self.ask(self.serve(), "/metrics")[0], 200)

    def test_gives_what_is_no_request_no_answer_and_goes_on(self):
        pages = self.serve()
        for data in (
            b"x\r\n\r\n",
            b"GET / HTTP/1.1 too much\r\n\r\n",
            b"a" * 20_000,
            b"\xff\xfe\r\n\r\n",
            b"GET /" + b"x" * 9000,
        ):
            self.assertEqual(self.send(pages, data), b"")
        self.assertEqual(self.ask(pages, "/metrics")[0], 200)

    def test_hangs_up_on_a_request_that_does_not_come_to_its_end(self):
        with mock.patch.object(module, "SECONDS", 0.2):
            pages, start = self.serve(), time.monotonic()
            self.assertEqual(self.send(pages, b"GET /metrics HTTP/1.1\r\n"), b"")
        self.assertLess(time.monotonic() - start, 3)
        self.assertEqual(pages.open, {})

    def test_answers_behind_more_half_open_connections_than_it_holds(self):
        pages = self.serve()
        with contextlib.ExitStack() as stack, mock.patch.object(module, "MOST", 20):
            for _ in range(300):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", pages.port), timeout=5))
                connection.sendall(b"GET /metrics")
            self.assertEqual(self.ask(pages, "/metrics"), (200, "m 1\n"))
            self.assertLessEqual(len(pages.open), 20)


if __name__ == "__main__":
    unittest.main()
