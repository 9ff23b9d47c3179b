"""With a failure_delay the answer to a failed login comes at a fixed time, whatever work there was."""

import random
import selectors
import socket
import statistics
import time

from attempts import Pass, hashed
from support.wire import GUARD, Client
from timing import CHEAP, DENIED, EACH, OTHER, Timed, TimingCase

DELAY = 1
LATE_MAX = 0.5  # later than the delay by more: not "at a fixed time" on any machine
AT_ONCE = 64    # waiting for their answers


class Delayed(TimingCase):
    """Each attempt comes from an address of its own, so that none is later for those before it."""

    def setUp(self):
        super().setUp()
        self.used = 0

    def address(self):
        """One that nobody has come from."""
        self.used += 1
        return f"127.{1 + self.used // 62500}.{self.used // 250 % 250}.{1 + self.used % 250}"

    def ask(self, server, user, address):
        """A connection on which everything but PASS has been said."""
        client = Client.__new__(Client)
        client.socket = socket.create_connection(server.address, GUARD, (address, 0))
        client.transcript, client.pending = bytearray(), bytearray()
        client.line()
        client.ok(f"USER {user}")
        return client

    def measure(self, server, timed, classes, each):
        order = list(classes) * each
        random.shuffle(order)
        found = {}
        for at in range(0, len(order), AT_ONCE):
            names = order[at:at + AT_ONCE]
            clients = [self.ask(server, name, self.address()) for name in names]
            for name, seconds in self.answers(names, clients):
                found.setdefault(name, []).append(seconds)
        self.count(len(order))
        return {"": found}

    def answers(self, names, clients):
        with selectors.DefaultSelector() as waiting:
            for name, client in zip(names, clients):
                begin = time.perf_counter()
                client.send("PASS wrong\r\n")
                waiting.register(client.socket, selectors.EVENT_READ, (name, client, begin))
            while waiting.get_map():
                for key, _ in waiting.select(GUARD):
                    end = time.perf_counter()
                    name, client, begin = key.data
                    waiting.unregister(client.socket)
                    self.assertEqual(client.line(), DENIED.encode())
                    client.close()
                    yield name, end - begin

    def test_failed_logins_are_answered_at_a_fixed_time_whoever_the_user_is(self):
        usual = hashed(CHEAP)
        classes = {"wrong": usual, "unknown": None, "disabled": "!" + usual,
                   "other-method": hashed(OTHER), "plain": "{PLAIN}right"}
        server = self.serve(classes, "--limits-on-loopback", "yes", "--failure-delay", str(DELAY),
                            "--address-failures", "0", "--user-failures", "0")
        found = self.compare(server, Timed(Pass()), classes, EACH)[""]
        for name, times in found.items():
            # The server's clock has milliseconds.
            self.assertGreater(min(times), DELAY - 0.002, name)
            self.assertLess(statistics.median(times), DELAY + LATE_MAX, name)
