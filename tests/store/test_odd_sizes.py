"""Messages larger than any disk, and more of them than anybody reads: sizes and numbers are right,
memory is bounded, and other sessions are served meanwhile."""

import os
import subprocess
import threading
import time

from odd_case import DEADLINE, OddCase, sent, text
from support import messages
from support.server import own
from support.strace import Trace

# Octets of the message that is fetched whole, and of the maildrop's messages.
SPARSE = int(os.environ.get("POP3_ODD_SPARSE", 64 << 20))
MESSAGES = int(os.environ.get("POP3_ODD_MESSAGES", 20000))

HEAD = b"Subject: sparse\n\n.a line\n"
TAIL = b"\n.end\n"
HEAD_SENT = b"Subject: sparse\r\n\r\n..a line\r\n"
TAIL_SENT = b"\r\n..end\r\n"
BARE = 5  # LFs in head and tail: each gets a CR
# A client beside may wait for its turn, as long as a busy machine makes it.
PATIENCE = 3


def mount_home(case, server, options):
    """A tmpfs as alice's home: files are made there in no time, and may be of any size."""
    home = server.home()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", home], check=True)
    case.addCleanup(subprocess.run, ["umount", "-l", home], check=False)
    messages.make_maildir(home)
    own(home)


class Beside:
    """Another user's session that says NOOP all the time; `slowest` is what it waited for."""

    def __init__(self, case, server):
        self.client = case.client(server, login="bob")
        self.over = threading.Event()
        self.slowest = 0.0
        self.count = 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.is_set():
            begun = time.monotonic()
            self.client.ok("NOOP")
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.count += 1
            time.sleep(0.005)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.client.quit()


