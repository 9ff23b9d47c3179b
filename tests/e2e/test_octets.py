"""The functions that transcripts are compared with, against values written out by hand."""

from support import messages
from support.case import TestCase

# As stored: (as sent before stuffing, as sent).
CASES = {
    b"": (b"", b""),
    b"\n": (b"\r\n", b"\r\n"),
    b"a": (b"a\r\n", b"a\r\n"),
    b"a\n": (b"a\r\n", b"a\r\n"),
    b"a\r\n": (b"a\r\n", b"a\r\n"),
    b"a\r": (b"a\r\r\n", b"a\r\r\n"),
    b"\r\r\n": (b"\r\r\n", b"\r\r\n"),
    b"\r\n\n": (b"\r\n\r\n", b"\r\n\r\n"),
    b"\n\r": (b"\r\n\r\r\n", b"\r\n\r\r\n"),
    b".": (b".\r\n", b"..\r\n"),
    b"..": (b"..\r\n", b"...\r\n"),
    b"a.": (b"a.\r\n", b"a.\r\n"),
    b"\n.": (b"\r\n.\r\n", b"\r\n..\r\n"),
    b"a\r.\n": (b"a\r.\r\n", b"a\r.\r\n"),
    b".\n.\r\n.": (b".\r\n.\r\n.\r\n", b"..\r\n..\r\n..\r\n"),
    b"\0\n\xff": (b"\0\r\n\xff\r\n", b"\0\r\n\xff\r\n"),
}


class Octets(TestCase):
    def test_repair_and_stuffing_of_the_tests_follow_the_rfc(self):
        for stored, (repaired, stuffed) in CASES.items():
            with self.subTest(stored=stored):
                self.assertEqual(repaired, messages.repaired(stored))
                self.assertEqual(stuffed, messages.stuffed(stored))
                self.count()

    def test_top_of_the_tests_is_header_blank_line_and_body_lines(self):
        stored = b"a: 1\nb: 2\n\n.one\n\nthree\n"
        self.assertEqual(b"a: 1\r\nb: 2\r\n\r\n", messages.top(stored, 0))
        self.assertEqual(b"a: 1\r\nb: 2\r\n\r\n.one\r\n", messages.top(stored, 1))
        self.assertEqual(messages.repaired(stored), messages.top(stored, 9))
        self.assertEqual(b"a: 1\r\n", messages.top(b"a: 1", 3))
        self.count(4)

    def test_digest_folds_line_ends_and_nothing_else(self):
        self.assertEqual(messages.digest(b"a\nb"), messages.digest(b"a\r\nb\r\n"))
        self.assertNotEqual(messages.digest(b"a\n"), messages.digest(b"a\n\n"))
        self.assertNotEqual(messages.digest(b"a\rb\n"), messages.digest(b"a\nb\n"))
        self.assertNotEqual(messages.digest(b".a\n"), messages.digest(b"..a\n"))
        self.count(4)
