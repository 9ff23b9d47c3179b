"""The PROXY protocol on real sockets: 127.0.0.1 is a trusted proxy, 127.0.0.2 is not."""

import os
import signal
import socket
import struct
import time

from support.case import TestCase
from support.server import Server
from support.tls import Authority
from support.wire import GUARD, Client, connect

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 110\r\n"
GREETING = b"+OK POP3 server ready\r\n"
# Octets that a header is cut at: each, or in the short form some of the long ones'.
CUT_EVERY = int(os.environ.get("POP3_PROXY_CUT_EVERY", "1"))


def field(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def tls_field(version=b"TLSv1.3", flags=1, verify=0, name=None):
    value = struct.pack("!BI", flags, verify) + field(0x21, version)
    return field(0x20, value + (field(0x22, name) if name else b""))


def v2(fields=b"", command=1, client="192.0.2.1", port=4711):
    if ":" in client:
        addresses = socket.inet_pton(socket.AF_INET6, client) * 2
    else:
        addresses = socket.inet_aton(client) + socket.inet_aton("198.51.100.2")
    rest = addresses + struct.pack("!HH", port, 110) + fields
    family = 0x21 if ":" in client else 0x11
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(rest)) + rest


class ProxyCase(TestCase):
    def proxy_server(self, *arguments, trusted="127.0.0.1", **options):
        return self.server("--proxy", trusted, *arguments, **options)

    def begin(self, server, header, source=None):
        """A connection that has begun so; what follows is not read yet."""
        client = Client(server.address, greet=False) if source is None else \
            self.from_address(server, source)
        self.addCleanup(client.close)
        client.send(header)
        return client

    def from_address(self, server, source):
        client = Client.__new__(Client)
        client.socket = socket.create_connection(server.address, GUARD, (source, 0))
        client.transcript, client.pending = bytearray(), bytearray()
        return client

    def greeted(self, client):
        self.assertEqual(client.line() + b"\r\n", GREETING)
        return client

    def refused(self, server, header, error):
        """Closed without an answer, with one line that says why."""
        before = server.log_text().count("event=")
        client = self.begin(server, header)
        self.assertEqual(client.rest(), b"")
        self.assert_log(rf'event=closed .*reason=\w+ .*error="{error}"', server)
        self.wait_until(lambda: server.log_text().count("event=") > before, "no log line")
        self.assertEqual(server.log_text().count("event="), before + 1)
        client.close()


