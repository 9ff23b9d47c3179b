"""A reference model of the server, written from RFC 1939 and 2449 and the fixed texts of this
project. It shares no code with the server nor with tests/support: octets in, octets out.

A Drop is one maildrop: names and stored octets, in the order of their numbers. A Session reads
what a client sends, in any pieces, and returns what a server must send back."""

LINE_MAX = 255  # RFC 2449 section 4: octets of a command, line end included

GREETING = b"+OK POP3 server ready"
CAPABILITIES = (b"TOP", b"UIDL", b"USER", b"LANG", b"UTF8", b"RESP-CODES", b"AUTH-RESP-CODE",
                b"PIPELINING", b"EXPIRE NEVER", b"IMPLEMENTATION pop3-emitter")

UNKNOWN = b"-ERR unknown command"
STATE = b"-ERR command not valid in this state"
ARGUMENTS = b"-ERR wrong arguments"
NUMBER = b"-ERR invalid message number"
NO_MESSAGE = b"-ERR no such message"
IS_DELETED = b"-ERR message is deleted"
TOO_LONG = b"-ERR line too long"
CONTROL = b"-ERR line has control characters"
USER_FIRST = b"-ERR send USER first"
DENIED = b"-ERR [AUTH] authentication failed"
IN_USE = b"-ERR [IN-USE] maildrop is locked by another session"


def crlf(stored):
    """The octets of a stored message as POP3 counts them: every line ends with CRLF."""
    lines = stored.split(b"\n")
    last = lines.pop()
    text = b"".join((line if line.endswith(b"\r") else line + b"\r") + b"\n" for line in lines)
    return text + last + b"\r\n" if last else text


def stuff(text):
    """Byte-stuffing of octets whose lines end with CRLF, and the final line."""
    if text.startswith(b"."):
        text = b"." + text
    return text.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def top(text, lines):
    """Header, blank line, so many lines of the body; of octets whose lines end with CRLF."""
    position = 0 if text.startswith(b"\r\n") else text.find(b"\r\n\r\n") + 2
    if position == 1:
        return text  # no blank line: all of it is header
    position += 2
    for _ in range(lines):
        found = text.find(b"\r\n", position)
        if found < 0:
            return text
        position = found + 2
    return text[:position]


class Drop:
    """One maildrop: `messages` is a list of [name, stored octets]; `locked` while it is open."""

    def __init__(self, messages=()):
        self.messages = [list(message) for message in messages]
        self.locked = False


