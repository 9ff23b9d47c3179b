"""What tests of `pop3-emitter deliver` share: a place with users and maildrops, one delivery, and
what lies in the maildrop after it."""

import os
import re
import stat
import subprocess

from support import messages
from support.case import TestCase
from support.server import Server, command, environment, run, unprivileged

# Codes of sysexits(3).
USAGE, DATAERR, NOUSER, TEMPFAIL = 64, 65, 67, 75

MESSAGE = b"Subject: hello\n\n.dots\n..\r\nno end"
# A delivered name: its unique part, and the sizes that it tells.
NAME = re.compile(r"\d{10,}\.M\d+P\d+Q\d+R([0-9a-f]{12})\.[^,:/]+,S=(\d+),W=(\d+)")


class DeliveryTestCase(TestCase):
    def setUp(self):
        # Not started: its folder with users and maildirs is all that is needed.
        self.place = Server(self.temporary())

    def words(self, *flags, user="alice"):
        account = unprivileged()
        words = ["deliver", "--passwd", self.place.passwd_path, "--maildir", self.place.mail]
        words += ["--user", account.pw_name] if account else []
        return [*words, *flags, "--", user]

    def deliver(self, *flags, user="alice", data=MESSAGE, code=0, pattern="", **options):
        """Runs it; what it printed."""
        done = run(*self.words(*flags, user=user), stdin=data, **options)
        self.count()
        return self.assert_exit(done, code, pattern)

    def strace(self, *options, flags=()):
        """Runs it under strace(1) with these options, MESSAGE on stdin: CompletedProcess."""
        # The leak sanitizer, where it is built in, cannot work under strace.
        return subprocess.run(["strace", "-qq", *options, *command(*self.words(*flags))],
                              input=MESSAGE, capture_output=True, check=False,
                              env=environment({"ASAN_OPTIONS": "detect_leaks=0"}))

    def folder(self, name, user="alice"):
        return os.path.join(self.place.box(user), name)

    def delivered(self, user="alice"):
        """The one file in new/: (name, octets, mode); nothing may be in tmp/."""
        names = os.listdir(self.folder("new", user))
        self.assertEqual(1, len(names), names)
        self.assertEqual([], os.listdir(self.folder("tmp", user)))
        path = os.path.join(self.folder("new", user), names[0])
        with open(path, "rb") as file:
            return names[0], file.read(), stat.S_IMODE(os.stat(path).st_mode)

    def take_delivered(self):
        """The octets of the one file in new/, whose sizes must be right; it is removed."""
        name, data, mode = self.delivered()
        sizes = NAME.fullmatch(name)
        self.assertTrue(sizes, name)
        self.assertEqual((str(len(data)), str(len(messages.repaired(data)))),
                         (sizes[2], sizes[3]))
        self.assertEqual(0o600, mode)
        os.unlink(os.path.join(self.folder("new"), name))
        return data

    def assert_nothing_delivered(self, user="alice"):
        self.assertEqual([], messages.files(self.place.box(user)))
        self.assertEqual([], os.listdir(self.folder("tmp", user)))
