"""What the matrix does with a maildrop, and during which command calls are made to fail."""

import dataclasses
import functools
import os
import shutil
import typing

from matrix_shim import BARE, LACKS
from support import messages
from support.server import own

LINES = b"".join(b"." * (number % 3) + b"line %05d of a message that is read in parts\n" % number
                 for number in range(1000))
TEXTS = {
    "a": messages.HEADER + b"Subject: a\n\n" + LINES,
    "b": messages.HEADER + b"Subject: b\n\n.dots\n..\n",
    "c": messages.HEADER + b"Subject: c\n\nno end of line at the end",
    "d": messages.HEADER.replace(b"\n", b"\r\n") + b"\r\nCRLF\r\n.\r\n",
    "e": messages.HEADER + b"Subject: e\n\nits name is wrong about its size\n",
    "f": messages.HEADER + b"Subject: f\n\nit came later\n",
}
# So begin names of files that are put aside while they are deleted; the next login puts them back.
ASIDE = ".pop3-emitter."
DELIVERED = messages.HEADER + b"Subject: delivered\n\n" + LINES


@functools.lru_cache
def base_of(letter):
    """The base name: some claim their size, one wrongly; they are in the order of the letters."""
    number = 1000000001 + "abcdef".index(letter)
    text = TEXTS[letter]
    sent = len(messages.repaired(text)) + (5 if letter == "e" else 0)
    return f"{number}.{letter}.mail" + (f",S={len(text)},W={sent}" if letter in "bde" else "")


class Box:
    """A home with a Maildir in it, for one case. user: its name in the passwd file."""

    def __init__(self, home, user, inside=""):
        self.home = home
        self.user = user
        self.top = os.path.join(home, inside) if inside else home
        self.maildir = os.path.join(self.top, "Maildir")
        self.stdin = os.path.join(home, "stdin")

    def path(self, folder, name):
        return os.path.join(self.maildir, folder, name)

    def put(self, folder, letter, info=""):
        path = self.path(folder, base_of(letter) + info)
        with open(path, "wb") as file:
            file.write(TEXTS[letter])
        own(path)

    def move(self, folder, letter, to, info):
        """The message gets a new name, whatever its old one is."""
        base = base_of(letter)
        for name in os.listdir(os.path.join(self.maildir, folder)):
            if name.split(":2,")[0] == base:
                os.rename(self.path(folder, name), self.path(to, base + info))

    def contents(self):
        """(folder, name) -> octets, of all messages; of two names of one file only one."""
        found, inodes = {}, set()
        for folder in ("new", "cur"):
            path = os.path.join(self.maildir, folder)
            for name in os.listdir(path) if os.path.isdir(path) else ():
                with open(os.path.join(path, name), "rb") as file:
                    inode = os.fstat(file.fileno()).st_ino
                    if inode not in inodes:
                        found[folder, name.removeprefix(ASIDE)] = file.read()
                    inodes.add(inode)
        return found

    def strays(self):
        """What is left where nothing should be left."""
        tmp = os.path.join(self.maildir, "tmp")
        known = {"new", "cur", "tmp", "pop3-emitter.index", "dovecot-uidlist",
                 ".pop3-emitter.lock"}
        found = {"tmp/" + name for name in os.listdir(tmp)} if os.path.isdir(tmp) else set()
        beside = set(os.listdir(self.top)) - {"Maildir", "stdin"} if os.path.isdir(self.top) else set()
        names = os.listdir(self.maildir) if os.path.isdir(self.maildir) else ()
        return found | beside | set(names) - known

    def remove(self):
        shutil.rmtree(self.home)


def make_nothing(box):
    os.makedirs(box.home)


def make_folders(box):
    for folder in ("new", "cur", "tmp"):
        os.makedirs(os.path.join(box.maildir, folder))


def make_four(box):
    make_folders(box)
    for folder, letter, info in (("new", "a", ""), ("new", "b", ""), ("cur", "c", ":2,S"),
                                 ("cur", "d", ":2,")):
        box.put(folder, letter, info)


def make_five(box):
    make_four(box)
    box.put("new", "e")


def make_listed(box):
    """Dovecot's list knows two of them, one with a unique-id of its own."""
    make_four(box)
    with open(os.path.join(box.maildir, "dovecot-uidlist"), "w", encoding="ascii") as file:
        file.write(f"3 V1700000000 N3 G0123456789abcdef0123456789abcdef\n"
                   f"1 :{base_of('a')}\n2 Pown-id :{base_of('c')}\n")


