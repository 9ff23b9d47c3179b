"""What the tests of clients share: the messages, and which of them a client cannot carry."""

import os
import tempfile

from support import messages
from support.case import TestCase

BIG = int(os.environ.get("POP3_BIG_MESSAGE", 20 * 1024 * 1024))
PLANTED = messages.planted(BIG)

# (client, message): why the client cannot hand it over unchanged.
CANNOT = {
    ("curl", "empty"): "writes an empty line for a message of no octets",
    ("fetchmail", "very long line"): "breaks lines at 8 KiB",
    ("fetchmail", "header only"): "adds the blank line that ends a header",
    ("fetchmail", "empty"): "makes up a header",
    ("getmail", "header only"): "adds the blank line that ends a header",
    ("getmail", "empty"): "adds the blank line that ends a header",
    ("poplib", "long lines"): "refuses lines over 2,048 octets (poplib._MAXLINE)",
    ("poplib", "very long line"): "refuses lines over 2,048 octets (poplib._MAXLINE)",
}


class ClientCase(TestCase):
    def home(self):
        """A HOME for a client; that belongs to us, not to the server's account."""
        home = tempfile.TemporaryDirectory(prefix="pop3-home-")
        self.addCleanup(home.cleanup)
        return home.name

    def make(self, kind, server, **options):
        return kind(self.home(), server, **options)

    def assert_unchanged(self, names, got):
        wanted = {name: messages.digest(PLANTED[name]) for name in names}
        found = dict(zip(names, map(messages.digest, got)))
        self.assertEqual(len(names), len(got), "number of messages")
        self.assertEqual(wanted, found, "a message was changed on its way")
        self.count(len(names))
