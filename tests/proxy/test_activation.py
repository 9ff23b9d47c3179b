"""Sockets that a service manager has bound, and what it is told: the protocols of systemd without
systemd. The launcher does what systemd does before it executes a service."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

from support.case import TestCase
from support.server import Server, environment
from support.tls import Authority, TlsClient
from support.wire import GUARD, Client

# argv: descriptors with commas between, names, the program. They become 3, 4, ...
LAUNCHER = """
import fcntl, os, sys
given = [int(number) for number in sys.argv[1].split(",")]
# Out of the way first: one may stand where another one has to go.
moved = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 100) for number in given]
for place, number in enumerate(moved, 3):
    os.dup2(number, place, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(given))
if sys.argv[2] != "-":
    os.environ["LISTEN_FDNAMES"] = sys.argv[2]
os.execv(sys.argv[3], sys.argv[3:])
"""


class Activated(Server):
    """A server that is started with sockets: (socket, name) each."""

    sockets = ()
    names = None

    def popen(self, log):
        numbers = [given.fileno() for given, _ in self.sockets]
        names = ":".join(name for _, name in self.sockets) if self.names is None else self.names
        return subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, ",".join(map(str, numbers)), names, *self.command()],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, pass_fds=numbers,
            env=environment(self.env), cwd="/")


class ActivationCase(TestCase):
    def listener(self, **options):
        made = socket.create_server(("127.0.0.1", 0), **options)
        self.addCleanup(made.close)
        return made

    def activated(self, *sockets, arguments=(), names=None):
        """Not started."""
        server = Activated(self.temporary(), *arguments, listen=())
        server.sockets = sockets
        server.names = names
        self.addCleanup(self.judge, server)
        return server

    def fails(self, pattern, *sockets, code=78, **options):
        server = self.activated(*sockets, **options)
        server.expected_exit = code
        with open(server.log_path, "ab") as log:
            server.process = server.popen(log)
        self.assertEqual(server.wait(), code)
        self.assertRegex(server.log_text(), pattern)
        self.count()


class Activation(ActivationCase):
    def test_passed_sockets_take_the_place_of_the_addresses(self):
        plain, first, path = self.listener(), self.listener(), self.temporary() + "/socket"
        ca = Authority(self.temporary())
        cert, key = ca.issue("localhost")
        local = socket.socket(socket.AF_UNIX)
        self.addCleanup(local.close)
        local.bind(path)
        os.chmod(path, 0o666)
        local.listen()
        server = self.activated((plain, "pop3"), (first, "pop3s"), (local, "pop3"), arguments=(
            "--listen", "192.0.2.1:110", "--cert", cert, "--key", key))
        server.start(3)
        self.assertEqual(server.ready, [
            "listening pop3 127.0.0.1:%d" % plain.getsockname()[1],
            "listening pop3s 127.0.0.1:%d" % first.getsockname()[1], "listening unix " + path])
        for address in (plain.getsockname(), path):
            with Client(address) as client:
                client.login("alice", server.users["alice"])
                client.quit()
        with TlsClient(first.getsockname(), ca.context()) as client:
            client.login("alice", server.users["alice"])
            client.quit()
        server.stop()
        self.assertTrue(os.path.exists(path), "the socket's file is the manager's")

    def test_connections_wait_in_the_socket_while_the_server_is_restarted(self):
        plain = self.listener()
        server = self.activated((plain, "pop3"))
        server.start(1)
        server.stop()
        early = Client(plain.getsockname(), greet=False)
        self.addCleanup(early.close)
        server.start(1)
        self.assertTrue(early.line().startswith(b"+OK"))
        early.quit()

    def test_passed_descriptors_do_not_block_and_are_closed_in_children(self):
        server = self.activated((self.listener(), "pop3"))
        server.start(1)
        with open(f"/proc/{server.pid}/fdinfo/3", encoding="ascii") as file:
            flags = int(re.search(r"flags:\s*(\d+)", file.read()).group(1), 8)
        self.assertTrue(flags & os.O_CLOEXEC)
        self.assertTrue(flags & os.O_NONBLOCK)

    def test_without_names_all_are_plain(self):
        plain = self.listener()
        server = self.activated((plain, ""), names="-")
        server.start(1)
        Client(plain.getsockname()).close()

    def test_variables_for_another_process_mean_nothing(self):
        server = self.server(env={"LISTEN_PID": "1", "LISTEN_FDS": "99"})
        self.client(server).quit()

    def test_what_is_no_listening_socket_is_refused(self):
        idle = socket.socket()
        datagrams = socket.socket(type=socket.SOCK_DGRAM)
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, write_end)
        for made in (idle, datagrams):
            made.bind(("127.0.0.1", 0))
            self.addCleanup(made.close)
        with open(read_end, "rb") as pipe:
            self.fails("descriptor 3: Socket operation on non-socket", (pipe, "pop3"))
        for made in (idle, datagrams):
            self.fails(r"descriptor 4 \(pop3\): no stream socket that listens",
                       (self.listener(), "pop3"), (made, "pop3"))
        self.fails('descriptor 3 is named "smtp"; name it pop3', (self.listener(), "smtp"))
        self.fails(r"descriptor 3 \(pop3s\): .*no cert and key", (self.listener(), "pop3s"))

    def test_open_address_needs_protection_like_a_configured_one(self):
        everywhere = socket.create_server(("0.0.0.0", 0))
        self.addCleanup(everywhere.close)
        self.fails(r"listen 0\.0\.0\.0:\d+: is not loopback", (everywhere, "pop3"))
        server = self.activated((everywhere, "pop3"), arguments=("--allow-plaintext", "yes"))
        server.start(1)


class Manager:
    """The end of NOTIFY_SOCKET that systemd holds."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(GUARD)
        self.socket.bind(address)

    def told(self):
        lines = self.socket.recv(4096).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)


