"""What TLS may cost: the processor for a client that is refused, memory for one that is idle."""

from tls_ground import TlsCase, hello_of
from support.wire import connect

IDLE = 100           # idle TLS sessions that are weighed
IDLE_KIB_MAX = 24.0  # each
REFUSED = 400
REFUSED_MS_MAX = 0.5  # CPU a refused handshake, with accepting, closing and logging


class Costs(TlsCase):
    def test_a_client_of_finite_field_groups_alone_is_refused_cheaply(self):
        server = self.tls_server("--max-connections", "1000")
        hello = hello_of("-tls1_3", "-groups", "ffdhe2048:ffdhe3072")
        address = self.address(server, "implicit")
        before = server.cpu_seconds()
        for _ in range(REFUSED):
            with connect(address) as sock:
                sock.sendall(hello)
                alert = sock.recv(7)
                self.assertEqual((alert[0], alert[6]), (21, 40))
        spent = (server.cpu_seconds() - before) * 1000 / REFUSED
        self.assertLess(spent, REFUSED_MS_MAX, "ms of CPU each")
        self.count(REFUSED)

    def test_an_idle_tls_session_costs_less_than_24_kib(self):
        users = {f"user{i}": "x" for i in range(IDLE)}
        server = self.tls_server("--max-connections-per-user", "5", users=users)
        warm = [self.tls_client(server, "implicit", login=f"user{i}") for i in range(20)]
        for client in warm:
            client.quit()
        before = server.private_kib()
        clients = [self.tls_client(server, "implicit", login=user) for user in users]
        for client in clients:
            client.ok("STAT")
        each = (server.private_kib() - before) / IDLE
        self.assertLess(each, IDLE_KIB_MAX, "KiB a session")
        for client in clients:
            client.close()
        self.count(IDLE)