# The unique-ids by that list; others are base names.
LISTED = {"a": "000000016553f100", "c": "own-id"}


def later_mail(box):
    box.put("new", "f")
    box.move("new", "a", "cur", ":2,S")
    os.remove(box.path("new", base_of("b")))


def rename_two(box):
    """Flags that no mail reader is expected to set at once."""
    box.move("new", "a", "cur", ":2,FRS")
    box.move("cur", "c", "cur", ":2,FRS")


def grow_first(box):
    with open(box.path("new", base_of("a")), "ab") as file:
        file.write(b"a line more\n")


@dataclasses.dataclass(frozen=True, eq=False)
class Scenario:
    name: str
    commands: typing.Tuple[str, ...] = ()  # of the session, or none: a delivery
    armed: str = "PASS"                    # the command during which calls fail
    server: str = "plain"
    make: typing.Callable = make_four
    earlier: bool = False                  # there has been a session
    change: typing.Callable = None         # after it
    meddle: typing.Callable = None         # just before the armed command
    lacks: int = 0
    uids: typing.Mapping[str, str] = dataclasses.field(default_factory=dict)
    nested: bool = False                   # the home itself is made by the delivery

    def is_delivery(self):
        return not self.commands

    def __str__(self):
        return self.name


LOGIN = ("PASS", "STAT", "LIST", "UIDL", "QUIT")
DELETE = ("PASS", "DELE 1", "DELE 3", "QUIT")
READ = ("PASS", "RETR 1", "RETR 2", "DELE 2", "DELE 3", "QUIT")

SCENARIOS = (
    Scenario("first login", LOGIN),
    Scenario("login again", LOGIN, earlier=True),
    Scenario("login after changes", LOGIN, earlier=True, change=later_mail),
    Scenario("login without a Maildir", LOGIN, make=make_nothing),
    Scenario("login with Dovecot's list", LOGIN, server="dovecot", make=make_listed, uids=LISTED),
    Scenario("login again with Dovecot's list", LOGIN, server="dovecot", make=make_listed,
             uids=LISTED, earlier=True),
    Scenario("first login, index apart", LOGIN, server="apart"),
    Scenario("login again, index apart", LOGIN, server="apart", earlier=True),
    Scenario("first login, bare file system", LOGIN, lacks=BARE),
    Scenario("LIST", LOGIN, "LIST", earlier=True),
    Scenario("UIDL", LOGIN, "UIDL", earlier=True),
    Scenario("RETR", ("PASS", "RETR 1", "QUIT"), "RETR 1", earlier=True),
    Scenario("TOP", ("PASS", "TOP 2 1", "QUIT"), "TOP 2 1", earlier=True),
    Scenario("RETR, bare file system", ("PASS", "RETR 1", "QUIT"), "RETR 1", earlier=True,
             lacks=BARE),
    Scenario("RETR, not in memory", ("PASS", "RETR 1", "QUIT"), "RETR 1", earlier=True,
             lacks=LACKS["nowait"] | LACKS["cached"]),
    Scenario("RETR of a renamed message", ("PASS", "RETR 1", "QUIT"), "RETR 1", earlier=True,
             meddle=rename_two),
    Scenario("RETR of a grown message", ("PASS", "RETR 1", "QUIT"), "RETR 1", earlier=True,
             meddle=grow_first),
    Scenario("DELE and QUIT", DELETE, "QUIT", earlier=True),
    Scenario("DELE and QUIT after renames", DELETE, "QUIT", earlier=True, meddle=rename_two),
    Scenario("DELE and QUIT, index apart, marking", READ, "QUIT", server="apart"),
    Scenario("DELE and QUIT, bare file system, marking", READ, "QUIT", server="apart", lacks=BARE),
    Scenario("QUIT after a wrong size", ("PASS", "RETR 5", "DELE 1", "QUIT"), "QUIT",
             make=make_five),
    Scenario("deliver", make=make_folders),
    Scenario("deliver, no Maildir yet", make=make_nothing),
    Scenario("deliver, no home yet", make=make_nothing, nested=True),
    Scenario("deliver, bare file system", make=make_folders, lacks=BARE),
)
