"""What tests of odd maildrops share: every answer has a deadline, and every problem is one line of
the log. A test tells which lines it wants; a line more, or a repeated one, fails it."""

import os
import re
import socket

from support.case import TestCase
from support.server import TROUBLE, own

# Seconds for any one answer. It tells a server that waits from one that works, and no more.
DEADLINE = 15

REFUSED = r"event=login .* step=open result=(temporary|permanent|in-use)$"
IN_USE = "-ERR [IN-USE] maildrop is locked by another session"
NOT_REMOVED = "-ERR [SYS/TEMP] some deleted messages not removed"


def text(subject):
    """A message as it is stored: 22 octets and the subject, 3 more as sent."""
    return b"Subject: " + os.fsencode(subject) + b"\n\ntext of it\n"


def sent(subject):
    """The same as sent, without the dot behind it."""
    return text(subject).replace(b"\n", b"\r\n")


class OddCase(TestCase):
    def server(self, *arguments, **options):
        told = {}
        # Runs when the server has ended: cleanups go backwards.
        self.addCleanup(lambda: self.assert_problems(told["server"]) if told else None)
        server = super().server(*arguments, **options)
        server.told = 0
        told["server"] = server
        return server

    def client(self, server, login=None, **options):
        client = super().client(server, **options)
        client.socket.settimeout(DEADLINE)
        if login:
            client.login(login, server.users[login])
        self.count()
        return client

    def attempt(self, server, user="alice"):
        """(the answer to PASS, the client)"""
        client = self.client(server)
        client.ok("USER " + user)
        return client.command("PASS " + server.users[user]), client

    # -- the log

    def assert_problems(self, server, *patterns):
        """The warnings and errors since the last time: one line for each pattern, and no other.
        The line of a refused login, which does not say why, is not a problem's."""
        found = [line for line in server.log_lines() if TROUBLE.search(line)]
        new = found[server.told:]
        server.told = len(found)
        for line in new:
            server.expect_log(re.escape(line))
        new = [line for line in new if not re.search(REFUSED, line)]
        left = list(new)
        for pattern in patterns:
            matching = [line for line in left if re.search(pattern, line)]
            if not matching:
                self.fail(f"no line matches {pattern!r}: " + "\n".join(["", *new]))
            left.remove(matching[0])
        self.assertEqual([], left, "more lines than problems")

    # -- files

    @staticmethod
    def put(server, name, data, user="alice"):
        """Writes a file of the maildrop; name begins with its folder. Returns the path."""
        path = os.path.join(server.box(user), name)
        with open(path, "wb") as file:
            file.write(data)
        own(path)
        return path

    @staticmethod
    def put_socket(path):
        """A socket's path may have 108 octets: it is told relative to its folder."""
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        os.close(folder)
        own(path)