class Header(ProxyCase):
    def test_client_of_the_header_is_the_peer_of_the_session(self):
        server = self.proxy_server()
        for header, peer in (
                (V1, r"192\.0\.2\.1:4711"),
                (b"PROXY TCP6 2001:db8::1 2001:db8::2 4712 110\r\n", r"\[2001:db8::1\]:4712"),
                (v2(port=4713), r"192\.0\.2\.1:4713"),
                (v2(client="2001:db8::9"), r"\[2001:db8::9\]:4711"),
                (v2(field(4, bytes(300)) + field(0xE0, b"x")), r"192\.0\.2\.1:4711"),
                (b"PROXY UNKNOWN\r\n", r"127\.0\.0\.1:\d+"),
                (v2(command=0), r"127\.0\.0\.1:\d+")):
            client = self.greeted(self.begin(server, header))
            client.login("alice", server.users["alice"])
            client.quit()
            self.assert_log(rf"event=closed .*peer={peer} .*reason=quit", server)
            self.count()

    def test_header_may_come_octet_by_octet_and_with_commands_behind_it(self):
        server = self.proxy_server()
        for header in (V1, v2(tls_field())):
            client = Client(server.address, greet=False)
            self.addCleanup(client.close)
            client.send_bytewise(header)
            self.greeted(client)
            client.quit()
            client = self.begin(server, header + b"NOOP\r\nQUIT\r\n")
            self.assertRegex(client.rest(), rb"\A\+OK [^\r]*\r\n-ERR [^\r]*\r\n\+OK [^\r]*\r\n\Z")

    def test_header_cut_at_any_octet_is_a_close_with_one_line_and_no_leak(self):
        server = self.proxy_server()
        with self.no_descriptor_leak(server):
            for header in (V1, b"PROXY UNKNOWN\r\n", v2(tls_field(name=b"alice")), v2(command=0)):
                for cut in range(0, len(header), CUT_EVERY):
                    client = self.begin(server, header[:cut])
                    client.finish_sending()
                    self.assertEqual(client.rest(), b"", f"{header} cut at {cut}")
                    client.close()
                    self.count()
        self.wait_until(lambda: server.log_text().count("its PROXY header") >= self.cases)
        self.assertEqual(server.log_text().count("event="), self.cases)
        self.assertEqual(server.log_text().count("reason=dropped"), self.cases)

    def test_what_is_no_header_is_a_close_with_one_line(self):
        server = self.proxy_server()
        bad_sum = field(3, b"\0\0\0\0")
        for header, error in (
                (b"CAPA\r\n", "does not begin with a PROXY header"),
                (b"\x16\x03\x01\x02\x00", "does not begin with a PROXY header"),
                (b"PROXY " + b"x" * 101, "PROXY header too long"),
                (b"PROXY TCP4 a b 1 2\r\n", "PROXY header of version 1 is malformed"),
                (SIGNATURE + b"\x31\x11\0\0", "PROXY header of an unknown version or command"),
                (SIGNATURE + b"\x21\x11\xff\xff", "PROXY header too long"),
                (SIGNATURE + b"\x21\x12\0\0", ".*no addresses of a stream"),
                (v2(b"\x04\0"), "PROXY header with a field that is cut off"),
                (v2(bad_sum), "PROXY header with a wrong checksum")):
            self.refused(server, header, error)
            self.count()

    def test_header_that_does_not_come_in_time_ends_the_connection(self):
        server = self.proxy_server("--handshake-timeout", "1")
        client = self.begin(server, V1[:10])
        self.assertEqual(client.rest(), b"")
        self.assert_log(r'reason=timeout .*error="the PROXY header took too long"', server)

    def test_header_of_somebody_else_is_a_bad_command(self):
        server = self.proxy_server()
        client = self.from_address(server, "127.0.0.2")
        self.addCleanup(client.close)
        self.greeted(client)
        self.assertRegex(client.command(V1.decode().strip()), "^-ERR ")
        client.login("alice", server.users["alice"])
        client.quit()
        self.assert_log(r"event=closed .*peer=127\.0\.0\.2:", server)

    def test_end_of_the_server_ends_those_that_wait_for_a_header(self):
        server = self.proxy_server("--drain-timeout", "60")
        client = self.begin(server, V1[:10])
        self.wait_until(lambda: server.descriptors() > 0)
        time.sleep(0.1)
        server.signal(signal.SIGTERM)
        self.assertEqual(client.rest(), b"")
        self.assertEqual(server.wait(), 0)


