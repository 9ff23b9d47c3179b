"""What those who deliver and delete mail were told, and what a disk must hold for it.

Every message is another one and is known by its digest. It is *arriving* until its delivery was
confirmed, then *kept*; *leaving* from the QUIT that deletes it until that was answered with +OK,
then *gone*. After a crash a kept message must be there and a gone one must not; of the others it
is open. Each must be whole, and there once.
"""

import collections
import hashlib
import os
import random
import threading

ARRIVING, KEPT, LEAVING, GONE = range(4)

LINES = 60  # at most, of a body

Message = collections.namedtuple("Message", "number user state digest")


def text(number):
    """The same for a number on every run; lines end in LF, some begin with dots, some are empty."""
    rng = random.Random(number)
    lines = [b"Subject: %d" % number, b""]
    for _ in range(rng.randint(0, LINES)):
        lines.append(b"." * rng.choice((0, 0, 0, 1, 2)) + b"x" * rng.randint(0, 70))
    return b"\n".join(lines) + b"\n"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def on_disk(mail, users):
    """What lies in new/ and cur/ of each user: user -> {path in the maildrop: digest}."""
    found = {}
    for user in users:
        found[user] = {}
        for part in ("new", "cur"):
            folder = os.path.join(mail, user, "Maildir", part)
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                with open(os.path.join(folder, name), "rb") as file:
                    found[user][f"{part}/{name}"] = digest(file.read())
    return found


class Promises:
    """May be used by several threads."""

    def __init__(self, first=1):
        self.lock = threading.Lock()
        self.next = first
        self.messages = {}  # by digest

    def new(self, user, state=ARRIVING):
        """(digest, octets) of a message that nobody has had yet."""
        with self.lock:
            number = self.next
            self.next += 1
            data = text(number)
            key = digest(data)
            self.messages[key] = Message(number, user, state, key)
        return key, data

    def note(self, keys, state):
        """This has happened to the messages with these digests. They only go on: one that is read
        and deleted before the delivery of it has ended stays deleted."""
        with self.lock:
            for key in keys:
                message = self.messages[key]
                self.messages[key] = message._replace(state=max(message.state, state))

    def forget(self, key):
        """It was never given to anybody."""
        with self.lock:
            del self.messages[key]

    def known(self, user, key):
        with self.lock:
            return key in self.messages and self.messages[key].user == user

    def count(self, user):
        """How many messages the user may have, at most."""
        with self.lock:
            return sum(m.user == user and m.state != GONE for m in self.messages.values())

    def snapshot(self):
        """What is promised at this moment, for judge()."""
        with self.lock:
            return dict(self.messages)

    def settle(self, found):
        """Whatever was open is now what the disk says; what is not there is forgotten."""
        there = {key for files in found.values() for key in files.values()}
        with self.lock:
            self.messages = {key: m._replace(state=KEPT)
                             for key, m in self.messages.items() if key in there}


def judge(promised, found):
    """Broken promises, each a text. promised: a snapshot; found: see on_disk()."""
    problems = []
    seen = collections.Counter()
    for user, files in found.items():
        for path, key in files.items():
            message = promised.get(key)
            if message is None or message.user != user:
                problems.append(f"damaged: {user} {path}")
                continue
            seen[key] += 1
            if message.state == GONE:
                problems.append(f"back: {user} message {message.number}, {path}")
    for key, message in promised.items():
        if seen[key] > 1:
            problems.append(f"doubled: {message.user} message {message.number}")
        if message.state == KEPT and message.user in found and not seen[key]:
            problems.append(f"lost: {message.user} message {message.number}")
    return problems


def served(client, expected):
    """Reads all messages of a client that is logged in: problems, if they are not those expected,
    a list of digests."""
    count = int(client.ok("STAT").split()[1])
    got = []
    for number in range(1, count + 1):
        lines = client.lines(f"RETR {number}")
        got.append(digest("".join(line + "\n" for line in lines).encode("latin-1")))
    ids = [line.split()[1] for line in client.lines("UIDL")]
    problems = [] if sorted(got) == sorted(expected) else ["other messages served than are there"]
    return problems + ([] if len(set(ids)) == count else ["unique-ids are not unique"])