class Session:
    """One connection. `drops` and `secrets` are keyed by user name (octets)."""

    def __init__(self, drops, secrets):
        self.drops = drops
        self.secrets = secrets
        self.buffer = b""
        self.user = None
        self.drop = None      # set in the TRANSACTION state
        self.texts = []
        self.deleted = set()
        self.closed = False
        self.quit = False
        self.table = {
            b"USER": (0, self.do_user), b"PASS": (0, self.do_pass),
            b"STAT": (1, self.do_stat), b"LIST": (1, self.do_list), b"RETR": (1, self.do_retr),
            b"DELE": (1, self.do_dele), b"NOOP": (1, self.do_noop), b"RSET": (1, self.do_rset),
            b"TOP": (1, self.do_top), b"UIDL": (1, self.do_uidl),
            b"CAPA": (None, self.do_capa), b"QUIT": (None, self.do_quit),
        }

    def feed(self, data):
        """What the server sends for these octets. Nothing is read after QUIT."""
        self.buffer += data
        output = []
        while not self.closed:
            line, end, rest = self.buffer.partition(b"\n")
            if not end:
                break
            self.buffer = rest
            output.append(self.line(line + end))
        return b"".join(output)

    def end(self):
        """The client's stream is over: without QUIT nothing is deleted."""
        if self.drop:
            self.drop.locked = False
        self.closed = True

    def line(self, line):
        """The reply to one line, its end included."""
        text = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        user, self.user = self.user, None  # PASS counts only directly after USER
        if len(line) > LINE_MAX:
            return TOO_LONG + b"\r\n"
        if any(octet < 0x20 or octet == 0x7F for octet in text):
            return CONTROL + b"\r\n"
        verb, blank, rest = text.partition(b" ")
        row = self.table.get(verb.upper())
        if row is None:
            return UNKNOWN + b"\r\n"
        state, function = row
        if state is not None and state != (self.drop is not None):
            return STATE + b"\r\n"
        reply = function(rest if blank else None, user)
        return reply if reply.endswith(b"\r\n") else reply + b"\r\n"

    # -- AUTHORIZATION

    def do_user(self, rest, _):
        if not rest or b" " in rest:
            return ARGUMENTS
        self.user = rest
        return b"+OK send PASS"

    def do_pass(self, rest, user):
        if not rest:
            return ARGUMENTS
        if user is None:
            return USER_FIRST
        if self.secrets.get(user) != rest:
            return DENIED
        drop = self.drops[user]
        if drop.locked:
            return IN_USE
        drop.locked = True
        self.drop = drop
        self.texts = [crlf(stored) for _, stored in drop.messages]
        return b"+OK maildrop ready"

    # -- both states

    def do_capa(self, rest, _):
        if rest is not None:
            return ARGUMENTS
        return b"+OK\r\n" + b"".join(line + b"\r\n" for line in CAPABILITIES) + b".\r\n"

    def do_quit(self, rest, _):
        if rest is not None:
            return ARGUMENTS
        if self.drop:
            self.drop.messages = [message for index, message in enumerate(self.drop.messages, 1)
                                  if index not in self.deleted]
        self.quit = True
        self.end()
        return b"+OK bye"

    # -- TRANSACTION

    def left(self):
        return [number for number in range(1, len(self.texts) + 1)
                if number not in self.deleted]

    def number(self, text):
        """(message number, None) or (None, why not)."""
        if not text.isdigit() or int(text) >= 1 << 32:
            return None, NUMBER
        number = int(text)
        if not 1 <= number <= len(self.texts):
            return None, NO_MESSAGE
        if number in self.deleted:
            return None, IS_DELETED
        return number, None

    def listing(self, rest, head, line):
        """LIST and UIDL: one message, or all that are left."""
        if rest is None:
            return (head + b"\r\n" + b"".join(line(number) + b"\r\n" for number in self.left())
                    + b".\r\n")
        number, problem = self.number(rest)
        return problem or b"+OK " + line(number)

    def totals(self):
        left = self.left()
        return len(left), sum(len(self.texts[number - 1]) for number in left)

    def do_stat(self, rest, _):
        return ARGUMENTS if rest is not None else b"+OK %d %d" % self.totals()

    def do_list(self, rest, _):
        return self.listing(rest, b"+OK %d messages (%d octets)" % self.totals(),
                            lambda number: b"%d %d" % (number, len(self.texts[number - 1])))

    def do_uidl(self, rest, _):
        return self.listing(rest, b"+OK",
                            lambda number: b"%d %s" % (number, self.drop.messages[number - 1][0]))

    def do_retr(self, rest, _):
        if rest is None:
            return ARGUMENTS
        number, problem = self.number(rest)
        if problem:
            return problem
        text = self.texts[number - 1]
        return b"+OK %d octets\r\n" % len(text) + stuff(text)

    def do_dele(self, rest, _):
        if rest is None:
            return ARGUMENTS
        number, problem = self.number(rest)
        if problem:
            return problem
        self.deleted.add(number)
        return b"+OK message deleted"

    def do_noop(self, rest, _):
        return ARGUMENTS if rest is not None else b"+OK"

    def do_rset(self, rest, _):
        if rest is not None:
            return ARGUMENTS
        self.deleted.clear()
        return b"+OK"

    def do_top(self, rest, _):
        message, blank, lines = (rest or b"").partition(b" ")
        if not blank:
            return ARGUMENTS
        if not message.isdigit() or int(message) >= 1 << 32:
            return NUMBER
        if not lines.isdigit() or int(lines) >= (1 << 64) - 1:
            return ARGUMENTS
        number, problem = self.number(message)
        if problem:
            return problem
        text = self.texts[number - 1]
        return b"+OK\r\n" + stuff(top(text, min(int(lines), len(text))))
