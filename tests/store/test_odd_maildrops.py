"""Odd maildrops over POP3, row by row: what is broken is said, and never taken for empty."""

import os
import shutil
import socket
import subprocess

from support import messages
from support.case import TestCase
from support.server import own

A = b"Subject: a\n\na\n"  # 17 octets as sent
B = b"Subject: b\n\nbb\n"  # 18


class Maildrop(TestCase):
    def password(self, server, user="alice"):
        """The answer to PASS and the client; a log line about the maildrop is expected."""
        server.expect_log("event.{1,4}(store|login)")
        client = self.client(server)
        client.ok("USER " + user)
        self.count()
        return client.command("PASS " + server.users[user]), client

    def assert_refused(self, server, *codes):
        answer, client = self.password(server)
        self.assertTrue(any(answer.startswith(f"-ERR [{code}]") for code in codes), answer)
        self.assertTrue(client.command("STAT").startswith("-ERR"))
        client.quit()
        self.assert_log(r"event.{1,4}store.*alice|alice.*event.{1,4}store", server)


class Odd(Maildrop):
    def test_home_without_maildir_is_an_empty_maildrop_and_nothing_is_created(self):
        server = self.server()
        shutil.rmtree(server.box())
        client = self.client(server, login="alice")
        self.assertEqual("+OK 0 0", client.ok("STAT"))
        self.assertEqual([], client.lines("LIST"))
        self.assertEqual([], client.lines("UIDL"))
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual([], os.listdir(server.home()))

    def test_missing_home_is_temporary(self):
        server = self.server()
        shutil.rmtree(server.home())
        self.assert_refused(server, "SYS/TEMP")
        self.assertFalse(os.path.exists(server.home()))

    def test_missing_new_or_cur_is_never_an_empty_maildrop(self):
        for part in ("new", "cur"):
            with self.subTest(part=part):
                server = self.server()
                server.plant([A], folder="cur" if part == "new" else "new")
                shutil.rmtree(os.path.join(server.box(), part))
                self.assert_refused(server, "SYS/TEMP", "SYS/PERM")
                self.assertFalse(os.path.exists(os.path.join(server.box(), part)))

    def test_unreadable_new_or_cur_is_never_an_empty_maildrop(self):
        for part in ("new", "cur"):
            with self.subTest(part=part):
                server = self.server()
                server.plant([A], folder=part)
                os.chmod(os.path.join(server.box(), part), 0)
                self.assert_refused(server, "SYS/PERM", "SYS/TEMP")
                os.chmod(os.path.join(server.box(), part), 0o700)

    def test_new_or_cur_that_is_no_directory_is_never_an_empty_maildrop(self):
        for part in ("new", "cur"):
            with self.subTest(part=part):
                server = self.server()
                path = os.path.join(server.box(), part)
                os.rmdir(path)
                with open(path, "wb"):
                    pass
                self.assert_refused(server, "SYS/PERM", "SYS/TEMP")

    def test_maildir_that_is_no_directory_is_refused(self):
        server = self.server()
        shutil.rmtree(server.box())
        with open(server.box(), "wb"):
            pass
        self.assert_refused(server, "SYS/PERM", "SYS/TEMP")

    def test_unreadable_maildir_is_refused(self):
        server = self.server()
        os.chmod(server.box(), 0)
        self.assert_refused(server, "SYS/PERM", "SYS/TEMP")
        os.chmod(server.box(), 0o700)

    def test_other_users_are_served_while_one_maildrop_is_broken(self):
        server = self.server()
        shutil.rmtree(server.home("alice"))
        self.assert_refused(server, "SYS/TEMP")
        client = self.client(server, login="bob")
        self.assertEqual("+OK 0 0", client.ok("STAT"))
        client.quit()

    def test_odd_entries_are_skipped_and_the_login_does_not_hang(self):
        server = self.server()
        server.plant([A])
        new = os.path.join(server.box(), "new")
        secret = os.path.join(server.folder, "outside")
        server.write(secret, "not mail\n")
        os.symlink(secret, os.path.join(new, "1000000002.link.x"))
        os.symlink("/nowhere", os.path.join(new, "1000000003.dangling.x"))
        os.mkfifo(os.path.join(new, "1000000004.fifo.x"))
        os.mkdir(os.path.join(new, "1000000005.folder.x"))
        with socket.socket(socket.AF_UNIX) as sock:
            here = os.open(new, os.O_RDONLY)
            sock.bind(f"/proc/self/fd/{here}/1000000006.socket.x")
            os.close(here)
        with open(os.path.join(new, ".hidden"), "wb") as file:
            file.write(A)
        own(server.box())
        answer, client = self.password(server)
        self.assertEqual("+OK maildrop ready", answer)
        self.assertEqual("+OK 1 17", client.ok("STAT"))
        self.assertEqual(b"Subject: a\r\n\r\na\r\n", client.multiline("RETR 1")[1])
        self.assertEqual("+OK bye", client.quit())
        self.assert_log(r"event.{1,4}store.*alice|alice.*event.{1,4}store", server)
        self.assertEqual(7, len(os.listdir(new)), "what was skipped is still there")

    def test_unreadable_message_of_known_size_is_listed_and_refused_alone(self):
        server = self.server()
        hinted = f"1000000002.hint.x,S={len(B)},W=18"
        server.plant([A])
        path = os.path.join(server.box(), "cur", hinted)
        with open(path, "wb") as file:
            file.write(B)
        own(server.box())
        os.chmod(path, 0)
        answer, client = self.password(server)
        self.assertEqual("+OK maildrop ready", answer)
        self.assertEqual(["1 17", "2 18"], client.lines("LIST"))
        self.assertTrue(client.command("RETR 2").startswith("-ERR [SYS/PERM]"))
        self.assertEqual("+OK 17 octets", client.multiline("RETR 1")[0])
        client.ok("DELE 2")
        self.assertEqual("+OK bye", client.quit())
        self.assertFalse(os.path.exists(path))

    def test_message_that_vanished_is_refused_and_counts_as_deleted_at_quit(self):
        server = self.server()
        paths = server.plant([A, B])
        answer, client = self.password(server)
        self.assertEqual("+OK maildrop ready", answer)
        os.unlink(paths[0])
        self.assertTrue(client.command("RETR 1").startswith("-ERR"))
        self.assertEqual("+OK 18 octets", client.multiline("RETR 2")[0])
        client.ok("DELE 1")
        client.ok("DELE 2")
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual([], messages.files(server.box()))

    def test_message_whose_flags_changed_is_found_again(self):
        server = self.server()
        path, = server.plant([A])
        client = self.client(server, login="alice")
        moved = os.path.join(server.box(), "cur", os.path.basename(path) + ":2,RS")
        os.rename(path, moved)
        self.assertEqual("+OK 17 octets", client.multiline("RETR 1")[0])
        client.ok("DELE 1")
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual([], messages.files(server.box()))

    def test_other_file_of_the_same_name_is_not_deleted(self):
        server = self.server()
        path, = server.plant([A])
        answer, client = self.password(server)
        self.assertEqual("+OK maildrop ready", answer)
        # Written aside first, so that it cannot get the inode of the one it replaces.
        with open(path + ".other", "wb") as file:
            file.write(B)
        os.rename(path + ".other", path)
        client.ok("DELE 1")
        client.quit()
        with open(path, "rb") as file:
            self.assertEqual(B, file.read())

    def test_directories_that_refuse_deletion_make_quit_say_so(self):
        server = self.server()
        server.plant([A, B])
        new = os.path.join(server.box(), "new")
        os.chmod(new, 0o500)
        answer, client = self.password(server)
        self.assertEqual("+OK maildrop ready", answer)
        client.ok("DELE 1")
        self.assertEqual("-ERR [SYS/TEMP] some deleted messages not removed", client.quit())
        self.assertEqual(2, len(messages.files(server.box())))
        os.chmod(new, 0o700)

    def test_second_session_gets_in_use_until_the_first_is_over(self):
        server = self.server()
        first = self.client(server, login="alice")
        answer, second = self.password(server)
        self.assertEqual("-ERR [IN-USE] maildrop is locked by another session", answer)
        self.assertEqual("+OK bye", first.quit())
        second.ok("USER alice")
        self.assertEqual("+OK maildrop ready", second.ok("PASS wonderland"))
        second.quit()


