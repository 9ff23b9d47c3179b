#!/usr/bin/env python3
"""Rude clients: clients.py KIND PORT SECONDS COUNT [ROLE...]

KIND   deaf: logs in as ROLE:SECRET, pipelines RETR 1 and never reads
       slow: COUNT connections that send one octet a second, and never a line end
       endless: sends a gigabyte without a line end, or as much as goes in that time
       crowd: COUNT connections at once, that do nothing

Prints `ready` when they are all at it, then, when the time is over, how many octets went out, how
many connections were still open, and leaves. It runs at the lowest priority: it is the server that
is to be measured, not who of all processes gets the processor."""

import os
import resource
import selectors
import socket
import sys
import time

GIGABYTE = 10 ** 9


def connect(port, receive_buffer=None):
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", port))
    return sock


def wait_for_greetings(socks):
    """True when each has got one."""
    with selectors.DefaultSelector() as selector:
        for sock in socks:
            selector.register(sock, selectors.EVENT_READ)
        end = time.monotonic() + 120  # a hang guard
        while selector.get_map() and time.monotonic() < end:
            for key, _ in selector.select(1):
                if not key.fileobj.recv(4096).startswith(b"+OK"):
                    return False
                selector.unregister(key.fileobj)
        return not selector.get_map()


def send(sock, data):
    """How much went, 0 if there is no room; None if the server is gone."""
    try:
        return sock.send(data)
    except BlockingIOError:
        return 0
    except OSError:
        return None


def is_open(sock):
    try:
        return len(sock.recv(1, socket.MSG_PEEK)) > 0
    except BlockingIOError:
        return True
    except OSError:
        return False


def deaf(port, count, roles):
    """The replies to the login are not read either."""
    socks = [connect(port, 4096) for _ in range(count)]
    if not wait_for_greetings(socks):
        return None
    for sock, role in zip(socks, roles):
        user, secret = role.split(":")
        sock.send(f"USER {user}\r\nPASS {secret}\r\n".encode())

    def act():
        return sum(send(sock, b"RETR 1\r\n" * 500) or 0 for sock in socks)
    return socks, act, 0.01


def slow(port, count, _roles):
    """Each once a second, but not all in the same instant: nobody keeps them in step."""
    socks = [connect(port) for _ in range(count)]
    if not wait_for_greetings(socks):
        return None
    turns = 100
    turn = 0

    def act():
        nonlocal turn
        turn += 1
        return sum(send(sock, b"N") or 0 for sock in socks[turn % turns::turns])
    return socks, act, 1 / turns


def endless(port, count, _roles):
    socks = [connect(port) for _ in range(count)]
    block = b"x" * (1 << 16)
    sent = 0
    if not wait_for_greetings(socks):
        return None

    def act():
        nonlocal sent
        went = sum(send(sock, block) or 0 for sock in socks) if sent < GIGABYTE else 0
        sent += went
        if went == 0:
            time.sleep(0.0005)
        return went
    return socks, act, 0


def crowd(port, count, _roles):
    socks = [connect(port) for _ in range(count)]
    return (socks, lambda: 0, 0.1) if wait_for_greetings(socks) else None


def main():
    kind, port, seconds, count = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    os.nice(19)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    made = {"deaf": deaf, "slow": slow, "endless": endless, "crowd": crowd}[kind](
        port, count, sys.argv[5:])
    if made is None:
        return 1
    socks, act, pause = made
    octets = 0
    begun = time.monotonic()
    print("ready", flush=True)
    while time.monotonic() < begun + seconds:
        octets += act()
        if pause:
            time.sleep(pause)
    print(octets, sum(map(is_open, socks)), flush=True)
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
