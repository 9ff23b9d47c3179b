"""A reference model of the server, written from RFC 1939, 2449 and 6856 and the fixed texts of this
project. It shares no code with the server nor with tests/support: octets in, octets out.

A Drop is one maildrop: names and stored octets, in the order of their numbers. A Session reads
what a client sends, in any pieces, and returns what a server must send back."""

import re

LINE_MAX = 255  # RFC 2449 section 4: octets of a command, line end included

GREETING = b"+OK POP3 server ready"
CAPABILITIES = (b"TOP", b"UIDL", b"USER", b"LANG", b"UTF8", b"RESP-CODES", b"AUTH-RESP-CODE",
                b"PIPELINING", b"EXPIRE NEVER", b"IMPLEMENTATION pop3-emitter")

# LANG: tag, name, and the column of TEXTS (None: the English text itself).
LANGUAGES = ((b"i-default", "Default (English)", None), (b"en", "English", None),
             (b"de", "Deutsch", 0), (b"fr", "français", 1))
TEXTS = {
    "send PASS": ("jetzt PASS senden", "envoyez PASS"),
    "maildrop ready": ("Postfach bereit", "boîte aux lettres prête"),
    "message deleted": ("Nachricht gelöscht", "message supprimé"),
    "UTF-8 enabled": ("UTF-8 eingeschaltet", "UTF-8 activé"),
    "languages follow": ("Liste der Sprachen", "liste des langues"),
    "language changed": ("Sprache gewechselt", "langue changée"),
    "bye": ("auf Wiedersehen", "au revoir"),
    "line too long": ("Zeile zu lang", "ligne trop longue"),
    "line has control characters": ("Zeile enthält Steuerzeichen",
                                    "la ligne contient des caractères de contrôle"),
    "unknown command": ("unbekannter Befehl", "commande inconnue"),
    "command not valid in this state": ("Befehl in diesem Zustand nicht erlaubt",
                                        "commande non valable dans cet état"),
    "wrong arguments": ("falsche Argumente", "arguments incorrects"),
    "invalid message number": ("ungültige Nachrichtennummer", "numéro de message non valable"),
    "send USER first": ("zuerst USER senden", "envoyez d'abord USER"),
    "unknown language": ("unbekannte Sprache", "langue inconnue"),
    "[AUTH] authentication failed": ("[AUTH] Anmeldung fehlgeschlagen",
                                     "[AUTH] échec de l'authentification"),
    "[IN-USE] maildrop is locked by another session": (
        "[IN-USE] Postfach ist von einer anderen Sitzung gesperrt",
        "[IN-USE] la boîte aux lettres est verrouillée par une autre session"),
    "no such message": ("keine solche Nachricht", "message inexistant"),
    "message is deleted": ("Nachricht ist gelöscht", "le message est supprimé"),
    "[UTF8] message can only be sent after UTF8": (
        "[UTF8] Nachricht kann nur nach UTF8 gesendet werden",
        "[UTF8] le message ne peut être envoyé qu'après UTF8"),
}
# Texts with numbers: what to look for, and what comes in its place.
NUMBERED = ((rb"(\d+) messages \((\d+) octets\)",
             (rb"\1 Nachrichten (\2 Oktette)", rb"\1 messages (\2 octets)")),
            (rb"(\d+) octets", (rb"\1 Oktette", rb"\1 octets")))

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
NEEDS_UTF8 = b"-ERR [UTF8] message can only be sent after UTF8"
NO_LANGUAGE = b"-ERR unknown language"


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


def is_international(text):
    """Has the message UTF-8 in its header (RFC 6532)? Of octets whose lines end with CRLF."""
    header = top(text, 0)
    try:
        return not header.decode("utf-8").isascii()
    except UnicodeDecodeError:
        return False


def translated(reply, column):
    """A reply with the text of its first line, which is English, in another language."""
    line, end, rest = reply.partition(b"\r\n")
    status, blank, text = line.partition(b" ")
    other = TEXTS.get(text.decode("utf-8", "replace"))
    if other:
        return status + blank + other[column].encode() + end + rest
    for pattern, others in NUMBERED:
        match = re.fullmatch(pattern, text)
        if match:
            return status + blank + match.expand(others[column]) + end + rest
    return reply


class Drop:
    """One maildrop: `messages` is a list of [name, stored octets]; `locked` while it is open."""

    def __init__(self, messages=()):
        self.messages = [list(message) for message in messages]
        self.locked = False


class Session:
    """One connection. `drops` and `secrets` are keyed by user name (octets). `strict`: only after
    UTF8 messages with UTF-8 in their header; `preferred`: the language of LANG *."""

    def __init__(self, drops, secrets, strict=False, preferred=b"en"):
        self.strict = strict
        self.preferred = preferred
        self.utf8 = False
        self.column = None    # of TEXTS
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
            b"UTF8": (0, self.do_utf8), b"LANG": (None, self.do_lang),
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
        """The reply to one line, its end included, in the language that it leaves."""
        reply = self.answer(line)
        return reply if self.column is None else translated(reply, self.column)

    def answer(self, line):
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

    def do_utf8(self, rest, _):
        if rest is not None:
            return ARGUMENTS
        self.utf8 = True
        return b"+OK UTF-8 enabled"

    # -- both states

    def do_lang(self, rest, _):
        if rest is None:
            return b"+OK languages follow\r\n" + b"".join(
                b"%s %s\r\n" % (tag, name.encode()) for tag, name, _ in LANGUAGES) + b".\r\n"
        if not rest or b" " in rest:
            return ARGUMENTS
        found = self.look_up(self.preferred if rest == b"*" else rest)
        if not found:
            return NO_LANGUAGE
        tag, _, self.column = found
        # The tag is no text: it is put in front of what is translated here.
        text = "language changed" if self.column is None else \
            TEXTS["language changed"][self.column]
        return b"+OK %s %s" % (tag, text.encode())

    @staticmethod
    def look_up(wanted):
        """RFC 4647 section 3.4, of a basic language range."""
        if not re.fullmatch(rb"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", wanted):
            return None
        parts = wanted.lower().split(b"-")
        while parts:
            for row in LANGUAGES:
                if row[0] == b"-".join(parts):
                    return row
            parts.pop()
            while len(parts) > 1 and len(parts[-1]) == 1:
                parts.pop()
        return None

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

    def is_withheld(self, text):
        return self.strict and not self.utf8 and is_international(text)

    def do_retr(self, rest, _):
        if rest is None:
            return ARGUMENTS
        number, problem = self.number(rest)
        if problem:
            return problem
        text = self.texts[number - 1]
        if self.is_withheld(text):
            return NEEDS_UTF8
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
        if self.is_withheld(text):
            return NEEDS_UTF8
        return b"+OK\r\n" + stuff(top(text, min(int(lines), len(text))))