class Meaning(ProxyCase):
    def test_connections_are_counted_by_the_address_of_the_header(self):
        server = self.proxy_server("--max-connections-per-address", "2")
        held = [self.greeted(self.begin(server, v2(client="192.0.2.7", port=i)))
                for i in range(2)]
        third = self.begin(server, v2(client="192.0.2.7"))
        self.assertEqual(third.rest(), b"-ERR [SYS/TEMP] too many connections from this address\r\n")
        self.assert_log(r'peer=192\.0\.2\.7:4711 .*reason=refused .*error="too many', server)
        self.greeted(self.begin(server, v2(client="192.0.2.8"))).quit()
        held.pop().quit()
        self.wait_until(lambda: "reason=quit" in server.log_text())
        self.greeted(self.begin(server, v2(client="192.0.2.7"))).quit()

    def test_proxy_itself_has_no_limit_by_address(self):
        server = self.proxy_server("--max-connections-per-address", "2", "--limits-on-loopback")
        for i in range(10):
            self.greeted(self.begin(server, v2(client=f"192.0.2.{i}")))
        for _ in range(2):
            self.greeted(self.begin(server, v2(command=0)))
        self.assertRegex(self.begin(server, v2(command=0)).rest(), rb"-ERR \[SYS/TEMP\]")

    def test_tls_of_the_header_counts_only_if_it_is_believed(self):
        for believe, answer in (("no", "-ERR"), ("yes", "+OK")):
            server = self.proxy_server("--proxy-tls", believe, "--require-tls", "always",
                                       *self.certificate())
            client = self.greeted(self.begin(server, v2(tls_field(name=b"x", flags=7))))
            self.assertEqual(client.command("USER alice").split()[0], answer)
            client.quit()
            client = self.greeted(self.begin(server, v2()))
            self.assertRegex(client.command("USER alice"), "^-ERR ")
            client.quit()
            self.wait_until(lambda s=server: s.log_text().count("event=closed") == 2)
            self.assertEqual('tls="TLSv1.3"' in server.log_text() or
                             "tls=TLSv1.3" in server.log_text(), believe == "yes")

    def test_remote_client_without_tls_is_refused_where_the_proxy_could_have_had_it(self):
        """There is no certificate here: the proxy is the one who does TLS."""
        server = self.proxy_server("--proxy-tls", "yes")
        for header in (v2(), V1):
            client = self.greeted(self.begin(server, header))
            self.assertNotIn("USER", client.lines("CAPA"))
            for line in ("USER alice", "AUTH PLAIN AGFsaWNlAHdvbmRlcmxhbmQ="):
                self.assertEqual(client.command(line),
                                 "-ERR TLS is required here, and this port has none")
        secured = self.greeted(self.begin(server, v2(tls_field())))
        self.assertEqual(secured.command("USER alice"), "+OK send PASS")
        local = self.greeted(self.begin(server, v2(client="127.0.0.9")))
        self.assertEqual(local.command("USER alice"), "+OK send PASS")
        never = self.proxy_server("--proxy-tls", "yes", "--require-tls", "never")
        client = self.greeted(self.begin(never, v2()))
        self.assertEqual(client.command("USER alice"), "+OK send PASS")

    def test_remote_client_behind_a_local_proxy_is_not_local(self):
        server = self.proxy_server(*self.certificate())
        client = self.greeted(self.begin(server, V1))
        self.assertRegex(client.command("USER alice"), "^-ERR .*STLS")
        local = self.greeted(self.begin(server, v2(client="127.0.0.9")))
        self.assertRegex(local.command("USER alice"), r"^\+OK")

    def test_other_protocol_named_to_the_proxy_is_refused(self):
        server = self.proxy_server("--proxy-tls", "yes")
        self.refused(server, v2(field(1, b"h2") + tls_field()), r".*does not speak POP3 \(ALPN\)")
        self.greeted(self.begin(server, v2(field(1, b"pop3") + tls_field()))).quit()
        self.greeted(self.begin(server, v2(field(1, b"h2")))).quit()

    def test_handshake_comes_behind_the_header(self):
        server = Server(self.temporary(), "--proxy", "127.0.0.1", "--listen-tls", "127.0.0.1:0",
                        *self.certificate())
        self.addCleanup(self.judge, server)
        server.start(2)
        context = self.ca.context()
        for header in (V1, v2(tls_field())):
            sock = connect(server.addresses[1])
            sock.sendall(header)
            with context.wrap_socket(sock) as client:
                self.assertEqual(client.recv(100), GREETING)
                client.sendall(b"QUIT\r\n")
                self.assertRegex(client.recv(100), rb"\A\+OK")
            self.assert_log(r"peer=192\.0\.2\.1:4711 .*reason=quit .*tls=", server)

    def test_reload_takes_other_networks(self):
        server = self.server(config="proxy = 192.0.2.0/24\n")
        self.client(server).quit()
        server.write(server.config_path, "proxy = 192.0.2.0/24, 127.0.0.1\n")
        server.signal(signal.SIGHUP)
        self.assert_log("event=reload .*done", server)
        self.greeted(self.begin(server, V1)).quit()
        server.write(server.config_path, "proxy = 127.0.0.1/8\n")
        server.signal(signal.SIGHUP)
        self.assert_log(r"event=reload .*config:1.*must be ADDRESS/BITS", server)
        self.assert_log("event=reload .*refused", server)
        self.greeted(self.begin(server, V1)).quit()

    def test_unix_sockets_can_be_trusted(self):
        path = os.path.join(self.temporary(), "socket")
        server = self.proxy_server(trusted="unix", listen=("unix:" + path,))
        client = self.greeted(self.begin(server, V1))
        client.quit()
        self.assert_log(r"peer=192\.0\.2\.1:4711 .*reason=quit", server)

    def certificate(self):
        if not hasattr(self, "ca"):
            self.ca = Authority(self.temporary())
            self.pair = self.ca.issue("localhost")
        return "--cert", self.pair[0], "--key", self.pair[1]