class Sizes(OddCase):
    def sparse(self, server, name, octets, user="alice"):
        """A message of so many octets, all NUL but for head and tail."""
        path = self.put(server, name, HEAD, user)
        with open(path, "r+b") as file:
            file.seek(octets - len(TAIL))
            file.write(TAIL)
        return path

    def test_messages_of_holes_are_listed_at_once(self):
        server = self.server()
        sizes = [5 << 30, (5 << 30) + 1, 1 << 40, 2 << 32]
        for position, octets in enumerate(sizes, 1):
            self.sparse(server, f"new/100000000{position}.x", octets)
        hole = self.put(server, "new/1000000005.x", b"")
        os.truncate(hole, 4 << 30)
        expected = [octets + BARE for octets in sizes] + [(4 << 30) + 2]
        for _ in range(2):
            begun = time.monotonic()
            client = self.client(server, login="alice")
            self.assertEqual([f"{i} {octets}" for i, octets in enumerate(expected, 1)],
                             client.lines("LIST"))
            self.assertEqual(f"+OK 5 {sum(expected)}", client.ok("STAT"))
            self.assertEqual(b"Subject: sparse\r\n\r\n..a line\r\n",
                             client.multiline("TOP 3 1")[1])
            self.assertEqual("+OK bye", client.quit())
            self.assertLess(time.monotonic() - begun, DEADLINE)

    def fetch(self, client, msgno, octets):
        """RETR of a sparse message, octet by octet."""
        self.assertEqual(f"+OK {octets + BARE} octets", client.ok(f"RETR {msgno}"))
        wanted = octets + BARE + 2  # two dots are stuffed
        nuls = octets - len(HEAD) - len(TAIL)
        received = bytearray()
        while len(received) < len(HEAD_SENT):
            received += self.take(client)
        self.assertEqual(HEAD_SENT, received[:len(HEAD_SENT)])
        left = wanted + len(b".\r\n") - len(received)
        seen = received.count(b"\0")
        last = bytes(received)
        while left > 0:
            data = self.take(client)
            left -= len(data)
            seen += data.count(b"\0")
            last = (last + data)[-100:]
        self.assertEqual(0, left)
        self.assertEqual(nuls, seen)
        self.assertTrue(last.endswith(b"\0" + TAIL_SENT + b".\r\n"), last)

    @staticmethod
    def take(client):
        data = bytes(client.pending) or client.socket.recv(1 << 20)
        client.pending.clear()
        if not data:
            raise AssertionError("closed inside a message")
        return data

    def test_sparse_message_is_sent_whole_while_others_are_served(self):
        server = self.server()
        self.sparse(server, "new/1000000001.x", SPARSE)
        # A size that is claimed is believed if it is possible: nothing is read at login.
        self.sparse(server, f"new/1000000002.x,S={SPARSE},W={SPARSE + BARE}", SPARSE)
        with Beside(self, server) as beside:
            client = self.client(server, login="alice")
            self.assertEqual([f"1 {SPARSE + BARE}", f"2 {SPARSE + BARE}"], client.lines("LIST"))
            before = server.private_kib()
            self.fetch(client, 1, SPARSE)
            self.fetch(client, 2, SPARSE)
            self.assertLess(server.private_kib() - before, 1024)
            self.assertEqual("+OK", client.ok("NOOP")[:3])
            client.quit()
        self.assertGreater(beside.count, 5)
        self.assertLess(beside.slowest, PATIENCE)

    def test_others_are_served_while_a_large_message_is_counted(self):
        server = self.server()
        octets = SPARSE // 4
        path = self.put(server, "new/1000000001.x", HEAD)
        block = (b"x" * 71 + b"\n") * 14563
        with open(path, "ab") as file:
            while file.tell() < octets:
                file.write(block)
            lines = (file.tell() - len(HEAD)) // 72
        with Beside(self, server) as beside:
            client = self.client(server, login="alice")
            self.assertEqual(f"+OK 1 {len(HEAD) + 3 + lines * 73}", client.ok("STAT"))
            client.quit()
        self.assertLess(beside.slowest, PATIENCE)

    def test_sum_of_sizes_beyond_all_numbers_is_no_wrong_number(self):
        """Each of the messages has a size that can be told; together they have none. What can be
        said is said, and what cannot is refused, in one line of the log each time."""
        if os.geteuid() != 0:
            self.skipTest("needs root to mount a file system with room for such files")
        server = self.server()
        mount_home(self, server, "size=1m")
        for position in range(1, 7):
            os.truncate(self.put(server, f"new/100000000{position}.x", b""), 3 << 60)
        client = self.client(server, login="alice")
        self.assertEqual(f"+OK 6 {(3 << 60) + 2}", client.ok("LIST 6"))
        for command in ("STAT", "LIST"):
            self.assertTrue(client.command(command).startswith("-ERR [SYS/TEMP] "))
            self.assert_problems(server, "level=error event=error")
        client.ok("DELE 6")
        self.assertEqual("+OK bye", client.quit())
        # Its index would tell a wrong sum, so it is not believed.
        client = self.client(server, login="alice")
        self.assert_problems(server, 'file=pop3-emitter.index text="its entries are not sound"$')
        self.assertEqual(f"+OK 5 {5 * ((3 << 60) + 2)}", client.ok("STAT"))
        self.assertEqual("+OK bye", client.quit())


