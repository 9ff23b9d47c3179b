"""What the mutator did, what clients were shown, and whether both agree.

A content is one message for ever: its text follows from its number, which stands in it together
with a digest. A base name has had one content, or several if the mutator put another in its place or
beside it. All names here are base names as in DESIGN.md; sizes are as sent."""

import hashlib
import os
import re
import threading

from support.messages import repaired

LIVE, REMOVED, DELETED = "live", "removed by the mutator", "deleted by a client"
LINES = 8    # of each message
STEP = 3     # between sizes; no multiple of it is LINES, so no two files have one length
SIZES = 2048 # different ones
ID = re.compile(rb"\AX-Id: (\d+)\r?\n")
ASIDE = ".pop3-emitter."


def size_of(number):
    return 321 + STEP * (number % SIZES)


def text_of(number):
    """As sent: a header with the number and the digest of the body, then five lines."""
    lines = [b"first of %d" % number, b".begins with a dot", b"..", b""]
    rest = size_of(number) - len(f"X-Id: {number}\r\nX-SHA-256: {'0' * 64}\r\n\r\n")
    rest -= sum(len(line) + 2 for line in lines) + 2
    filler = hashlib.shake_128(b"%d" % number).hexdigest(rest // 2 + 1)[:rest].encode()
    body = b"".join(line + b"\r\n" for line in lines) + filler + b"\r\n"
    digest = hashlib.sha256(body).hexdigest()
    return f"X-Id: {number}\r\nX-SHA-256: {digest}\r\n\r\n".encode() + body


def stored(number):
    """As the file has it: two of three have bare LF."""
    text = text_of(number)
    return text if number % 3 == 0 else text.replace(b"\r\n", b"\n")


def number_of(path):
    """Of the content that a file holds; None if there is no such file."""
    try:
        with open(path, "rb") as file:
            return int(ID.match(file.read(32)).group(1))
    except FileNotFoundError:
        return None


class Wrong(AssertionError):
    """What must not be."""


class Content:
    def __init__(self, number, base, path, inode):
        self.number = number
        self.base = base
        self.path = path      # where the mutator believes it to be
        self.inode = inode
        self.state = LIVE
        self.unique_id = None

    @property
    def size(self):
        return size_of(self.number)

    def __repr__(self):
        return f"{self.number} ({self.base}, {self.size} octets, {self.state})"


class Shown:
    """A message of a session's list: the contents that it may stand for, nearly always one."""

    def __init__(self, msgno, unique_id, size, contents):
        self.msgno = msgno
        self.unique_id = unique_id
        self.size = size
        self.contents = contents

    def __repr__(self):
        return f"message {self.msgno}, {self.unique_id}, {self.size} octets"

    @property
    def content(self):
        return self.contents[0] if len(self.contents) == 1 else None


class Ledger:
    """The lock is held by whoever changes the maildrop, apart from the server, or judges it."""

    def __init__(self, maildir):
        self.maildir = maildir
        self.lock = threading.RLock()
        self.contents = {}
        self.bases = {}         # base -> its contents, in the order in which they came
        self.lately = []        # those that went since the last sessions
        self.of_unique_id = {}  # of base names with one content
        self.deletions = 0
        self.shown_in_place = 0

    # -- the mutator's side

    def add(self, number, base, path, inode):
        content = Content(number, base, path, inode)
        self.contents[number] = content
        self.bases.setdefault(base, []).append(content)
        return content

    def go(self, content, state):
        content.state = state
        self.lately = self.lately[-200:] + [content]

    def live(self):
        return [content for content in self.contents.values() if content.state is LIVE]

    def forget_old(self):
        """Contents that have gone long ago, so that walking through all stays cheap. Base names
        stay."""
        kept = set(self.lately)
        self.contents = {number: content for number, content in self.contents.items()
                         if content.state is LIVE or content in kept}

    def is_shared(self, content):
        return len(self.bases[content.base]) > 1

    # -- what a client is shown

    def candidates(self, unique_id, size):
        if not unique_id.startswith("x-"):
            found = self.bases.get(unique_id, [])
        else:
            found = [c for c in self.contents.values() if self.is_shared(c)]
        return [c for c in found if c.size == size]

    def shown(self, sizes, unique_ids, before):
        """The list of a session, msgno -> size and unique-id. `before`: the contents that were
        there before the login."""
        with self.lock:
            if len(set(unique_ids.values())) != len(unique_ids):
                raise Wrong("two messages have one unique-id")
            if sizes.keys() != unique_ids.keys():
                raise Wrong("LIST and UIDL differ")
            messages = [self.identify(msgno, unique_ids[msgno], size)
                        for msgno, size in sizes.items()]
            certain = [message.content for message in messages if message.content]
            twice = {content for content in certain if certain.count(content) > 1}
            if twice:
                raise Wrong(f"listed twice: {twice}: {[m for m in messages if m.content in twice]}"
                            f" of {[self.bases[content.base] for content in twice]}")
            listed = {content for message in messages for content in message.contents}
            for content in before:
                if content.state is LIVE and content not in listed:
                    raise Wrong(f"{content} is not listed")
            return messages

    def identify(self, msgno, unique_id, size):
        contents = self.candidates(unique_id, size)
        if not contents:
            there = self.bases.get(unique_id)
            raise Wrong(f"message {msgno}, {unique_id}, is listed with {size} octets: {there}")
        message = Shown(msgno, unique_id, size, contents)
        if message.content and not self.is_shared(message.content):
            self.check_unique_id(message.content, unique_id)
        return message

    def check_unique_id(self, content, unique_id):
        known = self.of_unique_id.setdefault(unique_id, content.number)
        if known != content.number:
            raise Wrong(f"{unique_id} was {known}, and is {content}")
        if content.unique_id not in (None, unique_id):
            raise Wrong(f"{content} had the unique-id {content.unique_id}, and has {unique_id}")
        content.unique_id = unique_id

    def retrieved(self, message, octets, text):
        """The whole of a message as sent came under this one's number, and +OK said `octets`.
        Returns which it was."""
        found = ID.match(text)
        number = int(found.group(1)) if found else None
        if number is None or text != text_of(number):
            raise Wrong(f"message {message.msgno} is no message: {text[:200]!r}")
        if octets != len(text):
            raise Wrong(f"message {message.msgno}: {octets} octets said, {len(text)} sent")
        with self.lock:
            if number not in [content.number for content in message.contents]:
                self.shown_other(message, number)
        return number

    def shown_other(self, message, number):
        """Only if its own file is gone may another show, and only one of the same base name."""
        if any(content.state is LIVE for content in message.contents):
            raise Wrong(f"{message.contents} was asked for, {number} came")
        if number not in [c.number for c in self.bases[message.contents[0].base]]:
            raise Wrong(f"{message.contents} was asked for, {number} came, of another name")
        self.shown_in_place += 1

    def refused(self, message, answer):
        with self.lock:
            if any(c.state is LIVE for c in message.contents) and "[SYS/TEMP]" not in answer:
                raise Wrong(f"{message.contents}: {answer}")

    # -- what is there

    def read_maildrop(self):
        """number -> path of all that is there. The lock is held and nothing is being deleted."""
        found = {}
        for folder in ("new", "cur"):
            for entry in os.scandir(os.path.join(self.maildir, folder)):
                if entry.name.startswith(ASIDE):
                    raise Wrong(f"left behind: {folder}/{entry.name}")
                number = number_of(entry.path)
                if number in found:
                    raise Wrong(f"{number} is there twice: {found[number]}, {entry.path}")
                found[number] = entry.path
        return found

    def judge(self, answer, marked):
        """After a session. answer: to QUIT, None if there was none. marked: Shown messages."""
        with self.lock:
            found = self.read_maildrop()
            live = self.live()
            for content in live:
                content.path = found.get(content.number, content.path)
            missing = [content for content in live if content.number not in found]
            strange = found.keys() - {content.number for content in live}
            if strange:
                raise Wrong(f"there again: {[self.contents.get(n, n) for n in strange]}")
            meant = {content for message in marked for content in message.contents}
            lost = set(missing) - (meant if answer else set())
            if lost:
                raise Wrong(f"LOST after {answer}: {lost}; marked: {meant}")
            if answer:
                self.judge_answer(answer, marked, missing)
            for content in missing:
                self.go(content, DELETED)
            self.deletions += len(missing)
            self.forget_old()

    @staticmethod
    def judge_answer(answer, marked, missing):
        left = [m.content for m in marked if m.content and m.content.state is LIVE
                and m.content not in missing]
        if answer.startswith("+OK"):
            if left:
                raise Wrong(f"{answer}, but these are still there: {left}")
        elif all(m.content in missing for m in marked):
            raise Wrong(f"{answer}, but all marked messages are gone: {marked}")


def check_texts():
    """The texts are what the judgements rest on."""
    lengths = set()
    for number in range(2 * SIZES):
        text = text_of(number)
        assert len(text) == size_of(number) and text.count(b"\r\n") == LINES, number
        assert repaired(stored(number)) == text
        lengths.add((len(stored(number)), size_of(number)))
    assert len({length for length, _ in lengths}) == len(lengths), "one length, two sizes"
