"""TestCase for all Python tests: servers that are stopped and judged at the end, temporary
folders, cases counted, log lines expected.

A server that ended badly, or wrote a sanitizer report, or logged an error nobody expected, fails
the test that started it."""

import contextlib
import os
import shutil
import tempfile
import time
import unittest

from support.server import Server, unprivileged
from support.wire import GUARD, Client


class TestCase(unittest.TestCase):
    maxDiff = 4000
    cases = 0

    def count(self, cases=1):
        """Adds to the number of cases this test covered (the results count 1 if never called)."""
        self.cases += cases

    def temporary(self, prefix="pop3-test-", in_memory=False):
        """A new folder, removed at the end; as root it belongs to the account that serves.
        in_memory: on a tmpfs, if there is one."""
        memory = "/dev/shm" if in_memory and os.access("/dev/shm", os.W_OK) else None
        path = tempfile.mkdtemp(prefix=prefix, dir=memory)
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        os.chmod(path, 0o755)
        account = unprivileged()
        if account:
            os.chown(path, account.pw_uid, account.pw_gid)
        return path

    def cannot(self, reason):
        """Ends a test that cannot be run on this machine: that is told, and is no failure. What
        could be installed or started is no reason."""
        self.unable = True
        self.skipTest(reason)

    # -- servers

    def server(self, *arguments, listeners=None, **options):
        """Starts a Server (see there) and stops and judges it at the end of the test. listeners: how
        many there will be, if not one for each of `listen`."""
        server = Server(self.temporary(), *arguments, **options)
        self.addCleanup(self.judge, server)
        server.start(listeners)
        return server

    def dev(self, *arguments, **options):
        """`pop3-emitter dev` with these arguments; port 0 unless they say otherwise."""
        server = Server(self.temporary(), *arguments, subcommand="dev", listen=(), users={},
                        **options)
        self.addCleanup(self.judge, server)
        return server.start(1)

    def judge(self, server):
        server.stop()
        problems = server.problems()
        if problems:
            self.fail("\n".join(problems) + "\nlog:\n" + server.log_text())

    def client(self, server, login=None, **options):
        """A raw connection, closed at the end; login: a user name to log in with."""
        client = Client(server.address, **options)
        self.addCleanup(client.close)
        if login:
            client.login(login, server.users[login])
        return client

    def assert_exit(self, done, code, *patterns):
        """A finished program: its exit code, and patterns that what it printed must match."""
        text = (done.stdout + done.stderr).decode("utf-8", "replace")
        codes = code if isinstance(code, (tuple, set)) else (code,)
        self.assertIn(done.returncode, codes, text)
        for pattern in filter(None, patterns):
            self.assertRegex(text, pattern)
        return text

    # -- logs

    def assert_log(self, pattern, server):
        """Waits until the log has a line that matches; that line counts as expected.
        Returns the match."""
        match = server.wait_for_log(pattern)
        if not match:
            self.fail(f"no log line matches {pattern!r}; log:\n{server.log_text()}")
        return match

    # -- leaks

    @contextlib.contextmanager
    def no_descriptor_leak(self, server):
        """The server has as many descriptors after the block as before it. Closing happens a
        little after the client saw the end, so the count gets time to come down."""
        before = server.descriptors()
        yield
        self.wait_until(lambda: server.descriptors() <= before,
                        lambda: f"descriptors: {before} before, {server.descriptors()} after")

    def wait_until(self, condition, otherwise="condition not met", guard=GUARD / 4):
        """Waits for something that happens soon; the guard only ends a hang."""
        end = time.monotonic() + guard
        while not condition():
            if time.monotonic() > end:
                self.fail(otherwise() if callable(otherwise) else otherwise)
            time.sleep(0.01)