class Many(OddCase):
    def octets(self, position):
        """Of message `position` (0-based) as sent: NULs without a line end, or none at all."""
        length = position % 100
        return length + 2 if length else 0

    def fill(self, server, count):
        """Files of holes take no space: a million of them need nothing but inodes."""
        account = os.stat(server.box())
        for part in ("new", "cur"):
            folder = os.open(os.path.join(server.box(), part), os.O_RDONLY)
            for position in range(part == "cur", count, 2):
                name = f"{1000000000 + position}.x" + (":2,S" if part == "cur" else "")
                file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=folder)
                os.ftruncate(file, position % 100)
                os.fchown(file, account.st_uid, account.st_gid)
                os.close(file)
            os.close(folder)

    def timed_login(self, server):
        """(seconds of login and STAT, the client)"""
        client = self.client(server)
        client.socket.settimeout(DEADLINE * 4)
        begun = time.monotonic()
        client.login("alice", server.users["alice"])
        stat = client.ok("STAT")
        return time.monotonic() - begun, stat, client

    def test_a_maildrop_of_very_many_messages_is_listed_and_indexed(self):
        server = self.server()
        if os.geteuid() == 0:
            mount_home(self, server, f"size=10%,nr_inodes={MESSAGES + 1000}")
        self.fill(server, MESSAGES)
        total = sum(self.octets(position) for position in range(MESSAGES))
        wanted = [f"{position + 1} {self.octets(position)}" for position in range(MESSAGES)]
        before = server.private_kib()
        with Beside(self, server) as beside:
            first, stat, client = self.timed_login(server)
        self.assertEqual(f"+OK {MESSAGES} {total}", stat)
        self.assertEqual(wanted, client.lines("LIST"))
        self.assertEqual([f"{i} {1000000000 + i - 1}.x" for i in range(1, MESSAGES + 1)],
                         client.lines("UIDL"))
        # 24 octets a message and its unique-id, and what a server of any maildrops holds.
        self.assertLess(server.private_kib() - before, MESSAGES * 40 / 1024 + 8192)
        self.assertLess(int(server.status("VmHWM")[0]), MESSAGES * 300 / 1024 + 65536)
        self.assertLess(beside.slowest, PATIENCE)
        for msgno in range(1, MESSAGES, MESSAGES // 10):
            client.ok(f"DELE {msgno}")
        self.assertEqual("+OK bye", client.quit())

        again = []
        for _ in range(4):
            time.sleep(0.05)  # the folders' times are in the past then
            seconds, stat, client = self.timed_login(server)
            self.assertTrue(stat.startswith(f"+OK {MESSAGES - 10} "), stat)
            client.quit()
            again.append(seconds)
        self.assertLess(min(again), first / 4)
        with Trace(server, os.path.join(server.folder, "trace"), "getdents64") as trace:
            self.timed_login(server)[2].quit()
        self.assertEqual([], trace.lines("getdents64"))
        self.put(server, "new/2000000000.last.x", text("last"))
        _, stat, client = self.timed_login(server)
        self.assertTrue(stat.startswith(f"+OK {MESSAGES - 9} "), stat)
        self.assertEqual(sent("last"), client.multiline(f"RETR {MESSAGES - 9}")[1])
        client.quit()
        self.count(MESSAGES)

    def test_names_of_one_file_by_the_thousand_take_no_quadratic_time(self):
        """Nothing tells these files apart but their names."""
        count = min(MESSAGES // 4, 60000)
        server = self.server()
        one = self.put(server, "new/1000000000.x", text("one"))
        for position in range(1, count):
            os.link(one, os.path.join(server.box(), f"new/{1000000000 + position}.x"))
        for _ in range(2):
            _, stat, client = self.timed_login(server)
            self.assertEqual(f"+OK {count} {28 * count}", stat)
            client.quit()
            self.put(server, "new/0999999999.x", text("two"))
            os.unlink(os.path.join(server.box(), "new/0999999999.x"))
            time.sleep(0.05)
        _, _, client = self.timed_login(server)
        for msgno in range(1, count + 1):
            client.ok(f"DELE {msgno}")
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual([], messages.files(server.box()))
        self.count(count)

    def test_files_that_share_a_base_name_by_the_thousand_take_no_quadratic_time(self):
        """All of them get other flags before they are deleted, so all have to be looked for."""
        count = min(MESSAGES // 8, 60000)
        server = self.server()
        if os.geteuid() == 0:
            mount_home(self, server, f"size=10%,nr_inodes={count + 1000}")
        cur = os.path.join(server.box(), "cur")
        for position in range(count):
            self.put(server, f"cur/1000000000.x:2,{position}", b"")
        _, stat, client = self.timed_login(server)
        self.assertEqual(f"+OK {count} 0", stat)
        self.assertEqual(count, len(set(client.lines("UIDL"))))
        for name in os.listdir(cur):
            os.rename(os.path.join(cur, name), os.path.join(cur, name + "S"))
        for msgno in range(1, count + 1):
            client.ok(f"DELE {msgno}")
        begun = time.monotonic()
        self.assertEqual("+OK bye", client.quit())
        self.assertLess(time.monotonic() - begun, DEADLINE)
        self.assertEqual([], os.listdir(cur))
        self.count(count)
