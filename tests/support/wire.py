"""A raw POP3 client on a socket: it sends exactly the octets it is given and keeps every octet
it receives, so that tests can compare transcripts. It repairs nothing and forgives nothing."""

import socket

GUARD = 60  # seconds; a hang guard, not a measure of speed
MODES = ("whole", "bytewise", "pipelined")
MULTILINE = (b"CAPA", b"RETR", b"TOP")
MULTILINE_WITHOUT_ARGUMENT = (b"LIST", b"UIDL", b"LANG")


class Gone(Exception):
    """The server closed the connection where a reply was due."""


def is_multiline(command, status):
    """True if this status line of this command is followed by lines up to a lone dot."""
    words = command.strip().upper().split()
    if not words or not status.startswith(b"+OK"):
        return False
    if words[0] in MULTILINE:
        return True
    return words[0] in MULTILINE_WITHOUT_ARGUMENT and len(words) == 1


def octets(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def connect(address, timeout=GUARD, receive_buffer=None, source=None):
    """Connects to (host, port) or to the path of a unix socket. receive_buffer: octets that the
    kernel may take in for us; without it that grows to megabytes. source: our own address."""
    if isinstance(address, str):
        family = socket.AF_UNIX
    else:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        if source:
            sock.bind((source, 0))
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Client:
    """One connection. `transcript` is every octet received so far, greeting included."""

    def __init__(self, address, greet=True, receive_buffer=None, source=None):
        self.socket = connect(address, receive_buffer=receive_buffer, source=source)
        self.transcript = bytearray()
        self.pending = bytearray()
        self.greeting = self.line() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # -- sending

    def send(self, data):
        self.socket.sendall(octets(data))

    def send_bytewise(self, data):
        for octet in octets(data):
            self.socket.sendall(bytes((octet,)))

    def finish_sending(self):
        """Half-close: the server sees the end of the input and still may answer."""
        self.socket.shutdown(socket.SHUT_WR)

    # -- receiving

    def receive(self):
        """Takes what has arrived; False at the end of the stream."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self.transcript += data
        self.pending += data
        return bool(data)

    def line(self):
        """The next line without its CRLF. A line that ends in a bare LF is an error."""
        while True:
            end = self.pending.find(b"\n")
            if end >= 0:
                break
            if not self.receive():
                raise Gone(f"closed; unfinished: {bytes(self.pending)!r}")
        line = bytes(self.pending[:end + 1])
        del self.pending[:end + 1]
        if not line.endswith(b"\r\n"):
            raise AssertionError(f"line without CRLF: {line!r}")
        return line[:-2]

    def body(self):
        """Octets of a multi-line reply up to and without its final `.` CRLF, still stuffed."""
        searched = 0
        while True:
            if self.pending.startswith(b".\r\n"):
                end, cut = 0, 3
                break
            found = self.pending.find(b"\r\n.\r\n", searched)
            if found >= 0:
                end, cut = found + 2, found + 5
                break
            searched = max(0, len(self.pending) - 4)
            if not self.receive():
                raise Gone(f"closed inside a multi-line reply after {len(self.pending)} octets")
        body = bytes(self.pending[:end])
        del self.pending[:cut]
        return body

    def rest(self):
        """Everything up to the end of the stream."""
        while self.receive():
            pass
        data = bytes(self.pending)
        self.pending.clear()
        return data

    # -- commands

    def command(self, text):
        """Sends one command line and returns the status line as text."""
        self.send(octets(text) + b"\r\n")
        return self.line().decode("latin-1")

    def ok(self, text):
        """Like command(), and the answer must be positive."""
        status = self.command(text)
        if not status.startswith("+OK"):
            shown = "PASS …" if str(text).upper().startswith("PASS") else text
            raise AssertionError(f"{shown}: {status}")
        return status

    def multiline(self, text):
        """Sends a command with a multi-line reply: (status line, raw body)."""
        return self.ok(text), self.body()

    def lines(self, text):
        """The lines of a multi-line reply as text, unstuffed."""
        body = self.multiline(text)[1].decode("latin-1")
        return [line[1:] if line.startswith(".") else line for line in body.split("\r\n")[:-1]]

    def login(self, user="alice", secret="wonderland"):
        self.ok(f"USER {user}")
        return self.ok(f"PASS {secret}")

    def quit(self):
        """QUIT, then the server must close: returns the status line."""
        status = self.command("QUIT")
        left = self.rest()
        if left:
            raise AssertionError(f"octets after the answer to QUIT: {left!r}")
        self.close()
        return status

    def reply(self, command):
        """Reads one whole reply to a command that was sent already."""
        status = self.line()
        if is_multiline(command, status):
            self.body()


def converse(address, commands, mode="whole"):
    """Runs a whole session and returns every octet received until the server closes.

    commands: byte strings with their line ends. The last one should make the server close
    (QUIT); if it does not, the sending side is closed. mode: whole (one write a command, each
    answer awaited), bytewise (one write an octet) or pipelined (all in one write)."""
    commands = [octets(command) for command in commands]
    with Client(address) as client:
        if mode == "pipelined":
            client.send(b"".join(commands))
        for command in commands if mode != "pipelined" else ():
            if mode == "bytewise":
                client.send_bytewise(command)
            else:
                client.send(command)
            try:
                client.reply(command)
            except Gone:
                break
        try:
            client.finish_sending()
        except OSError:
            pass  # the server closed first
        client.rest()
        return bytes(client.transcript)
