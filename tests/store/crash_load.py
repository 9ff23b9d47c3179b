"""Sessions that delete mail and deliveries that bring new, until everything is killed or for as
long as wanted; all may be stopped for a while, at any moment. What it is told goes into the
promises."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time

from promises import GONE, KEPT, LEAVING, digest
from support.server import command, environment, unprivileged
from support.wire import GUARD, Client, Gone

MESSAGES_MAX = 12  # of a user, then deliveries wait
IN_USE = "-ERR [IN-USE]"


def delivery(server, user):
    """The command line that delivers to a user of this server."""
    account = unprivileged()
    words = ["deliver", "--passwd", server.passwd_path, "--maildir", server.mail]
    return command(*words, *(["--user", account.pw_name] if account else []), user)


def stopped(pid):
    """Are all threads of a process at rest? One inside of fsync(2) first comes to its end."""
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/stat", encoding="latin-1") as file:
                if file.read().rpartition(")")[2].split()[0] not in "TtZX":
                    return False
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has ended
    return True


class Processes:
    """The server and the deliveries under way: all that can write to the maildrops."""

    def __init__(self, server, env=None):
        self.server = server
        self.env = environment(env)
        self.gate = threading.Lock()  # held while nothing new may start
        self.deliveries = set()
        self.killed = False

    def deliver(self, user, data):
        """Begins to deliver: a process for ended(). None: all has been killed."""
        with self.gate:
            if self.killed:
                return None
            process = subprocess.Popen(delivery(self.server, user), stdin=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=self.env)
            self.deliveries.add(process)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(data)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        return process

    def ended(self, process):
        """Its exit code, and what it said."""
        said = process.stderr.read()
        code = process.wait(GUARD)
        process.stderr.close()
        with self.gate:
            self.deliveries.discard(process)
        return code, said

    def all(self):
        return [process for process in (self.server.process, *self.deliveries) if process]

    @contextlib.contextmanager
    def frozen(self):
        """Nothing writes during the block."""
        with self.gate:
            for process in self.all():
                process.send_signal(signal.SIGSTOP)
            try:
                end = time.monotonic() + GUARD
                while not all(stopped(process.pid) for process in self.all()):
                    if time.monotonic() > end:
                        raise AssertionError("a process does not stop")
                yield
            finally:
                for process in self.all():
                    process.send_signal(signal.SIGCONT)

    def kill(self):
        """Ends them all in the middle of what they do, and lets nothing new start."""
        with self.gate:
            self.killed = True
            for process in self.all():
                process.kill()
        self.server.wait()
        self.server.process.stdout.close()


class Load:
    """A session at a time for each of the users, and some deliveries at once to all of them."""

    def __init__(self, server, promises, seed, users=None, sessions=True, deliveries=2,
                 processes=None):
        self.server = server
        self.promises = promises
        self.processes = processes or Processes(server)
        self.over = threading.Event()
        self.problems = []
        rng = random.Random(seed)
        self.users = sorted(users or server.users)
        work = [(self.deliver_on, None)] * deliveries
        work += [(self.read_on, user) for user in self.users if sessions]
        self.threads = [threading.Thread(target=self.run, daemon=True,
                                         args=(what, random.Random(rng.random()), user))
                        for what, user in work]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(GUARD)

    def kill(self):
        self.over.set()
        self.processes.kill()
        for thread in self.threads:
            thread.join(GUARD)

    def run(self, what, rng, user):
        while not self.over.is_set():
            try:
                what(rng, user)
            except (OSError, Gone) as error:
                # The server may just have been killed; else it should not hang up.
                if not self.over.wait(0.5):
                    self.problems.append(f"{user}: {error!r}")
                    return
            except AssertionError as error:
                self.problems.append(f"{user}: {error}")
                return

    # -- deliveries

    def deliver_on(self, rng, _):
        user = rng.choice(self.users)
        if self.promises.count(user) >= MESSAGES_MAX:
            self.over.wait(0.002)
            return
        key, data = self.promises.new(user)
        process = self.processes.deliver(user, data)
        if process is None:
            self.promises.forget(key)
            return
        code, said = self.processes.ended(process)
        if code == 0:
            self.promises.note([key], KEPT)
        elif code != -signal.SIGKILL:
            self.problems.append(f"deliver {user}: exit {code}: {said}")

    # -- sessions

    def read_on(self, rng, user):
        with Client(self.server.address) as client:
            client.ok(f"USER {user}")
            answer = client.command(f"PASS {self.server.users[user]}")
            if answer.startswith(IN_USE):
                return  # the last session hung up, and the server has not seen that yet
            if not answer.startswith("+OK"):
                raise AssertionError(f"PASS: {answer}")
            self.read(client, rng, user)

    def read(self, client, rng, user):
        """Reads some messages and deletes some of these, or hangs up instead, which deletes
        nothing."""
        marked = []
        for number in range(1, int(client.ok("STAT").split()[1]) + 1):
            if rng.random() < 0.3:
                continue
            lines = client.lines(f"RETR {number}")
            key = digest("".join(line + "\n" for line in lines).encode("latin-1"))
            if not self.promises.known(user, key):
                raise AssertionError(f"message {number} of {user} is damaged")
            if rng.random() < 0.6:
                client.ok(f"DELE {number}")
                marked.append(key)
        if rng.random() < 0.2:
            return
        self.promises.note(marked, LEAVING)
        client.ok("QUIT")
        self.promises.note(marked, GONE)


def plant(server, promises, user, count, seen=False):
    """Files in new/ or cur/, known to the promises as kept; their digests."""
    planted = [promises.new(user, KEPT) for _ in range(count)]
    first = promises.next - count
    server.plant([data for _, data in planted], user=user, first=first,
                 folder="cur" if seen else "new")
    return [key for key, _ in planted]

