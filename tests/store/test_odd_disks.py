"""Broken maildrops, row by row, on an ordinary disk, on disks that have no space or no inodes left,
and on read-only mounts. What is broken is said to the client and in one line of the log; it is
never taken for an empty maildrop."""

import os
import shutil
import time

import odd_disks
from odd_case import NOT_REMOVED, OddCase, sent, text
from support import messages
from support.server import own
from support.strace import Trace

INDEX = "pop3-emitter.index"
ONE, TWO = "new/1000000001.one.x", "cur/1000000002.two.x:2,S"


def replace(path, make):
    shutil.rmtree(path)
    make(path)


def file_at(path):
    replace(path, lambda path: os.close(os.open(path, os.O_CREAT)))


def fifo_at(path):
    replace(path, os.mkfifo)


def link_to(target):
    return lambda path: replace(path, lambda path: os.symlink(target, path))


def mode(bits):
    return lambda path: os.chmod(path, bits)


# What is broken (a folder of the home), how, the code that PASS is answered with, the line's text.
HOME, MAILDIR, LIST = "the home is missing or unusable", "cannot open", "cannot list the maildrop"
REFUSED = [
    (".", shutil.rmtree, "SYS/TEMP", HOME + ".*No such file"),
    (".", file_at, "SYS/PERM", "Not a directory"),
    (".", link_to("nowhere"), "SYS/TEMP", HOME + ".*No such file"),
    (".", mode(0), "SYS/PERM", "Permission denied"),
    ("Maildir", mode(0), "SYS/PERM", MAILDIR + ".*Permission denied"),
    ("Maildir", mode(0o600), "SYS/PERM", "Permission denied"),
    ("Maildir", file_at, "SYS/PERM", MAILDIR + ".*Not a directory"),
    ("Maildir", fifo_at, "SYS/PERM", MAILDIR + ".*Not a directory"),
    ("Maildir", link_to("nowhere"), "SYS/TEMP", MAILDIR + ".*No such file"),
    ("Maildir", link_to("Maildir"), "SYS/PERM", MAILDIR + ".*Too many levels of symbolic links"),
    ("Maildir", lambda path: replace(path, os.mkdir), "SYS/TEMP", LIST + ".*No such file"),
]
for part in ("Maildir/new", "Maildir/cur"):
    REFUSED += [
        (part, shutil.rmtree, "SYS/TEMP", LIST + ".*No such file"),
        (part, mode(0), "SYS/PERM", LIST + ".*Permission denied"),
        (part, mode(0o300), "SYS/PERM", LIST + ".*Permission denied"),
        (part, mode(0o600), "SYS/PERM", LIST + ".*Permission denied"),
        (part, file_at, "SYS/PERM", LIST + ".*Not a directory"),
        (part, fifo_at, "SYS/PERM", LIST + ".*Not a directory"),
        (part, link_to("tmp"), "SYS/PERM", LIST + ".*Not a directory"),
        (part, link_to("nowhere"), "SYS/PERM", LIST + ".*Not a directory"),
    ]


