import unittest

from mlflow_guard.parts import count_json, count_spans


def field(number, content):
    size, length = len(content), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


ATTRIBUTE = field(1, b"key") + field(2, field(1, b"value"))
SPAN = field(1, b"i" * 16) + b"\x39" + b"t" * 8 + b"\x30\x05" + field(9, ATTRIBUTE) + field(9, ATTRIBUTE)
REQUEST = field(1, field(1, field(1, ATTRIBUTE)) + field(2, field(2, SPAN) + field(2, SPAN)))


class Spans(unittest.TestCase):
    def test_are_counted_with_what_is_in_them(self):
        # resource spans, resource, attribute, value, scope spans, and twice: span and two attributes with their values
        self.assertEqual(count_spans(REQUEST), 5 + 2 * 5)

    def test_are_counted_up_to_the_most(self):
        self.assertEqual(count_spans(field(1, field(2, b"\x12\x00" * 1000)), 100), 101)
        nested = b""
        for _ in range(60):
            nested = field(5, field(1, nested) * 2) if len(nested) < 1_000_000 else nested
        self.assertEqual(count_spans(field(1, field(2, field(2, field(9, field(2, nested))))), 5000), 5001)

    def test_are_counted_where_an_error_stands_behind_them(self):
        self.assertEqual(count_spans(field(1, field(2, b"\x12\x00" * 1000 + b"\x07")) + b"\x07", 100), 101)
        self.assertEqual(count_spans(b"\x0b" + REQUEST, 100), 101)

    def test_have_no_more_fields_than_there_is_time_for(self):
        self.assertEqual(count_spans(b"\x08\x00" * 500, 100), 0)
        self.assertEqual(count_spans(b"\x08\x00" * 501, 100), 101)

    def test_end_where_nothing_more_can_be_read(self):
        for body in (b"", b"\xff", b"\xff" * 100, b"\x0a\xff", b"\x09", b"\x0d", b"nonsense"):
            self.assertLess(count_spans(body), 5)


class Json(unittest.TestCase):
    def test_has_objects_lists_and_values(self):
        self.assertEqual(count_json(b'{"a":[{},[]]}'), 4.25)
        self.assertEqual(count_json(b'{"a":[1,2,3,4,5]}'), 3)


if __name__ == "__main__":
    unittest.main()
