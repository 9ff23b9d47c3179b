"""What a process holds in its memory, and looking for secrets in it.

Looked at is what the process can have written: each mapping that is writable or has no file. A secret
counts as found when any eight octets of it lie at a multiple of eight: so fifteen octets of one in a
row cannot be missed, wherever they are, and neither can what free(3) leaves of a block whose first
sixteen octets it uses itself."""

import base64
import re

WORD = 8
PIECE = 1 << 20
MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+) *(.*)")


def mappings(pid):
    """(begin, end) of what the process can have written."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            begin, end, rights, inode, name = MAPPING.match(line).groups()
            is_kernels = name.startswith(("[vvar", "[vdso", "[vsyscall"))
            if rights[0] == "r" and not is_kernels and (rights[1] == "w" or inode == "0"):
                yield int(begin, 16), int(end, 16)


def image(pid):
    """The octets of these, as a core file would have them; pieces of at most PIECE octets."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for begin, end in mappings(pid):
            for at in range(begin, end, PIECE):
                memory.seek(at)
                yield memory.read(min(PIECE, end - at))


def words_of(secret):
    """All that eight octets in a row of it can be."""
    return {secret[at:at + WORD] for at in range(len(secret) - WORD + 1)}


def encodings(secret):
    """What base64 makes of a secret that stands anywhere in a text: those characters that depend on
    nothing else."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret)
        first = (0, 2, 3)[before]
        last = len(text) - (0, 3, 2)[(before + len(secret)) % 3]
        yield text[first:last]


class Search:
    """Secrets with names, looked for all at once."""

    def __init__(self):
        self.words = {}   # eight octets -> name
        self.wholes = {}  # octets -> name
        self.names = set()

    def add(self, name, secret):
        """Octets of which no part may be found, nor any part of their base64."""
        self.names.add(name)
        for form in (secret, *encodings(secret)):
            self.wholes[form] = name
            for word in words_of(form):
                self.words[word] = name

    def add_text(self, name, text):
        """A text that has parts that are no secret: it and its base64 are looked for as a whole."""
        self.names.add(name)
        for form in (text, *encodings(text)):
            self.wholes[form] = name

    def in_text(self, text):
        """The names of those that are in it, at any place, as a whole."""
        return {name for whole, name in self.wholes.items() if whole in text}

    def in_image(self, pieces):
        """The names of those of which there is a part or the whole in it."""
        found = set()
        for piece in pieces:
            usable = len(piece) // WORD * WORD
            numbers = set(memoryview(piece)[:usable].cast("Q"))
            for number in numbers & self.numbers:
                found.add(self.words[number.to_bytes(WORD, "little")])
            if len(numbers) > 1:
                found |= self.in_text(piece)
        return found

    def close(self):
        """All has been added."""
        self.numbers = {int.from_bytes(word, "little") for word in self.words}
        return self
