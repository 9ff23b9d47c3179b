"""Runs one case: a session, or a delivery, and what is seen of it from outside."""

import dataclasses
import os
import subprocess
import time
import typing

from matrix_scenarios import DELIVERED, Box
from support.server import binary, environment, own, unprivileged
from support.wire import GUARD, Client, Gone, is_multiline

PASSWORD = "wonderland"
# Older than a few ticks of any file system's clock: its state has settled.
SETTLED = 0.03
IN_USE_SECONDS = 5


@dataclasses.dataclass
class Reply:
    status: str
    body: bytes = None
    cut: bool = False  # the connection ended within it

    def ok(self):
        return self.status.startswith("+OK")


@dataclasses.dataclass
class Outcome:
    replies: typing.Dict[str, Reply] = dataclasses.field(default_factory=dict)
    code: int = None              # of the delivery's process
    said: str = ""                # by it
    present: dict = None          # messages at the armed command
    records: list = ()
    hits: int = 0
    witness: str = ""             # what was wrong with another session

    def armed(self, scenario):
        return self.replies.get(scenario.armed)

    def in_short(self, scenario):
        """What another way to the same fault must come to, too."""
        return self.code if scenario.is_delivery() else self.armed(scenario)


def ask(client, command):
    """The whole reply; None: the connection is gone, so there is none."""
    try:
        status = client.command(command)
    except (Gone, ConnectionError):
        return None
    reply = Reply(status)
    if is_multiline(command.encode(), status.encode()):
        try:
            reply.body = client.body()
        except (Gone, ConnectionError):
            reply.body = bytes(client.pending)
            reply.cut = True
    return reply


class Session:
    """Logged in by login(); the lock of a session that broke off may be held a little longer."""

    def __init__(self, address, user):
        self.client = Client(address)
        self.client.ok(f"USER {user}")

    def ask(self, command):
        return ask(self.client, f"PASS {PASSWORD}" if command == "PASS" else command)

    def close(self):
        self.client.close()

    @staticmethod
    def opened(address, user):
        end = time.monotonic() + IN_USE_SECONDS
        while True:
            session = Session(address, user)
            reply = session.ask("PASS")
            if reply is not None and (reply.ok() or "[IN-USE]" not in reply.status
                                      or time.monotonic() > end):
                return session, reply
            session.close()
            if reply is None:
                return session, None
            time.sleep(0.005)


class Witness:
    """Another session of the same server: it is asked while a call fails, and must not notice."""

    def __init__(self, address, user, expected):
        self.client = Client(address)
        self.client.login(user, PASSWORD)
        self.expected = expected

    def begin(self):
        self.client.send(b"NOOP\r\nRETR 1\r\n")

    def end(self):
        """What is wrong, if anything is."""
        try:
            first = self.client.line()
            second = self.client.line()
            body = self.client.body()
        except (Gone, AssertionError, OSError) as error:
            return f"another session: {error}"
        if not first.startswith(b"+OK") or not second.startswith(b"+OK") or body != self.expected:
            return f"another session: {first!r}, {second!r}, {len(body)} octets"
        return ""

    def close(self):
        self.client.close()


