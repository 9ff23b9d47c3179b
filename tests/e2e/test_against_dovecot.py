"""The same maildrop through a real Dovecot and through us: the octets of RETR and TOP, the sizes and
the unique-ids are the same, except for the cases of dovecot_cases.py, which must all still be."""

import os
import pwd
import shutil
import tempfile

from dovecot_cases import CASES, all_messages
from support import messages
from support.case import TestCase
from support.dovecot import PASSWORD, Dovecot
from support.server import Server, own, unprivileged
from support.wire import Client

TOPS = (0, 1, 5, 1000000)
SHOWN = 600  # octets of a transcript in a failure


def file_name(position, data):
    """Every third has been seen, every fifth has its sizes in its name."""
    name = f"{1000000000 + position}.M1P1.host"
    if position % 5 == 0 and data.endswith(b"\n"):
        name += f",S={len(data)},W={len(messages.repaired(data))}"
    return f"cur/{name}:2,S" if position % 3 == 0 else f"new/{name}"


class Replies:
    """What one server says of each message: replies[name][command] is the whole reply, for LIST and
    UIDL the second word."""

    def __init__(self, address, secret, names):
        with Client(address) as client:
            client.login("alice", secret)
            self.end = client.ok("STAT").encode() + b"\r\n"
            self.replies = {name: self.ask(client, msgno)
                            for msgno, name in enumerate(names, 1)}
            for command in ("LIST", "UIDL"):
                for name, line in zip(names, client.lines(command), strict=True):
                    self.replies[name][command] = line.partition(" ")[2].encode()
            client.quit()

    def ask(self, client, msgno):
        replies = {"RETR": self.reply(client, f"RETR {msgno}")}
        for lines in TOPS:
            replies[f"TOP {lines}"] = self.reply(client, f"TOP {msgno} {lines}")
        return replies

    def reply(self, client, command):
        """Up to the reply to another command: one that lacks its end, or ends too early, does not
        spoil the next."""
        client.send(f"{command}\r\nSTAT\r\n")
        while not client.pending.endswith(self.end):
            if not client.receive():
                raise AssertionError(f"{command}: the connection was closed")
        reply = bytes(client.pending)[:-len(self.end)]
        client.pending.clear()
        return reply

    def sum(self):
        return sum(int(of["LIST"]) for of in self.replies.values())


def differing(theirs, ours):
    """Both without the lines that they begin and end with."""
    a, b = theirs.splitlines(keepends=True), ours.splitlines(keepends=True)
    while a and b and a[0] == b[0]:
        del a[0], b[0]
    while a and b and a[-1] == b[-1]:
        del a[-1], b[-1]
    return b"".join(a), b"".join(b)


def shortened(data):
    return data if len(data) <= SHOWN else data[:SHOWN // 2] + b" [...] " + data[-SHOWN // 2:]


class AgainstDovecot(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="pop3-dovecot-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        os.chmod(cls.folder, 0o755)
        cls.stored = all_messages()
        cls.names = list(cls.stored)
        box = messages.make_maildir(os.path.join(cls.folder, "mail", "alice"))
        for position, data in enumerate(cls.stored.values(), 1):
            with open(os.path.join(box, file_name(position, data)), "wb") as file:
                file.write(data)
        cls.theirs = cls.ask_dovecot()
        cls.ours = cls.ask_us()

    @classmethod
    def ask_dovecot(cls):
        own(cls.folder)
        account = unprivileged() or pwd.getpwuid(os.geteuid())
        server = Dovecot(cls.folder, ["alice"], account)
        if not server.installed():
            raise AssertionError("dovecot-pop3d is not installed")
        cls.addClassCleanup(server.stop)
        server.start()
        replies = Replies(("127.0.0.1", server.port), PASSWORD, cls.names)
        server.stop()
        return replies

    @classmethod
    def ask_us(cls):
        own(cls.folder)
        folder = os.path.join(cls.folder, "ours")
        os.mkdir(folder)
        server = Server(folder, "--uidl-format", "dovecot", users={"alice": PASSWORD},
                        maildirs=False)
        home = os.path.join(cls.folder, "mail", "alice")
        server.write_passwd(f"alice:{{PLAIN}}{PASSWORD}::::{home}::\n")
        cls.addClassCleanup(server.stop)
        server.start()
        replies = Replies(server.address, PASSWORD, cls.names)
        server.stop()
        if server.problems():
            raise AssertionError("\n".join(server.problems()))
        return replies

    def replies(self, name, command):
        return self.theirs.replies[name][command], self.ours.replies[name][command]

    def transcripts(self, name, command):
        theirs, ours = self.replies(name, command)
        return (f"{name}, {command}, stored as {shortened(self.stored[name])!r}\n"
                f"    Dovecot: {shortened(theirs)!r}\n    we:      {shortened(ours)!r}")

    def test_retr_and_top_and_sizes_are_those_of_dovecot_but_for_the_listed_cases(self):
        listed = {(name, command) for case in CASES.values()
                  for name, of in case.differ.items() for command in of}
        for name in self.names:
            for command in ("LIST", "RETR", *(f"TOP {lines}" for lines in TOPS)):
                theirs, ours = self.replies(name, command)
                if (name, command) not in listed and theirs != ours:
                    self.fail("not listed: " + self.transcripts(name, command))
                self.count()

    def test_each_listed_case_still_differs_as_it_says(self):
        for title, case in CASES.items():
            name, command, theirs, ours = case.example
            self.assertEqual((theirs, ours), self.replies(name, command), title)
            print(f"dovecot: {title}\n  {case.clause}\n  {self.transcripts(name, command)}")
            for name, of in case.differ.items():
                for command, expected in of.items():
                    self.assertEqual(expected, differing(*self.replies(name, command)),
                                     f"{title}: {self.transcripts(name, command)}")
                    self.count()

    def test_unique_ids_are_those_of_dovecot(self):
        for name in self.names:
            theirs, ours = self.replies(name, "UIDL")
            self.assertEqual(theirs, ours, name)
            self.count()

    def test_stat_is_the_sum_of_list_in_both(self):
        for server in (self.theirs, self.ours):
            self.assertEqual(b"+OK %d %d\r\n" % (len(self.names), server.sum()), server.end)

    def test_what_we_send_is_the_message(self):
        """So that both are not wrong alike; from the RFC, sharing nothing with either."""
        for name, data in self.stored.items():
            sent = messages.stuffed(data)
            size = len(messages.repaired(data))
            self.assertEqual(b"+OK %d octets\r\n" % size + sent + b".\r\n",
                             self.ours.replies[name]["RETR"], name)
            self.assertEqual(b"%d" % size, self.ours.replies[name]["LIST"], name)
            for lines in TOPS:
                text = messages.stuffed(messages.top(data, lines))
                self.assertEqual(b"+OK\r\n" + text + b".\r\n",
                                 self.ours.replies[name][f"TOP {lines}"], name)
            self.count(2 + len(TOPS))
