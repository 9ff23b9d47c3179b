#!/usr/bin/env python3
"""Clients that take places and never log in: attackers.py PLAIN_PORT TLS_PORT EACH SOURCE...

EACH connections from every SOURCE address, of all KINDS in turn; one that is closed comes again, as
long as our standard input is open. Prints `ready` when each has been opened once and some have come
again; at the end how many were opened, how many of them the server closed, how many places are
taken, and how many of them by the address that has the most.

It runs at the lowest priority: what is to be seen is who gets a place, not who gets the processor."""

import collections
import os
import resource
import selectors
import socket
import ssl
import sys
import time

BATCH = 100   # connections opened at once, and
PAUSE = 0.02  # seconds from one batch to the next: 5,000 a second
IP_BIND_ADDRESS_NO_PORT = 24  # of Linux: the port is chosen when it is known for which peer
LAST = 1      # seconds at the end in which the server may still close some

# Port, what is said at once, and what is said to the first answer. HELLO and HALF are a
# ClientHello, whole or in part; SHAKE is a whole handshake.
HELLO, HALF, SHAKE = "hello", "half", "shake"
KINDS = [
    ("plain", b"", None),
    ("plain", b"USER alice\r\n", None),
    ("plain", b"USER ali", None),
    ("plain", b"STLS\r\n", None),
    ("plain", b"STLS\r\n", HALF),
    ("plain", b"STLS\r\n", HELLO),
    ("tls", b"", None),
    ("tls", HALF, None),
    ("tls", HELLO, None),
    ("tls", SHAKE, None),
]


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


CONTEXT = context()


def client_hello():
    out = ssl.MemoryBIO()
    try:
        CONTEXT.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


class Attacker:
    """One place: a connection that is opened again when it is closed."""

    def __init__(self, source, kind, ports, hello):
        self.source = source
        self.port, self.first, self.second = kind
        self.address = ("127.0.0.1", ports[self.port])
        self.words = {HELLO: hello, HALF: hello[:len(hello) // 2]}
        self.sock = None
        self.shaking = None

    def open(self):
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        self.sock.bind((self.source, 0))
        self.sock.connect_ex(self.address)
        self.answers = 0
        self.said = False
        if self.first == SHAKE:
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.shaking = CONTEXT.wrap_bio(self.incoming, self.outgoing)
            self.shake()
        else:
            self.say(self.words.get(self.first, self.first))

    def say(self, data):
        if data:
            try:
                self.sock.send(data)
            except OSError:
                pass  # seen when it is read

    def shake(self):
        try:
            self.shaking.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            return
        self.say(self.outgoing.read())

    def read(self):
        """False: the server has closed it."""
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data or data.startswith(b"-ERR"):
            return False
        if self.shaking:
            self.incoming.write(data)
            self.shake()
        self.answers += data.count(b"+OK")
        if self.second and self.answers == 2 and not self.said:
            self.said = True
            self.say(self.words[self.second])
        return True


class Crowd:
    def __init__(self, attackers):
        self.selector = selectors.DefaultSelector()
        self.waiting = collections.deque(attackers)
        self.places = collections.Counter()
        self.opened = self.closed = 0

    def open_some(self):
        for _ in range(min(BATCH, len(self.waiting))):
            attacker = self.waiting.popleft()
            attacker.open()
            self.opened += 1
            self.places[attacker.source] += 1
            self.selector.register(attacker.sock, selectors.EVENT_READ, attacker)

    def close(self, attacker):
        self.selector.unregister(attacker.sock)
        attacker.sock.close()
        self.closed += 1
        self.places[attacker.source] -= 1
        self.waiting.append(attacker)

    def look(self, seconds):
        """Until so long has passed. False: our standard input has ended."""
        end = time.monotonic() + seconds
        left = seconds
        while left > 0:
            for key, _ in self.selector.select(left):
                if key.data is None:
                    return False
                if not key.data.read():
                    self.close(key.data)
            left = end - time.monotonic()
        return True

    def run(self):
        total = len(self.waiting)
        self.selector.register(sys.stdin, selectors.EVENT_READ, None)
        ready = False
        while self.look(PAUSE):
            self.open_some()
            if not ready and self.opened >= total + total // 10:
                ready = True
                print("ready", flush=True)
        self.selector.unregister(sys.stdin)
        self.look(LAST)


def main():
    ports = {"plain": int(sys.argv[1]), "tls": int(sys.argv[2])}
    each, sources = int(sys.argv[3]), sys.argv[4:]
    os.nice(19)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    hello = client_hello()
    crowd = Crowd([Attacker(source, KINDS[(i + j) % len(KINDS)], ports, hello)
                   for i in range(each) for j, source in enumerate(sources)])
    crowd.run()
    print(crowd.opened, crowd.closed, sum(crowd.places.values()), max(crowd.places.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
