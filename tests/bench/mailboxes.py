"""The maildrops of the bench: the same octets on every run and for every server.

Files have LF line ends and names whose `,S=` and `,W=` hints are right, and lie in cur/ as
seen, so that no server has a reason to rename one. Each server gets a tree of its own. The large
maildrop differs: names without hints, and files that come and go.
"""

import os
import random
from dataclasses import dataclass, field

SEED = 20101939
DELIVERED = 1700000000  # delivery time in the first file name

LOGIN_USERS = 200
LOGIN_MESSAGES = 5
MIXED_CLIENTS = 4
MIXED_MESSAGES = 400
MIXED_OCTETS = 27_000_000
BIG_OCTETS = 50_000_000
IDLE_USERS = 1000
IDLE_MESSAGES = 2
EMPTY_USERS = 5001  # the busy one and 5000 idle ones
FLOOD_USERS = 50    # whose passwords are guessed; the first one looks on
LARGE_TEXTS = 64    # different messages, which repeat
LARGE_SIZES = (500, 3500)  # all fit into one block of a disk
LONG_OCTETS = 200_000      # more than a server holds of a reply

SMALLEST = 1024
LARGEST = 1_000_000


@dataclass
class Mailbox:
    """Messages (LF line ends) and the users who have a copy of them."""
    prefix: str
    users: int
    messages: list = field(default_factory=list)

    def octets(self):
        """What a client receives for all messages: each LF becomes CRLF."""
        return sum(len(text) + text.count(b"\n") for text in self.messages)

    def names(self):
        return [f"{self.prefix}{number:04d}" for number in range(self.users)]

    def files(self, _user):
        """(name, text) of each message, as they lie in cur/."""
        for number, text in enumerate(self.messages, 1):
            yield file_name(number, text), text


class LargeMailbox:
    """One user with very many small messages, and before it one with a single one, who looks on.

    The names tell nothing of the sizes: who wants to know them counts, or remembers. Messages are
    numbered through; those from first to last are there.
    """
    prefix = "large"

    def __init__(self, count):
        self.first = 1
        self.last = count
        rng = random.Random(f"{SEED} large")
        pool = line_pool(rng)
        self.texts = [message(rng, pool, number, rng.randint(*LARGE_SIZES))
                      for number in range(LARGE_TEXTS)]
        self.long_text = message(rng, pool, 0, LONG_OCTETS)

    def names(self):
        return ["large0000", "large0001"]

    def owner(self):
        return self.names()[1]

    def count(self):
        return self.last + 1 - self.first

    def text(self, number):
        return b"X-Message: %07d\n" % number + self.texts[number % LARGE_TEXTS]

    def octets(self):
        """What a client receives for all messages: each LF becomes CRLF."""
        wire = [len(text) + text.count(b"\n") for text in map(self.text, range(LARGE_TEXTS))]
        return sum(wire[number % LARGE_TEXTS] for number in range(self.first, self.last + 1))

    @staticmethod
    def file_name(number):
        return f"{DELIVERED + number}.M{number:06d}P1.bench"

    def files(self, user):
        if user != self.owner():
            yield self.file_name(0), self.long_text
        else:
            for number in range(self.first, self.last + 1):
                yield self.file_name(number) + ":2,S", self.text(number)


def line_pool(rng):
    """Lines as mail has them: prose, base64, quotes, and some that begin with a dot."""
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(1, 11)))
             for _ in range(400)]
    base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    pool = []
    for _ in range(3000):
        kind = rng.random()
        if kind < 0.45:
            line = " ".join(rng.choices(words, k=rng.randint(2, 12)))[:78] + "."
        elif kind < 0.9:
            line = "".join(rng.choices(base64, k=76))
        elif kind < 0.95:
            line = "> " + " ".join(rng.choices(words, k=8))
        elif kind < 0.953:
            line = "." + rng.choice(words)
        else:
            line = ""
        pool.append(line.encode() + b"\n")
    return pool


def message(rng, pool, number, size):
    """One message of exactly size octets."""
    head = (f"Return-Path: <sender{number}@example.org>\n"
            f"Received: from relay.example.org by mail.example.org with ESMTP id {number:08x}\n"
            f"Date: Tue, 14 Nov 2023 22:13:20 +0000\n"
            f"From: Sender {number} <sender{number}@example.org>\n"
            f"To: user@example.org\nSubject: message {number} of the bench\n"
            f"Message-ID: <{number:08x}.{size}@example.org>\n\n").encode()
    body = bytearray(head)
    while len(body) < size:
        body += b"".join(rng.choices(pool, k=1 + (size - len(body)) // 80))
    return bytes(body[:size - 1]) + b"\n"


def mixed_sizes(rng):
    """Many small ones and few large ones, from 1 KB to 1 MB, MIXED_OCTETS in total."""
    sizes = [int(SMALLEST * (LARGEST / SMALLEST) ** (rng.random() ** 1.75))
             for _ in range(MIXED_MESSAGES)]
    sizes[0], sizes[1] = SMALLEST, LARGEST
    while sum(sizes) != MIXED_OCTETS:
        missing = MIXED_OCTETS - sum(sizes)
        index = rng.randrange(2, MIXED_MESSAGES)
        room = max(SMALLEST, min(LARGEST, sizes[index] + missing)) - sizes[index]
        sizes[index] += max(-sizes[index] // 4, min(room, 1 + sizes[index] // 4))
    return sizes


def all_mailboxes(wanted):
    """The mailboxes whose prefix is in wanted, by prefix."""
    pool = line_pool(random.Random(SEED))
    sizes = {
        "login": (LOGIN_USERS, [SMALLEST * number for number in range(1, LOGIN_MESSAGES + 1)]),
        "mixed": (MIXED_CLIENTS, mixed_sizes(random.Random(SEED))),
        "big": (1, [BIG_OCTETS]),
        "idle": (IDLE_USERS, [2048] * IDLE_MESSAGES),
        "empty": (EMPTY_USERS, []),
        "traffic": (1, []),
        "flood": (FLOOD_USERS, []),
    }
    boxes = {}
    for prefix, (users, lengths) in sizes.items():
        if prefix in wanted:
            rng = random.Random(f"{SEED} {prefix}")
            texts = [message(rng, pool, n, size) for n, size in enumerate(lengths, 1)]
            boxes[prefix] = Mailbox(prefix, users, texts)
    return boxes


def file_name(number, text):
    wire = len(text) + text.count(b"\n")
    return f"{DELIVERED + number}.M{number:06d}P1.bench,S={len(text)},W={wire}:2,S"


def write_file(path, text):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, text)
    os.close(descriptor)


def write_maildir(home, files):
    """home/Maildir with those files, pairs of name and text, in cur/."""
    for folder in ("tmp", "new", "cur"):
        os.makedirs(os.path.join(home, "Maildir", folder), 0o700)
    for name, text in files:
        write_file(os.path.join(home, "Maildir", "cur", name), text)


def deliver(home, name, text):
    """One file more, in new/."""
    temporary = os.path.join(home, "Maildir", "tmp", name)
    write_file(temporary, text)
    os.rename(temporary, os.path.join(home, "Maildir", "new", name))


def write_tree(root, boxes):
    """root/<user>/Maildir for every user of every mailbox."""
    for box in boxes.values():
        for user in box.names():
            write_maildir(os.path.join(root, user), box.files(user))