class Notification(TestCase):
    def life(self, address, variable):
        manager = Manager(address)
        self.addCleanup(manager.socket.close)
        if not address.startswith("\0"):
            os.chmod(address, 0o777)
        server = self.server(env={"NOTIFY_SOCKET": variable}, config="idle_timeout = 600\n")
        self.assertEqual(manager.told(), {"READY": "1", "STATUS": "serving"})
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        server.signal(signal.SIGHUP)
        told = manager.told()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.assertEqual(told["RELOADING"], "1")
        self.assertTrue(before <= int(told["MONOTONIC_USEC"]) <= after, told)
        self.assertEqual(manager.told(), {"READY": "1", "STATUS": "serving"})
        server.write(server.config_path, "nonsense\n")
        server.signal(signal.SIGHUP)
        self.assertEqual(manager.told()["RELOADING"], "1")
        self.assertEqual(manager.told(), {"READY": "1",
                                          "STATUS": "serving; the last reload was refused"})
        self.assert_log("event=reload .*config:1", server)
        server.signal(signal.SIGTERM)
        self.assertEqual(manager.told()["STOPPING"], "1")
        self.assertEqual(server.wait(), 0)

    def test_manager_is_told_of_start_reload_and_end_at_a_path(self):
        path = self.temporary() + "/notify"
        self.life(path, path)

    def test_manager_is_told_of_start_reload_and_end_at_an_abstract_name(self):
        name = f"pop3-emitter-test-{os.getpid()}"
        self.life("\0" + name, "@" + name)

    def test_nobody_there_is_no_hindrance(self):
        server = self.server(env={"NOTIFY_SOCKET": "/nowhere/at/all"})
        self.client(server).quit()

    def test_what_is_no_address_is_told_and_is_no_hindrance(self):
        server = self.server(env={"NOTIFY_SOCKET": "vsock:2:1234"})
        self.client(server).quit()
        self.assertIn("NOTIFY_SOCKET vsock:2:1234: is neither a path nor an abstract name",
                      server.log_text())