class Disks(OddCase):
    def table(self, kind):
        """Each row in a home of its own, all on one disk of this kind."""
        if kind.mounted and os.geteuid() != 0:
            self.skipTest("needs root to mount a file system")
        rows = [self.home_without_maildir, self.two_messages, self.odd_entries,
                self.unreadable_of_known_size, self.unreadable_of_unknown_size,
                self.index_from_before]
        users = {f"refused{i}": "secret" for i in range(len(REFUSED))}
        users.update({row.__name__: "secret" for row in rows})
        server = self.server(users=users, maildirs=False)
        disk = kind(server.mail)
        disk.make()
        self.addCleanup(disk.remove)
        self.fill(server)
        sessions = [(row.__name__, row(server, row.__name__, disk)) for row in rows]
        for _, session in sessions:
            next(session)
        for i, (folder, spoil, _, _) in enumerate(REFUSED):
            spoil(os.path.normpath(os.path.join(server.home(f"refused{i}"), folder)))

        for i, (folder, _, code, line) in enumerate(REFUSED):
            disk.spoil()
            with self.subTest(folder=folder, line=line, number=i):
                self.refused(server, f"refused{i}", code, line)
        for name, session in sessions:
            disk.spoil()
            with self.subTest(row=name):
                for _ in session:
                    self.fail("a row has two halves")

    def fill(self, server):
        os.chmod(server.mail, 0o755)
        for user in server.users:
            messages.make_maildir(server.home(user))
            self.put(server, ONE, text("one"), user)
            self.put(server, TWO, text("two"), user)
        own(server.mail)

    def refused(self, server, user, code, line):
        before = self.names(server.home(user))
        answer, client = self.attempt(server, user)
        self.assertTrue(answer.startswith(f"-ERR [{code}] "), answer)
        self.assertTrue(client.command("STAT").startswith("-ERR"))
        self.assertEqual("+OK bye", client.quit())
        self.assert_problems(server, f'level=error event=store user="{user}" file=.*{line}')
        self.assertEqual(before, self.names(server.home(user)))

    @staticmethod
    def names(home):
        return sorted(os.path.join(folder, name) for folder, folders, files in os.walk(home)
                      for name in folders + files)

    def login(self, server, user, disk, *lines):
        """A session, and what its login has to say; the index is made, or it is said."""
        client = self.client(server, login=user)
        unwritten = f'file={INDEX} text="the index cannot be written" error="{disk.failure}"$'
        self.assert_problems(server, *lines, *[unwritten] * (disk.failure is not None))
        return client

    def leave(self, client, server, disk, user, *left):
        """Deletes message 1, and what is left if that works."""
        client.ok("DELE 1")
        status = client.quit()
        names = set(messages.files(server.box(user)))
        if disk.deletes:
            self.assertEqual("+OK bye", status)
            self.assertEqual(set(left), names)
        else:
            self.assertEqual(NOT_REMOVED, status)
            self.assert_problems(server, 'level=error event=store file=.* text="the message is not '
                                         f'deleted" error="{disk.failure}"$')
            self.assertLess(set(left), names)

    # Rows: generators that prepare a maildrop and go on when its disk is spoilt.

    def home_without_maildir(self, server, user, disk):
        shutil.rmtree(server.box(user))
        yield
        for _ in range(2):
            client = self.client(server, login=user)
            self.assertEqual("+OK 0 0", client.ok("STAT"))
            self.assertEqual([], client.lines("LIST"))
            self.assertEqual([], client.lines("UIDL"))
            self.assertEqual("+OK bye", client.quit())
        self.assert_problems(server)
        self.assertEqual([], os.listdir(server.home(user)))

    def two_messages(self, server, user, disk):
        yield
        client = self.login(server, user, disk)
        self.assertEqual("+OK 2 56", client.ok("STAT"))
        self.assertEqual(["1 28", "2 28"], client.lines("LIST"))
        self.assertEqual(sent("one"), client.multiline("RETR 1")[1])
        self.assertEqual(b"Subject: two\r\n\r\n", client.multiline("TOP 2 0")[1])
        self.leave(client, server, disk, user, os.path.basename(TWO))

    def odd_entries(self, server, user, disk):
        new = os.path.join(server.box(user), "new")
        os.symlink(os.path.join(server.box(user), TWO), os.path.join(new, "1000000003.link.x"))
        os.symlink("/nowhere", os.path.join(new, "1000000004.dangling.x"))
        os.mkfifo(os.path.join(new, "1000000005.fifo.x"))
        os.mkdir(os.path.join(new, "1000000006.folder.x"))
        self.put_socket(os.path.join(new, "1000000007.socket.x"))
        own(new)
        yield
        client = self.login(server, user, disk,
                            f'level=warning event=store user="{user}" file=new/100000000[3-7].* '
                            'text="skipped: not a regular file" count=5$')
        self.assertEqual("+OK 2 56", client.ok("STAT"))
        self.assertEqual(sent("one"), client.multiline("RETR 1")[1])
        self.assertEqual(sent("two"), client.multiline("RETR 2")[1])
        self.leave(client, server, disk, user, os.path.basename(TWO), "1000000003.link.x",
                   "1000000004.dangling.x", "1000000005.fifo.x", "1000000006.folder.x",
                   "1000000007.socket.x")

    def unreadable_of_known_size(self, server, user, disk):
        hinted = self.put(server, "new/1000000000.hint.x,S=26,W=29", text("hint"), user)
        os.chmod(hinted, 0)
        yield
        client = self.login(server, user, disk)
        self.assertEqual(["1 29", "2 28", "3 28"], client.lines("LIST"))
        self.assertTrue(client.command("RETR 1").startswith("-ERR [SYS/PERM] "))
        self.assertTrue(client.command("TOP 1 0").startswith("-ERR [SYS/PERM] "))
        line = ('level=warning event=store file="new/1000000000.hint.x,S=26,W=29" '
                'text="cannot open the message" error="Permission denied"$')
        self.assert_problems(server, line, line)
        self.assertEqual(sent("one"), client.multiline("RETR 2")[1])
        self.leave(client, server, disk, user, os.path.basename(ONE), os.path.basename(TWO))

    def unreadable_of_unknown_size(self, server, user, disk):
        for name in ("new/1000000000.closed.x", "cur/1000000000.closed.too.x:2,"):
            os.chmod(self.put(server, name, text("closed"), user), 0)
        yield
        client = self.login(server, user, disk,
                            f'level=warning event=store user="{user}" file=new/1000000000.closed.x '
                            'text="skipped: unreadable, size unknown" error="Permission denied" '
                            'count=2$')
        self.assertEqual(["1 28", "2 28"], client.lines("LIST"))
        self.leave(client, server, disk, user, os.path.basename(TWO), "1000000000.closed.x",
                   "1000000000.closed.too.x:2,")

    def index_from_before(self, server, user, disk):
        """It was made while it could be. The message to be deleted is empty, so that this frees
        no space."""
        os.truncate(os.path.join(server.box(user), ONE), 0)
        time.sleep(0.05)  # the folders' times are in the past then
        self.client(server, login=user).quit()
        self.assertIn(INDEX, os.listdir(server.box(user)))
        yield
        client = self.client(server, login=user)
        self.assert_problems(server)
        self.assertEqual(["1 0", "2 28"], client.lines("LIST"))
        self.assertEqual(sent("two"), client.multiline("RETR 2")[1])
        self.leave(client, server, disk, user, os.path.basename(TWO))
        if disk.deletes and not disk.renews:
            self.assert_problems(server, f'file={INDEX} text="the index cannot be renewed" '
                                         f'error="{disk.failure}"$')
        client = self.client(server, login=user)
        if disk.deletes:
            self.assertEqual(["1 28"], client.lines("LIST"))
        self.assert_problems(server, *[f'file={INDEX} text="the index cannot be written"']
                             * (disk.deletes and not disk.renews))
        self.assertEqual("+OK bye", client.quit())

    # The disks

    def test_every_row_holds_on_an_ordinary_disk(self):
        self.table(odd_disks.Disk)

    def test_every_row_holds_on_a_disk_without_space(self):
        self.table(odd_disks.FullDisk)

    def test_every_row_holds_on_a_disk_without_inodes(self):
        self.table(odd_disks.DiskWithoutInodes)

    def test_every_row_holds_on_a_read_only_disk(self):
        self.table(odd_disks.ReadOnlyDisk)

    def test_every_row_holds_on_a_read_only_view_of_a_disk(self):
        self.table(odd_disks.ReadOnlyView)

    def test_folder_that_cannot_be_read_whole_is_temporary(self):
        server = self.server()
        self.put(server, ONE, text("one"))
        self.put(server, TWO, text("two"))
        path = os.path.join(server.folder, "trace")
        for when in (1, 2, 3, 4):  # new/, its end, cur/, its end
            with self.subTest(when=when):
                inject = f"getdents64:error=EIO:when={when}"
                with Trace(server, path, "getdents64", inject):
                    answer, client = self.attempt(server)
                    self.assertTrue(answer.startswith("-ERR [SYS/TEMP] "), answer)
                    client.quit()
                self.assert_problems(server, "cannot list the maildrop.*Input/output error")
        client = self.client(server, login="alice")
        self.assertEqual("+OK 2 56", client.ok("STAT"))
        client.quit()
