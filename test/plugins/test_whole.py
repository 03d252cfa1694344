import asyncio
import unittest

from app_layers.whole import MOST, Whole

START = {"type": "http.response.start", "status": 200}


def head(*headers):
    return {**START, "headers": [(b"Content-Type", b"x"), *headers]}


LENGTH = head((b"Content-Length", b"8"))


def piece(body, more=True):
    return {"type": "http.response.body", "body": body, "more_body": more}


def sent(*messages):
    """What has left after each of the messages of an app."""
    states, left = [], []

    async def app(scope, receive, send):
        for message in messages:
            await send(message)
            states.append(list(left))

    async def leave(message):
        left.append(message)

    asyncio.run(Whole(app)({"type": "http"}, None, leave))
    return states


class Answers(unittest.TestCase):
    def test_a_head_leaves_with_its_body(self):
        self.assertEqual(sent(LENGTH, piece(b"12345678", more=False)), [[], [LENGTH, piece(b"12345678", more=False)]])

    def test_a_short_body_leaves_when_all_of_it_is_there(self):
        whole = [LENGTH, piece(b"12345678")]
        last = piece(b"", more=False)
        # whoever refuses a request ends its answer when the client has been heard out, which may take seconds
        self.assertEqual(sent(LENGTH, piece(b"1234"), piece(b"5678"), last), [[], [], whole, [*whole, last]])

    def test_a_body_that_is_shorter_than_announced_leaves_at_its_end(self):
        self.assertEqual(sent(LENGTH, piece(b"1234"), piece(b"56", more=False))[-1], [LENGTH, piece(b"123456", more=False)])
        self.assertEqual(sent(LENGTH, {"type": "http.response.body"})[-1], [LENGTH, {"type": "http.response.body", "body": b""}])

    def test_what_is_there_in_one_piece_is_not_copied(self):
        body = b"x" * (2 * MOST)
        self.assertIs(sent(head((b"content-length", b"%d" % len(body))), piece(body))[-1][1]["body"], body)

    def test_a_long_body_leaves_when_enough_of_it_is_there_and_the_rest_as_it_comes(self):
        large = head((b"content-length", str(MOST + 2).encode()))
        first, last = piece(b"x" * (MOST - 1)), piece(b"", more=False)
        gathered = [large, piece(b"x" * MOST)]
        states = sent(large, first, piece(b"x"), piece(b"y"), piece(b"z"), last)
        self.assertEqual(states[:3], [[], [], gathered])
        self.assertEqual(states[3:], [gathered + [piece(b"y"), piece(b"z"), last][:count] for count in (1, 2, 3)])

    def test_a_stream_leaves_as_it_comes(self):
        for stream in (head(), START, head((b"content-length", b"odd"))):
            states = sent(stream, piece(b"event"), piece(b"", more=False))
            self.assertEqual(states, [[stream], [stream, piece(b"event")], [stream, piece(b"event"), piece(b"", more=False)]])

    def test_an_answer_without_a_body_has_its_head(self):
        empty = head((b"content-length", b"0"))
        self.assertEqual(sent(empty, piece(b"", more=False))[-1], [empty, piece(b"", more=False)])

    def test_whatever_else_is_sent_goes_by(self):
        hello = {"type": "websocket.accept"}
        self.assertEqual(sent(hello), [[hello]])

    def test_an_app_that_fails_before_its_body_has_sent_nothing(self):
        left = []

        async def app(scope, receive, send):
            await send(LENGTH)
            raise RuntimeError("no body")

        async def leave(message):
            left.append(message)

        with self.assertRaises(RuntimeError):
            asyncio.run(Whole(app)({"type": "http"}, None, leave))
        self.assertEqual(left, [])


if __name__ == "__main__":
    unittest.main()
