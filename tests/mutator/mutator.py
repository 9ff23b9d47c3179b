"""A mail system that is never quiet: it delivers, flags, moves and removes messages, puts others in
their place or beside them under the same base name, and tells the ledger. Renaming never replaces by
accident: renameat2(2) is told so."""

import ctypes
import errno
import os
import time

from ledger import LIVE, REMOVED, number_of, size_of, stored

NOREPLACE, EXCHANGE = 1, 2
AT_FDCWD = -100
FLAGS = ("", "S", "F", "FS", "RS", "T", "RST")
FEW, MANY = 60, 120  # messages: below the one more come, above the other none
_libc = ctypes.CDLL(None, use_errno=True)


def rename(old, new, flags):
    """False: `old` is not there, or `new` is, as the flags have it."""
    if _libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOENT, errno.EEXIST):
        return False
    raise OSError(number, os.strerror(number), old, None, new)


class Mutator:
    """hot: contents that a client has marked; they are preferred. One that the server has moved or
    deleted meanwhile is not there any more: then the operation comes to nothing, and counts."""

    def __init__(self, ledger, rng):
        self.ledger = ledger
        self.rng = rng
        self.hot = []
        self.numbers = 0
        self.bases = 0
        self.inodes_used_again = 0
        self.done = {}  # operation -> [how often, how often with success]
        self.weights = {self.flag: 30, self.to_cur: 14, self.to_new: 8, self.remove: 8,
                        self.put_beside: 5, self.put_in_place: 5, self.put_after: 6, self.swap: 3}

    @property
    def count(self):
        return sum(often for often, _ in self.done.values())

    def step(self):
        with self.ledger.lock:
            live = self.ledger.live()
            room = (MANY - len(live)) / (MANY - FEW)
            if self.rng.random() < min(max(room, 0), 1) * 0.6 or not live:
                self.note(self.deliver, self.deliver())
                return
            operation, = self.rng.choices(list(self.weights), list(self.weights.values()))
            self.note(operation, operation(self.choose(live)))

    def note(self, operation, succeeded):
        entry = self.done.setdefault(operation.__name__, [0, 0])
        entry[0] += 1
        entry[1] += bool(succeeded)

    def choose(self, live):
        hot = [content for content in self.hot if content.state is LIVE]
        return self.rng.choice(hot if hot and self.rng.random() < 0.4 else live)

    # -- files

    def path(self, folder, name):
        return os.path.join(self.ledger.maildir, folder, name)

    def write(self, base=None):
        """A new content in tmp/: (number, path, inode). Of those of one base name no two have the
        same length."""
        taken = {content.size for content in self.ledger.bases.get(base, [])}
        self.numbers += 1
        while size_of(self.numbers) in taken:
            self.numbers += 1
        path = self.path("tmp", f"{self.numbers}.mutator")
        with open(path, "xb") as file:
            file.write(stored(self.numbers))
            inode = os.fstat(file.fileno()).st_ino
        return self.numbers, path, inode

    @staticmethod
    def is_there(content):
        """Is its file still where we left it? Its inode would not tell. If so it stays there until
        we, or the server, take it away."""
        return number_of(content.path) == content.number

    def move(self, content, path):
        if content.path == path or not self.is_there(content):
            return False
        if not rename(content.path, path, NOREPLACE):
            return False
        content.path = path
        return True

    # -- operations

    def deliver(self):
        number, path, inode = self.write()
        self.bases += 1
        base = f"{int(time.time())}.M{number}P{os.getpid()}Q{self.bases}.mutator"
        if number % 2:
            base += f",S={len(stored(number))},W={size_of(number)}"
        content = self.ledger.add(number, base, self.path("new", base), inode)
        return rename(path, content.path, NOREPLACE)

    def flag(self, content):
        return self.move(content, self.path("cur", f"{content.base}:2,{self.rng.choice(FLAGS)}"))

    def to_cur(self, content):
        return self.move(content, self.path("cur", content.base + ":2,S"))

    def to_new(self, content):
        return self.move(content, self.path("new", content.base))

    def remove(self, content):
        """Taken out first, so that it is known what was removed."""
        aside = self.path("tmp", f"{content.number}.removed")
        if not self.is_there(content) or not rename(content.path, aside, NOREPLACE):
            return False
        self.take_away(content, aside)
        return True

    def take_away(self, content, aside):
        self.ledger.go(content, REMOVED)
        if number_of(aside) != content.number:
            raise AssertionError(f"{aside} is not {content}")
        os.unlink(aside)

    def put_beside(self, content):
        """A second file with the same base name."""
        number, path, inode = self.write(content.base)
        name = content.base + self.rng.choice(("", ":2,S", ":2,F", ":2,"))
        target = self.path("new" if name == content.base else "cur", name)
        if not rename(path, target, NOREPLACE):
            os.unlink(path)
            return False
        self.ledger.add(number, content.base, target, inode)
        return True

    def put_in_place(self, content):
        """Another file under its name, at once."""
        number, path, inode = self.write(content.base)
        if not self.is_there(content) or not rename(path, content.path, EXCHANGE):
            os.unlink(path)
            return False
        self.ledger.add(number, content.base, content.path, inode)
        self.take_away(content, path)
        return True

    def put_after(self, content):
        """It is removed, and another file gets its name and, as the file system has it, its inode.
        """
        path = content.path
        if not self.remove(content):
            return False
        number, written, inode = self.write(content.base)
        self.inodes_used_again += inode == content.inode
        if not rename(written, path, NOREPLACE):
            os.unlink(written)
            return False
        self.ledger.add(number, content.base, path, inode)
        return True

    def swap(self, content):
        """Two files with one base name change names."""
        others = [other for other in self.ledger.bases[content.base]
                  if other.state is LIVE and other is not content]
        if not others or not self.is_there(content) or not self.is_there(others[0]):
            return False
        if not rename(content.path, others[0].path, EXCHANGE):
            return False
        content.path, others[0].path = others[0].path, content.path
        return True
