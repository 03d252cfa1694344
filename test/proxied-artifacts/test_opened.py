import unittest

from proxied_artifacts.opened import NotModified, NotSatisfiable, Wanted, content_range, extent


class Extent(unittest.TestCase):
    def test_is_what_a_range_means(self):
        for given, bounds in (
            ("bytes=0-0", (0, 0)),
            ("bytes=2-5", (2, 5)),
            ("bytes=8-", (8, 9)),
            ("bytes=8-1000", (8, 9)),
            ("bytes=-3", (7, 9)),
            ("bytes=-1000", (0, 9)),
        ):
            self.assertEqual((given, extent(Wanted(given), 10, '"e"')), (given, bounds))
        self.assertIsNone(extent(Wanted(), 10, '"e"'))
        self.assertEqual((content_range((2, 5), 10), content_range(None, 10)), ("bytes 2-5/10", None))

    def test_is_none_of_an_object_that_has_no_such_bytes(self):
        for given, length in (("bytes=10-", 10), ("bytes=5-4", 10), ("bytes=-0", 10), ("bytes=0-", 0)):
            with self.assertRaises(NotSatisfiable) as met:
                extent(Wanted(given), length, '"e"')
            self.assertEqual(met.exception.length, length)

    def test_is_all_where_the_client_has_a_part_of_another_object(self):
        self.assertEqual(extent(Wanted("bytes=1-", '"e"'), 10, '"e"'), (1, 9))
        self.assertIsNone(extent(Wanted("bytes=1-", '"old"'), 10, '"e"'))

    def test_is_not_asked_for_where_the_client_has_it(self):
        with self.assertRaises(NotModified):
            extent(Wanted(if_none_match='"e"'), 10, '"e"')
        self.assertIsNone(extent(Wanted(if_none_match='"old"'), 10, '"e"'))


if __name__ == "__main__":
    unittest.main()
