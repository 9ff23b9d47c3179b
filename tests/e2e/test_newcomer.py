"""Somebody who has just cloned this: scripts/run in a fresh copy of the tracked files, as root
below a folder of mode 0700 and as a normal user, built from nothing.

The copy is built once (by the first start) and handed on, since building is not what differs."""

import glob
import hashlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from support import messages
from support.case import TestCase
from support.server import ROOT, environment
from support.wire import GUARD, Client

BUILD_GUARD = 900  # seconds: packages, if they are missing, and a build from nothing
USER = pwd.getpwnam(os.environ.get("POP3_TEST_USER", "nobody"))


def tracked_files():
    """Paths of the tracked files below ROOT; all but hidden ones and builds without git."""
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z"],
                          capture_output=True, check=False)
    if done.returncode == 0 and done.stdout:
        return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
    return [os.path.relpath(path, ROOT)
            for path in glob.glob(ROOT + "/**", recursive=True, include_hidden=True)
            if os.path.isfile(path) and "/build" not in path[len(ROOT):]]


def copy_tree(clone):
    for name in tracked_files():
        source, target = os.path.join(ROOT, name), os.path.join(clone, name)
        if os.path.lexists(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def fingerprint(folder):
    """Names and contents of all files below a folder, as one number."""
    total = hashlib.sha256()
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                total.update(os.fsencode(path) + b"\0" + file.read() + b"\0")
    return total.hexdigest()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def descendants(pid):
    """The pids of a process and of all below it."""
    parents = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                fields = file.read()
            parents[int(path.split("/")[2])] = int(fields.rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found


class Run:
    """One scripts/run in a clone: started, watched, ended as Ctrl-C ends it."""

    def __init__(self, clone, output, uid=None, env=None):
        self.output = output
        self.clone = clone
        self.port = free_port()
        words = [os.path.join(clone, "scripts", "run")]
        if uid is not None and os.geteuid() == 0:
            words = ["setpriv", f"--reuid={uid}", f"--regid={USER.pw_gid}", "--clear-groups",
                     "--inh-caps=-all", *words]
        variables = {"PORT": str(self.port), "HOME": os.path.dirname(clone),
                     "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        variables.update(env or {})
        base = {name: value for name, value in environment().items()
                if not name.startswith("POP3_") and name not in ("BUILD", "MAKEFLAGS", "MFLAGS")}
        with open(output, "wb") as file:
            self.process = subprocess.Popen(
                words, cwd="/", env={**base, **variables}, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, start_new_session=True,
                # A shell's background job has SIGINT ignored, and a script could not undo that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def text(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_until_it_serves(self):
        end = time.monotonic() + BUILD_GUARD
        while True:
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"scripts/run ended ({self.process.poll()}) or hangs:\n"
                                     + self.text()[-3000:])
            try:
                Client(("127.0.0.1", self.port)).quit()
                return self
            except OSError:
                time.sleep(0.05)

    def working_copy(self):
        """The folder it printed that holds the mail it serves. It may print it a little after
        the port answers."""
        end = time.monotonic() + GUARD
        while time.monotonic() < end:
            path = self.printed_folder()
            if path:
                return path
            time.sleep(0.05)
        raise AssertionError("no path of a working copy in:\n" + self.text())

    def printed_folder(self):
        for word in re.findall(r"/[^\s'\"`,;:()]+", self.text()):
            word = word.rstrip(".")
            for path in (word, os.path.join(word, "maildir"), os.path.join(word, "mail")):
                if os.path.isdir(os.path.join(path, "alice", "Maildir")):
                    return path
        return None

    def server_pids(self):
        found = []
        for pid in descendants(self.process.pid):
            with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                if file.read().strip() == "pop3-emitter":
                    found.append(pid)
        return found

    def interrupt(self):
        """Ctrl-C: SIGINT for the whole group, which is the one started here."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(GUARD)

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Newcomer(TestCase):
    built = None  # a clone that was built by scripts/run as root or as the user

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="pop3-newcomer-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        os.chmod(cls.folder, 0o711)
        cls.as_root = os.geteuid() == 0

    def clone(self, name, uid=None):
        """A copy of the tree below a folder of mode 0700 that belongs to uid."""
        outer = os.path.join(self.folder, name)
        clone = os.path.join(outer, "pop3-emitter")
        if os.path.isdir(clone):
            return clone
        os.mkdir(outer, 0o700)
        os.mkdir(clone)
        if Newcomer.built:
            shutil.copytree(Newcomer.built, clone, symlinks=True, dirs_exist_ok=True)
        else:
            copy_tree(clone)
        if uid is not None and self.as_root:
            for place, folders, names in os.walk(outer):
                for entry in [place] + [os.path.join(place, name) for name in folders + names]:
                    os.lchown(entry, uid, USER.pw_gid)
        return clone

    def start(self, clone, uid=None, env=None, wait=True):
        output = os.path.join(self.folder, f"output-{time.monotonic_ns()}")
        run = Run(clone, output, uid, env)
        self.addCleanup(run.end)
        if wait:
            run.wait_until_it_serves()
            Newcomer.built = Newcomer.built or clone
        return run

    def newcomer_reads_the_mail(self, name, uid):
        clone = self.clone(name, uid)
        before = fingerprint(os.path.join(clone, "maildir"))
        run = self.start(clone, uid)
        copy = run.working_copy()
        self.assertFalse(os.path.realpath(copy).startswith(os.path.realpath(clone) + "/"), copy)
        self.assertIn("curl", run.text(), "it says what to type next")
        self.first_message_by_curl(run, clone)
        self.both_users_by_password(run)
        self.assertTrue(run.server_pids(), "no server process found")
        for pid in run.server_pids():
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                uids = re.search(r"(?m)^Uid:\s+(.*)$", file.read()).group(1).split()
            self.assertNotIn("0", uids, "the server runs as root")
        with Client(("127.0.0.1", run.port)) as client:
            client.login()
            client.ok("DELE 1")
            self.assertEqual("+OK bye", client.quit())
        self.assertEqual(7, len([name for name in messages.files(os.path.join(
            copy, "alice", "Maildir")) if not name.startswith(".")]))
        self.assertEqual(before, fingerprint(os.path.join(clone, "maildir")), "DELE hit the clone")
        run.interrupt()
        self.assertFalse(os.path.exists(copy), "the working copy is still there")
        self.count(8)

    def first_message_by_curl(self, run, clone):
        path, = glob.glob(os.path.join(clone, "maildir/alice/Maildir/new/1700000001.*"))
        with open(path, "rb") as file:
            wanted = messages.repaired(file.read())
        done = subprocess.run(["curl", "-sS", "-q", "-u", "alice:wonderland",
                               f"pop3://127.0.0.1:{run.port}/1"],
                              capture_output=True, timeout=GUARD, check=False)
        self.assertEqual((0, wanted), (done.returncode, done.stdout), done.stderr)

    def both_users_by_password(self, run):
        for user, secret, number in (("alice", "wonderland", 8), ("bob", "builder", 3)):
            with Client(("127.0.0.1", run.port)) as client:
                client.login(user, secret)
                self.assertRegex(client.ok("STAT"), rf"^\+OK {number} \d+$")
                client.quit()

    def test_root_runs_it_below_a_private_folder(self):
        if not self.as_root:
            self.skipTest("needs root")
        self.newcomer_reads_the_mail("root", None)

    def test_normal_user_runs_it(self):
        self.newcomer_reads_the_mail("user", USER.pw_uid)

    def test_each_start_has_a_fresh_copy(self):
        clone = self.clone("user", USER.pw_uid)
        for _ in range(2):
            run = self.start(clone, USER.pw_uid)
            with Client(("127.0.0.1", run.port)) as client:
                client.login()
                self.assertRegex(client.ok("STAT"), r"^\+OK 8 ")
                for number in range(1, 9):
                    client.ok(f"DELE {number}")
                self.assertEqual("+OK bye", client.quit())
            run.interrupt()
            self.count()

    def test_busy_port_is_a_clear_message_and_leaves_no_copy(self):
        clone = self.clone("user", USER.pw_uid)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            place = os.path.join(self.folder, "tmp")
            os.makedirs(place, exist_ok=True)
            os.chmod(place, 0o1777)
            run = self.start(clone, USER.pw_uid, {"PORT": str(port), "TMPDIR": place}, wait=False)
            code = run.process.wait(BUILD_GUARD)
        self.assertNotEqual(0, code)
        self.assertRegex(run.text(), rf"(?s){port}.*in use|in use.*{port}|busy")
        self.assertIn("PORT=", run.text(), "it says how to choose another")
        self.assertEqual([], os.listdir(place))

    def test_port_that_is_none_is_refused_without_advice_to_take_the_next(self):
        clone = self.clone("user", USER.pw_uid)
        for port in ("99999", "100000", "pop3"):
            run = self.start(clone, USER.pw_uid, {"PORT": port}, wait=False)
            self.assertEqual(64, run.process.wait(BUILD_GUARD), run.text())
            self.assertNotIn("PORT=", run.text())
            self.count()

    def test_secrets_of_the_sample_users_are_yescrypt(self):
        clone = self.clone("user", USER.pw_uid)
        run = self.start(clone, USER.pw_uid)
        copy = run.working_copy()
        found = []
        for place in (os.path.dirname(copy), copy, os.path.join(clone, "etc")):
            for path in filter(os.path.isfile, glob.glob(place + "/*passwd*")):
                with open(path, encoding="utf-8") as file:
                    found += re.findall(r"(?m)^((?:alice|bob):.*)$", file.read())
        run.interrupt()
        self.assertGreaterEqual(len(found), 2, "no passwd file found")
        for line in found:
            self.assertRegex(line, r"^\w+:(\{[A-Z-]+\})?\$y\$")

    def test_missing_tools_without_sudo_are_named(self):
        """A PATH with everything but the tools to build, and a package manager that knows of
        nothing installed: whichever way scripts/run looks, it finds something missing."""
        clone = self.clone("bare", USER.pw_uid)
        shadow = os.path.join(self.folder, "bin")
        os.mkdir(shadow)
        hidden = {"sudo", "make", "cc", "gcc", "clang", "pkg-config", "pkgconf", "c99", "c89",
                  "dpkg", "dpkg-query"}
        for place in ("/usr/bin", "/usr/sbin"):
            for name in os.listdir(place):
                if name not in hidden and not os.path.lexists(os.path.join(shadow, name)):
                    os.symlink(os.path.join(place, name), os.path.join(shadow, name))
        for name in ("dpkg", "dpkg-query"):
            with open(os.path.join(shadow, name), "w", encoding="ascii") as file:
                file.write("#!/bin/sh\nexit 1\n")
            os.chmod(os.path.join(shadow, name), 0o755)
        run = self.start(clone, USER.pw_uid, {"PATH": shadow}, wait=False)
        self.assertNotEqual(0, run.process.wait(BUILD_GUARD))
        self.assertRegex(run.text(), r"apt(-get)? install\b.*\b(gcc|make|lib\w+-dev)")
        self.assertNotIn("not found", run.text())
