"""Starts the program under test on a free port with maildirs of its own, and collects its log.

As root the server is told to drop to an unprivileged account, to which the maildirs belong; as a
normal user it runs as that user. Only processes started here are signalled, by their pid."""

import json
import os
import pwd
import re
import select
import shlex
import signal
import subprocess
import time

from support import messages
from support.wire import GUARD

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|WARNING: (Thread|Memory)Sanitizer"
                       r"|runtime error:|Assertion .* failed|==\d+== .*definitely lost: [1-9]")
# Lines that mean trouble unless the test expected them, in both log formats.
TROUBLE = re.compile(r'\blevel"?[=:]\s*"?(error|warning)\b')


def binary():
    """The absolute path of the program under test."""
    build = os.path.join(ROOT, os.environ.get("BUILD", "build"))
    return os.path.abspath(os.environ.get("POP3_EMITTER", os.path.join(build, "pop3-emitter")))


def command(*arguments):
    """The command line of the program, under POP3_WRAPPER (valgrind, say) if that is set."""
    wrapper = shlex.split(os.environ.get("POP3_WRAPPER", ""))
    return [*wrapper, binary(), *map(str, arguments)]


def environment(extra=None):
    """The test's environment without settings of the program that the caller may have set."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("POP3_EMITTER")}
    kept.update(extra or {})
    return kept


def unprivileged():
    """As root the account to serve as (POP3_TEST_USER, default nobody), else None."""
    if os.geteuid() != 0:
        return None
    return pwd.getpwnam(os.environ.get("POP3_TEST_USER", "nobody"))


def own(path):
    """Gives a tree to the account that serves, as root; links themselves, not their targets."""
    account = unprivileged()
    if not account:
        return
    os.lchown(path, account.pw_uid, account.pw_gid)
    for folder, folders, names in os.walk(path):
        for name in folders + names:
            os.lchown(os.path.join(folder, name), account.pw_uid, account.pw_gid)


def run(*arguments, stdin=b"", env=None, **options):
    """Runs the program to its end: CompletedProcess with octets in stdout and stderr."""
    return subprocess.run(command(*arguments), input=stdin, capture_output=True,
                          env=environment(env), timeout=GUARD * 4, check=False, **options)


class Server:
    """`pop3-emitter serve` (or dev) with a folder of its own:

    folder/mail/<user>/Maildir   the maildrops; box(user) is the path
    folder/passwd                {PLAIN} entries of `users`, or `passwd` verbatim
    folder/log                   stderr

    arguments: further command line arguments. config: text of a configuration file. listen:
    addresses; address is the first that came up. start() may be called again after stop()."""

    def __init__(self, folder, *arguments, users=None, passwd=None, config=None, env=None,
                 listen=("127.0.0.1:0",), subcommand="serve", user=True, stdin=None,
                 maildirs=True, plain=False, patient=True):
        self.folder = folder
        self.users = {"alice": "wonderland", "bob": "builder"} if users is None else users
        self.arguments = arguments
        self.env = env
        self.listen = listen
        self.subcommand = subcommand
        self.user = user            # add --user when root; False: the test says it itself
        self.plain = plain          # nothing but `arguments` on the command line
        self.patient = patient      # with a client that makes mistakes
        self.stdin = stdin
        self.passwd_path = os.path.join(folder, "passwd")
        self.log_path = os.path.join(folder, "log")
        self.config_path = None
        self.mail = os.path.join(folder, "mail")
        self.process = None
        self.expected = []
        self.expected_exit = 0
        self.write_passwd(passwd)
        if config is not None:
            self.config_path = os.path.join(folder, "config")
            self.write(self.config_path, config)
        os.makedirs(self.mail, exist_ok=True)
        for name in self.users if maildirs else ():
            messages.make_maildir(self.home(name))
        own(self.mail)

    # -- files

    def write(self, path, text):
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        own(path)

    def write_passwd(self, text=None):
        if text is None:
            text = "".join(f"{name}:{{PLAIN}}{secret}::::{self.home(name)}::\n"
                           for name, secret in self.users.items())
        self.write(self.passwd_path, text)

    def home(self, user="alice"):
        return os.path.join(self.mail, user)

    def box(self, user="alice"):
        return os.path.join(self.home(user), "Maildir")

    def plant(self, data, user="alice", **options):
        """Writes messages into the maildrop of user; returns their paths."""
        paths = messages.plant(self.box(user), data, **options)
        for path in paths:
            own(path)
        return paths

    # -- the process

    def command(self):
        if self.plain:
            return command(self.subcommand, *self.arguments)
        words = [self.subcommand]
        if self.subcommand == "serve":
            words += ["-c", self.config_path] if self.config_path else []
            words += ["--passwd", self.passwd_path, "--maildir", self.mail]
            account = unprivileged()
            words += ["--user", account.pw_name] if account and self.user else []
        for address in self.listen:
            words += ["--listen", address]
        if self.patient:
            words += ["--max-failed-logins", "1000", "--max-bad-commands", "100000"]
        return command(*words, *self.arguments)

    def popen(self, log):
        return subprocess.Popen(
            self.command(), stdin=self.stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=log, env=environment(self.env), cwd="/")

    def start(self, listeners=None):
        """Starts it and waits for its ready lines (one a listener)."""
        self.ready = []
        self.unread = b""
        with open(self.log_path, "ab") as log:
            self.process = self.popen(log)
        for _ in range(len(self.listen) if listeners is None else listeners):
            line = self.output_line()
            if line is None:
                raise AssertionError(f"no ready line; exit code {self.wait()}; log:\n"
                                     + self.log_text())
            self.ready.append(line)
        self.addresses = [parsed for parsed in map(parse_ready, self.ready) if parsed]
        self.address = self.addresses[0] if self.addresses else None
        return self

    @property
    def pid(self):
        return self.process.pid

    @property
    def host(self):
        return self.address[0]

    @property
    def port(self):
        return self.address[1]

    def output_line(self, guard=GUARD):
        """The next line of stdout, None at its end."""
        end = time.monotonic() + guard
        while b"\n" not in self.unread:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError("hang: no line on stdout; log:\n" + self.log_text())
            data = os.read(self.process.stdout.fileno(), 4096)
            if not data:
                return None
            self.unread += data
        line, _, self.unread = self.unread.partition(b"\n")
        return line.decode()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, guard=GUARD):
        return self.process.wait(guard)

    def stop(self):
        """SIGTERM and wait; a server that does not end in time is killed, which is a failure."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GUARD)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def problems(self):
        """What went wrong in a server that has been stopped: texts, none if all is well."""
        found = []
        if self.process is not None and self.process.returncode != self.expected_exit:
            found.append(f"the server ended with {self.process.returncode}")
        text = self.log_text()
        if SANITIZER.search(text):
            found.append("a sanitizer or an assertion reported")
        for line in text.splitlines():
            if TROUBLE.search(line) and not any(re.search(p, line) for p in self.expected):
                found.append("unexpected log line: " + line)
        return found

    # -- the log

    def log_text(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def log_lines(self):
        return self.log_text().splitlines()

    def expect_log(self, pattern):
        """A line that matches is no failure, whether it comes or not."""
        self.expected.append(pattern)

    def wait_for_log(self, pattern, guard=GUARD / 4):
        """The match in the first line that matches, waiting for it; None if it never comes."""
        self.expect_log(pattern)
        end = time.monotonic() + guard
        while True:
            for line in self.log_lines():
                match = re.search(pattern, line)
                if match:
                    return match
            if time.monotonic() > end:
                return None
            time.sleep(0.01)

    # -- /proc

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def private_kib(self):
        """Private memory in KiB. Clean pages are those of files, which are private as soon as the
        last other process has left that has them, too."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("Private_Dirty:"))

    def cpu_seconds(self):
        """Time of the processor that it has used up to now."""
        with open(f"/proc/{self.pid}/stat", encoding="latin-1") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def status(self, field):
        """Words of a line of /proc/PID/status, such as Uid or Groups."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return line.split()[1:]
        return None

    def terminate(self):
        self.signal(signal.SIGTERM)


def parse_ready(line):
    """`listening pop3 127.0.0.1:41873` as (host, port), `listening unix /path` as the path; also
    the JSON form that `dev --json` prints."""
    if line.startswith("{"):
        fields = json.loads(line)
        return fields["address"], fields["port"]
    match = re.fullmatch(r"listening pop3s? \[?([0-9a-f.:]+?)\]?:(\d+)", line)
    if match:
        return match.group(1), int(match.group(2))
    match = re.fullmatch(r"listening unix (/.*)", line)
    return match.group(1) if match else None
