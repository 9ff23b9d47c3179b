"""Thousands of deliveries at once, each a process of its own: none is lost, doubled or cut, and no
two names meet."""

import hashlib
import os
import re
import shutil
import subprocess

from support import messages
from support.delivery import NAME, DeliveryTestCase
from support.server import command, environment
from support.wire import GUARD

DELIVERIES = int(os.environ.get("POP3_DELIVERIES", "200"))
# So many at once.
CROWD = 100
# The same for those that find no maildrop, and how often.
FOUNDERS = 8
FOUNDATIONS = 10


def mail(number):
    """A message that says which it is and whether it is whole; sizes and line ends differ."""
    end = b"\r\n" if number % 2 else b"\n"
    body = (b"line of message %d" % number + end) * (number % 50) + b"." * (number % 3)
    digest = hashlib.sha256(body).hexdigest().encode()
    return b"Subject: %d" % number + end + b"X-Digest: " + digest + end + end + body


def number_of(data):
    """The number of a message that is whole, else None."""
    match = re.fullmatch(rb"Subject: (\d+)(\r?\n)X-Digest: ([0-9a-f]{64})\r?\n\r?\n(.*)", data, re.S)
    if match and hashlib.sha256(match[4]).hexdigest().encode() == match[3]:
        return int(match[1])
    return None


class Crowd(DeliveryTestCase):
    def deliver_crowd(self, numbers):
        """All of them have begun before the first gets its message's end."""
        words = command(*self.words())
        crowd = [subprocess.Popen(words, stdin=subprocess.PIPE, env=environment())
                 for _ in numbers]
        tmp = self.folder("tmp")
        self.wait_until(lambda: len(os.listdir(tmp)) == len(crowd), guard=GUARD,
                        otherwise=lambda: f"{len(os.listdir(tmp))} of {len(crowd)} have begun")
        for process, number in zip(crowd, numbers):
            process.stdin.write(mail(number))
            process.stdin.close()
        self.assertEqual([0] * len(crowd), [process.wait(GUARD) for process in crowd])

    def test_processes_that_deliver_at_once_do_not_meet(self):
        for first in range(0, DELIVERIES, CROWD):
            self.deliver_crowd(range(first, min(first + CROWD, DELIVERIES)))
        new = self.folder("new")
        found, chances = [], set()
        for name in os.listdir(new):
            with open(os.path.join(new, name), "rb") as file:
                data = file.read()
            match = NAME.fullmatch(name)
            self.assertTrue(match, name)
            self.assertEqual((len(data), len(messages.repaired(data))),
                             (int(match[2]), int(match[3])), name)
            found.append(number_of(data))
            chances.add(match[1])
        self.assertEqual(list(range(DELIVERIES)), sorted(found))
        # Were time, process id, count and host the same, as in two containers: names still differ.
        self.assertEqual(DELIVERIES, len(chances))
        self.assertEqual([], os.listdir(self.folder("tmp")))
        self.count(DELIVERIES)

        self.place.start()
        self.addCleanup(self.judge, self.place)
        client = self.client(self.place, login="alice")
        total = sum(len(messages.repaired(mail(number))) for number in range(DELIVERIES))
        self.assertEqual(f"+OK {DELIVERIES} {total}", client.ok("STAT"))
        lines = client.multiline("UIDL")[1].split(b"\r\n")[:-1]
        self.assertEqual(DELIVERIES, len({line.split()[1] for line in lines}))
        # The names are their unique-ids.
        self.assertEqual({line.split()[1].decode() for line in lines}, set(os.listdir(new)))
        client.quit()

    def test_first_deliveries_at_once_make_one_maildrop(self):
        words = command(*self.words())
        for _ in range(FOUNDATIONS):
            shutil.rmtree(self.place.box())
            founders = [subprocess.Popen(words, stdin=subprocess.DEVNULL, env=environment())
                        for _ in range(FOUNDERS)]
            self.assertEqual([0] * FOUNDERS, [process.wait(GUARD) for process in founders])
            self.assertEqual(["Maildir"], os.listdir(self.place.home()))
            self.assertEqual(FOUNDERS, len(messages.files(self.place.box())))
            self.count()
