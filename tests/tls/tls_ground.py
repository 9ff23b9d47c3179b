"""What the TLS tests share: one CA for a run, servers with its certificate on both kinds of port."""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile

from support.case import TestCase
from support.server import Server
from support.tls import Authority, TlsClient

WAYS = ("stls", "implicit")
VERSIONS = ("TLS1.2", "TLS1.3")
# For servers whose memory is looked at: the address sanitizer keeps what has been freed.
NO_QUARANTINE = {"ASAN_OPTIONS": "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"}

_made = []


def authority():
    """The CA of this run, with server certificates named localhost and localhost-rsa."""
    if not _made:
        folder = tempfile.mkdtemp(prefix="pop3-ca-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o755)
        made = Authority(folder)
        made.issue("localhost")
        made.issue("localhost-rsa", rsa=True)
        _made.append(made)
    return _made[0]


def hello_of(*flags):
    """The octets that `openssl s_client` with these flags sends first."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        with subprocess.Popen(["openssl", "s_client", "-connect",
                               "127.0.0.1:%d" % door.getsockname()[1], *flags],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            peer, _ = door.accept()
            data = peer.recv(65536)
            peer.close()
            process.wait()
    return data


class TlsCase(TestCase):
    def setUp(self):
        self.ca = authority()

    def flags(self, *names):
        """--cert and --key for these certificates."""
        words = []
        for name in names or ("localhost",):
            words += ["--cert", self.ca.path(name + ".pem"), "--key", self.ca.path(name + ".key")]
        return words

    def tls_server(self, *arguments, certificates=("localhost",), **options):
        """A server with STLS at addresses[0] and TLS first at addresses[1]."""
        server = self.server_to_start(*self.flags(*certificates), "--listen-tls", "127.0.0.1:0",
                                      *arguments, **options)
        return server.start(2)

    def server_to_start(self, *arguments, **options):
        server = Server(self.temporary(), *arguments, **options)
        self.addCleanup(self.judge, server)
        return server

    def address(self, server, way):
        return server.addresses[WAYS.index(way)]

    def tls_client(self, server, way, login=None, version=None, alpn=(), certificate=None,
                   name=None):
        context = self.ca.context(version, alpn, certificate)
        client = TlsClient(self.address(server, way), context, way == "stls", name)
        self.addCleanup(client.close)
        if login:
            client.login(login, server.users[login])
        return client

    def fails(self, server, pattern):
        """The next failure of a handshake is expected and has its one line."""
        return self.assert_log(rf"event=closed .*reason=(tls|refused|dropped) .*error=\"{pattern}",
                               server)
