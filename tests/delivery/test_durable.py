"""The order of calls that makes a delivery durable, as strace(1) sees it, and what is left when it
is killed."""

import os
import re
import signal
import subprocess
import time

from support import messages
from support.delivery import MESSAGE, DeliveryTestCase
from support.server import command, environment, own
from support.wire import GUARD

CALLS = ("openat,mkdir,mkdirat,write,fsync,fdatasync,close,rename,renameat2,linkat,unlinkat,"
         "exit_group")


class Order(DeliveryTestCase):
    def calls(self, *flags):
        """What deliver does with files below its maildrop: words such as `fsync tmp/FILE`, names
        of messages shown as FILE; then its exit."""
        trace = os.path.join(self.place.folder, "trace")
        # -y: each descriptor comes with its path.
        self.assert_exit(self.strace("-y", "-o", trace, "-e", "trace=" + CALLS, flags=flags), 0)
        with open(trace, encoding="utf-8") as file:
            return [word for word in map(self.word, file) if word]

    def word(self, line):
        call, _, rest = line.partition("(")
        if call == "exit_group":
            return "exit " + rest[0]
        home = os.path.realpath(self.place.home()) + "/"
        result = re.search(r" = (\S+)", rest).group(1)
        path = re.search(r"<" + re.escape(home) + r"?([^>]*)>", rest)
        if home.rstrip("/") not in rest or result.startswith("-1"):
            return None
        shown = re.sub(r"\d+\.M\d+P[^/\"]*", "FILE", path.group(1) if path else "")
        shown = shown.replace("Maildir/", "").rstrip("/")
        return f"{call} {shown or '.'}"

    def test_message_is_synced_then_moved_then_its_folder_synced_then_told(self):
        words = [word for word in self.calls("--return-path", "a@b")
                 if not word.startswith("openat")]
        self.assertEqual(["close Maildir", "write tmp/FILE", "write tmp/FILE", "fsync tmp/FILE",
                          "close tmp/FILE", "renameat2 tmp", "fsync new", "close tmp", "close new",
                          "exit 0"], words)
        self.assertEqual(b"Return-Path: <a@b>\n" + MESSAGE, self.take_delivered())

    def test_maildrop_that_is_made_is_synced_before_the_message_is(self):
        os.rename(self.place.box(), self.place.box() + ".away")
        words = [word for word in self.calls()
                 if word.startswith(("mkdir", "fsync", "rename", "exit"))]
        self.assertEqual(["mkdirat .", "mkdirat Maildir.making", "mkdirat Maildir.making",
                          "fsync Maildir.making", "rename .", "fsync Maildir", "fsync .",
                          "mkdirat Maildir", "fsync tmp/FILE", "renameat2 tmp", "fsync new",
                          "exit 0"], words)

    def test_maildrop_that_a_killed_delivery_has_left_is_synced_by_the_next(self):
        """tmp/ is made last, so without it nobody knows that the rest is on disk."""
        os.rmdir(os.path.join(self.place.box(), "tmp"))
        words = [word for word in self.calls() if word.startswith(("mkdir", "fsync", "exit"))]
        self.assertEqual(["fsync Maildir", "fsync .", "mkdirat Maildir", "fsync tmp/FILE",
                          "fsync new", "exit 0"], words)


def heed_interrupts():
    """A shell may have started the tests so that they, and what they start, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Killed(DeliveryTestCase):
    def kill_one(self, number=signal.SIGKILL):
        """A delivery that ends amid its message: one file stays in tmp/."""
        before = set(os.listdir(self.folder("tmp")))
        with subprocess.Popen(command(*self.words()), stdin=subprocess.PIPE,
                              env=environment(), preexec_fn=heed_interrupts) as process:
            process.stdin.write(b"Subject: half\n\n" + b"half a message\n" * 5000)
            process.stdin.flush()
            self.wait_until(lambda: set(os.listdir(self.folder("tmp"))) - before,
                            "it never began to write")
            process.send_signal(number)
            self.assertEqual(-number, process.wait(GUARD))
        return set(os.listdir(self.folder("tmp"))) - before

    def test_leftovers_of_killed_deliveries_are_never_served(self):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            self.assertEqual(1, len(self.kill_one(number)))
            self.count()
        # One that is older than 36 hours is nobody's business here, either.
        old = os.path.join(self.folder("tmp"), "1000000000.M1P1.mail.example")
        self.place.write(old, MESSAGE)
        os.utime(old, (time.time() - 40 * 3600,) * 2)
        self.assertEqual([], messages.files(self.place.box()))
        self.deliver()
        self.place.start()
        self.addCleanup(self.judge, self.place)
        for _ in range(2):
            client = self.client(self.place, login="alice")
            self.assertEqual("+OK 1 37", client.ok("STAT"))
            self.assertEqual(messages.stuffed(MESSAGE), client.multiline("RETR 1")[1])
            client.quit()
        self.assertEqual(4, len(os.listdir(self.folder("tmp"))))

    def test_kill_at_each_call_leaves_all_or_nothing(self):
        """SIGKILL on entry to each call from the first write to the exit."""
        points = [("write", 1), ("fsync", 1), ("renameat2", 1), ("fsync", 2), ("exit_group", 1)]
        for call, when in points:
            for name in os.listdir(self.folder("new")):
                os.unlink(os.path.join(self.folder("new"), name))
            done = self.strace("-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={when}")
            with self.subTest(call=call, when=when):
                self.assertNotEqual(0, done.returncode)
                names = messages.files(self.place.box())
                self.assertEqual(1 if (call, when) in points[3:] else 0, len(names))
                for name in names:
                    with open(os.path.join(self.folder("new"), name), "rb") as file:
                        self.assertEqual(MESSAGE, file.read())
            self.count()
        own(self.place.mail)