class Host:
    """A server with or without the shim, and its deliveries. `arm` and `disarm` surround what is
    under test; disarm() returns records and hits. alone: the witness only speaks after that."""

    alone = False

    def __init__(self, server, library, shim):
        self.server = server
        self.library = library
        self.shim = shim
        self.indexes = None
        self.witness = None

    def watch(self, user, expected):
        self.witness = Witness(self.server.address, user, expected)

    def close(self):
        self.witness.close()

    def watched(self, box):
        return [box.home] + ([self.indexes] if self.indexes else [])

    def arm(self, box, scenario, fault):
        if self.shim:
            self.shim.arm(self.watched(box), fault, scenario.lacks)

    def disarm(self):
        return self.shim.disarm() if self.shim else ((), 0)

    def alive(self):
        return self.server.process.poll() is None

    def run_armed(self, box, scenario, fault, outcome, deed):
        """deed() with the fault and the witness's eye on it; what it returned."""
        outcome.present = box.contents()
        self.arm(box, scenario, fault)
        if not self.alone:
            self.witness.begin()
        try:
            result = deed()
        finally:
            outcome.records, outcome.hits = self.disarm()
        if self.alone:
            self.witness.begin()
        outcome.witness = self.witness.end()
        return result

    # -- sessions

    def session(self, box, scenario, fault):
        """The session of a scenario. Replies that never came are missing."""
        outcome = Outcome()
        session = Session(self.server.address, box.user)
        try:
            for command in scenario.commands:
                if command == scenario.armed:
                    if scenario.meddle:
                        scenario.meddle(box)
                        time.sleep(SETTLED)
                    reply = self.run_armed(box, scenario, fault, outcome,
                                           lambda text=command: session.ask(text))
                else:
                    reply = session.ask(command)
                if reply is None:
                    break
                outcome.replies[command] = reply
                if reply.cut or (command == "PASS" and not reply.ok()):
                    break
        finally:
            session.close()
        return outcome

    def whole_session(self, box, fetch=True):
        """A session without faults, to its end."""
        session, reply = Session.opened(self.server.address, box.user)
        try:
            replies = {"PASS": reply}
            for word in ("STAT", "LIST", "UIDL"):
                replies[word] = session.ask(word)
            if fetch:
                replies.update(self.fetch_all(session))
            replies["QUIT"] = session.ask("QUIT")
            return replies
        finally:
            session.close()

    @staticmethod
    def fetch_all(session):
        status = session.ask("STAT")
        count = int(status.status.split()[1]) if status is not None and status.ok() else 0
        return {f"RETR {number}": session.ask(f"RETR {number}") for number in range(1, count + 1)}

    # -- deliveries

    def deliver_command(self, box, scenario):
        account = unprivileged()
        passwd, root = self.server.passwd_path, self.server.mail
        if scenario.nested:
            passwd, root = passwd + ".nested", box.home
        words = [binary(), "deliver", "--passwd", passwd, "--maildir", root]
        return words + (["--user", account.pw_name] if account else []) + [box.user]

    def deliver(self, box, scenario, prefix=()):
        """One delivery: exit code and what it said."""
        with open(box.stdin, "wb") as file:
            file.write(DELIVERED)
        env = self.shim.environment(self.library) if self.shim else {}
        with open(box.stdin, "rb") as stdin:
            done = subprocess.run([*prefix, *self.deliver_command(box, scenario)], stdin=stdin,
                                  capture_output=True, env=environment(env), timeout=GUARD,
                                  check=False)
        return done.returncode, done.stderr.decode("utf-8", "replace")

    def delivery(self, box, scenario, fault, prefix=()):
        outcome = Outcome()
        outcome.code, outcome.said = self.run_armed(
            box, scenario, fault, outcome, lambda: self.deliver(box, scenario, prefix))
        return outcome

    # -- both

    def prepare(self, box, scenario):
        """All that comes before, without faults."""
        if scenario.earlier:
            self.whole_session(box, fetch=False)
        if scenario.change:
            scenario.change(box)
            own(box.home)
            time.sleep(SETTLED)

    def run(self, box, scenario, fault=None):
        self.prepare(box, scenario)
        if scenario.is_delivery():
            return self.delivery(box, scenario, fault)
        return self.session(box, scenario, fault)


class Boxes:
    """Homes for the cases to come, made some at a time so that they have settled when they are
    used. Each user name is used once."""

    BATCH = 20

    def __init__(self, folder, names, nested):
        self.folder = folder
        self.names = {False: iter(names), True: iter(nested)}
        self.ready = {}

    def take(self, scenario):
        kind = (scenario.make, scenario.nested)
        if not self.ready.get(kind):
            self.ready[kind] = [self.make(scenario) for _ in range(self.BATCH)]
            time.sleep(SETTLED)
        return self.ready[kind].pop()

    def make(self, scenario):
        user = next(self.names[scenario.nested])
        box = Box(os.path.join(self.folder, user), user, user if scenario.nested else "")
        scenario.make(box)
        own(box.home)
        return box