class Mounts(Maildrop):
    """What needs a file system of its own: only root can mount one."""

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to mount a tmpfs")

    def mounted(self, options):
        """A server whose alice has her home on a small tmpfs; (server, mount point)."""
        server = self.server()
        home = server.home()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", home], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", home], check=False)
        messages.make_maildir(home)
        own(server.mail)
        return server, home

    def works_but_for_writing(self, server):
        """Login, RETR, DELE and QUIT of the first of two messages."""
        server.expect_log("the index cannot be written")
        client = self.client(server, login="alice")
        self.assert_log("the index cannot be written", server)
        self.assertEqual("+OK 2 35", client.ok("STAT"))
        self.assertEqual(b"Subject: a\r\n\r\na\r\n", client.multiline("RETR 1")[1])
        client.ok("DELE 1")
        self.count()
        return client.quit()

    def test_full_disk_serves_and_deletes(self):
        server, home = self.mounted("size=128k")
        server.plant([A, B])
        try:
            with open(os.path.join(home, "filler"), "wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
        except OSError:
            pass
        self.assertEqual("+OK bye", self.works_but_for_writing(server))
        self.assertEqual(1, len(messages.files(server.box())))

    def test_disk_without_inodes_serves_and_deletes(self):
        server, home = self.mounted("size=1m,nr_inodes=12")
        server.plant([A, B])
        try:
            for number in range(100):
                os.mkdir(os.path.join(home, f"filler{number}"))
        except OSError:
            pass
        self.assertEqual("+OK bye", self.works_but_for_writing(server))

    def test_read_only_mount_serves_and_quit_tells_the_truth(self):
        server, home = self.mounted("size=1m")
        server.plant([A, B])
        subprocess.run(["mount", "-o", "remount,ro", home], check=True)
        server.expect_log("event.{1,4}store")
        self.assertEqual("-ERR [SYS/TEMP] some deleted messages not removed",
                         self.works_but_for_writing(server))
        self.assertEqual(2, len(messages.files(server.box())))
        client = self.client(server, login="alice")
        self.assertEqual("+OK bye", client.quit())
