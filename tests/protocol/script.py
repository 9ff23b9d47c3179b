"""Send/expect scripts: scripts/<name>.pop3, where <name> is the sentence that the test is called.

    # comment
    @set KEY VALUE        an option of the server, as --KEY VALUE
    @user NAME SECRET     another user with an empty maildrop
    @mail NAME...         messages of STORE in alice's maildrop (default: one two three)
    @message              a message of its own; its lines follow, each after "| "
    @hold USER            another session is logged in as USER meanwhile
    @left N...            which of alice's messages are still there afterwards (default: all)
    C: text               the client sends text and CRLF
    C+ text               the client sends text as it is
    S: text               the server sends text and CRLF; a final * stands for anything

Each C line is one command with the S lines of its reply; S lines before the first are the
greeting (default: any +OK). Escapes: \\r \\n \\\\ \\xNN, \\(12*ab) repeats, \\c at the end of a
message line leaves out its LF. What follows the last S line must be the end of the stream."""

import glob
import os
import re

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")

STORE = {
    "one": b"Subject: one\n\nfirst body\n",                                 # 28 octets
    "two": b"Subject: two\n\n.dot line\n..\n.\nlast",                       # 40 octets
    "three": b"From: c\nSubject: three\n\n1\n2\n3\n4\n5\n",                 # 42 octets
    "empty": b"",
}

ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|\((\d+)\*([^)]*)\)|(.))")
PLAIN = {"r": b"\r", "n": b"\n", "\\": b"\\", "c": b""}


def octets(text):
    """The octets of a script's text."""
    result = bytearray()
    position = 0
    for match in ESCAPE.finditer(text):
        result += text[position:match.start()].encode()
        position = match.end()
        code, times, what, letter = match.groups()
        if code:
            result.append(int(code, 16))
        elif times:
            result += octets(what) * int(times)
        else:
            result += PLAIN[letter]
    return bytes(result + text[position:].encode())


class Script:
    """`steps` is a list of (octets to send, expected lines); the first sends nothing."""

    def __init__(self, path):
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.options = []
        self.users = {"alice": "wonderland", "bob": "builder"}
        self.messages = None
        self.hold = []
        self.left = None
        self.steps = [(b"", [])]
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    self.read(line.rstrip("\n"))
                except (LookupError, ValueError) as error:
                    raise ValueError(f"{path}:{number}: {line!r}: {error}") from error
        if self.messages is None:
            self.messages = [STORE["one"], STORE["two"], STORE["three"]]
        if self.left is None:
            self.left = list(range(1, len(self.messages) + 1))
        if not self.steps[0][1]:
            self.steps[0][1].append((b"+OK POP3 server ready", True))

    def read(self, line):
        if not line or line.startswith("#"):
            return
        if line.startswith("@"):
            self.directive(*line[1:].split(" "))
        elif line.startswith("|"):
            self.messages[-1] += octets(line[2:]) + (b"" if line.endswith("\\c") else b"\n")
        elif line.startswith(("C: ", "C+ ")) or line == "C:":
            self.steps.append((octets(line[3:]) + (b"\r\n" if line[1] == ":" else b""), []))
        elif line.startswith("S: ") or line == "S:":
            text = line[3:]
            wild = text.endswith("*")
            self.steps[-1][1].append((octets(text[:-1] if wild else text), wild))
        else:
            raise ValueError("neither directive nor C, S or |")

    def directive(self, word, *arguments):
        if word == "set":
            self.options += ["--" + arguments[0], arguments[1]]
        elif word == "user":
            self.users[arguments[0]] = " ".join(arguments[1:])
        elif word == "mail":
            self.messages = [STORE[name] for name in arguments if name]
        elif word == "message":
            self.messages = (self.messages or []) + [b""]
        elif word == "hold":
            self.hold += arguments
        elif word == "left":
            self.left = [int(number) for number in arguments if number]
        else:
            raise ValueError("unknown directive")

    @property
    def sent(self):
        return b"".join(step[0] for step in self.steps)


def matches(expected, line):
    text, wild = expected
    return line.startswith(text) if wild else line == text


def all_scripts():
    return [Script(path) for path in sorted(glob.glob(os.path.join(FOLDER, "*.pop3")))]
