"""`pop3-emitter deliver`: exit codes for an MTA's pipe, and what lies in the maildrop after it."""

import os
import re
import subprocess

from support import messages
from support.delivery import MESSAGE, NOUSER, TEMPFAIL, DeliveryTestCase
from support.server import command, environment, run, unprivileged
from support.wire import GUARD


class Deliver(DeliveryTestCase):
    def test_delivery_is_a_private_file_in_new_with_right_hints(self):
        self.assertEqual("", self.deliver())
        name, data, mode = self.delivered()
        self.assertEqual(MESSAGE, data)
        self.assertEqual(0o600, mode)
        # As sent three bare LFs and a last line without an end add 5.
        self.assertEqual(32, len(MESSAGE))
        match = re.fullmatch(r"\d{10,}\.[^,:/]+\.[^,:/]+,S=32,W=37", name)
        self.assertTrue(match, name)

    def test_folder_for_any_user_takes_mail_for_every_path_safe_name(self):
        folder = self.temporary()
        for user in ("alice", "bob@example.org"):
            words = ("deliver", "--any-user", "--maildir", folder, user)
            self.assert_exit(run(*words, stdin=MESSAGE), 0)
            new = os.path.join(folder, user, "Maildir", "new")
            (name,) = os.listdir(new)
            self.assertEqual(os.stat(folder).st_uid, os.stat(os.path.join(new, name)).st_uid)
        for user in ("../alice", ".hidden", "a/b", ""):
            words = ("deliver", "--any-user", "--maildir", folder, user)
            self.assert_exit(run(*words, stdin=MESSAGE), NOUSER)
        self.assert_exit(run("deliver", "--any-user", "alice", stdin=MESSAGE), 64, "--maildir")
        self.assertEqual(["alice", "bob@example.org"], sorted(os.listdir(folder)))

    def test_delivered_file_belongs_to_the_mail_user(self):
        self.deliver()
        folder = os.path.join(self.place.box(), "new")
        info = os.stat(os.path.join(folder, os.listdir(folder)[0]))
        account = unprivileged()
        self.assertEqual(account.pw_uid if account else os.geteuid(), info.st_uid)

    def test_delivery_makes_a_missing_maildir_but_no_home(self):
        os.makedirs(self.place.home("carol"))
        self.place.write_passwd("".join(
            f"{name}:{{PLAIN}}x::::{self.place.home(name)}\n" for name in ("carol", "dave")))
        account = unprivileged()
        if account:
            os.chown(self.place.home("carol"), account.pw_uid, account.pw_gid)
        self.deliver(user="carol")
        self.assertEqual(MESSAGE, self.delivered("carol")[1])
        self.deliver(user="dave", code=TEMPFAIL)
        self.assertFalse(os.path.exists(self.place.home("dave")))

    def test_any_octets_are_delivered_unchanged(self):
        for number, data in enumerate((b"", b"\0\1\2\xff", b"\r\r\n\n\r", b"x" * 300000, b"\n"), 1):
            with self.subTest(data=data[:10]):
                self.deliver(data=data)
                name, got, _ = self.delivered()
                self.assertTrue(got == data)
                self.assertIn(f",S={len(data)},W={len(messages.repaired(data))}", name)
                os.unlink(os.path.join(self.place.box(), "new", name))

    def test_unknown_users_are_67_and_leave_nothing(self):
        for user in ("mallory", "Alice", "a/b", "../alice", "..", ".", "x" * 300,
                     "alice/Maildir", "al\nice"):
            with self.subTest(user=user[:20]):
                self.deliver(user=user, code=NOUSER)
        self.assertEqual(["alice", "bob"], sorted(os.listdir(self.place.mail)))
        self.assertEqual([], messages.files(self.place.box()))

    def test_maildrop_that_is_no_directory_is_a_failure(self):
        os.rename(self.place.box(), self.place.box() + ".away")
        with open(self.place.box(), "w", encoding="ascii"):
            pass
        self.deliver(code=TEMPFAIL, pattern="cannot open the maildrop")

    def test_maildrop_without_permission_is_a_failure(self):
        for part in ("new", "tmp"):
            os.chmod(os.path.join(self.place.box(), part), 0)
        self.deliver(code=TEMPFAIL, pattern="cannot open tmp/ or new/")
        for part in ("new", "tmp"):
            os.chmod(os.path.join(self.place.box(), part), 0o700)
        self.assertEqual([], messages.files(self.place.box()))

    def test_broken_passwd_file_is_named_by_line_and_not_the_users_fault(self):
        self.place.write_passwd("alice:{PLAIN}x\nbroken\n")
        self.deliver(code=TEMPFAIL, pattern=r"passwd line=2 ")

    def test_stdin_that_is_cut_by_a_signal_delivers_nothing(self):
        with subprocess.Popen(command(*self.words()), stdin=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=environment()) as process:
            process.stdin.write(b"Subject: half\n\nhalf a mess")
            process.stdin.flush()
            tmp = os.path.join(self.place.box(), "tmp")
            self.wait_until(lambda: os.listdir(tmp), "it never began to write")
            process.kill()
            process.wait(GUARD)
        self.assertEqual([], messages.files(self.place.box()))

    def test_parallel_deliveries_have_names_of_their_own(self):
        runs = [subprocess.Popen(command(*self.words()), stdin=subprocess.PIPE, env=environment())
                for _ in range(8)]
        for number, process in enumerate(runs):
            process.stdin.write(b"Subject: %d\n\n" % number)
            process.stdin.close()
        self.assertEqual([0] * 8, [process.wait(GUARD) for process in runs])
        self.assertEqual(8, len(messages.files(self.place.box())))

    def test_delivered_mail_is_served_in_order(self):
        for number in range(3):
            self.deliver(data=b"Subject: %d\n\n" % number)
        self.place.start()
        self.addCleanup(self.judge, self.place)
        client = self.client(self.place, login="alice")
        self.assertEqual("+OK 3 42", client.ok("STAT"))
        for number in range(3):
            self.assertEqual(b"Subject: %d\r\n\r\n" % number,
                             client.multiline(f"RETR {number + 1}")[1])
        self.assertEqual("+OK bye", client.quit())
