"""Clients under TLS whose octets pass through our hands: the handshake is Python's, and after it, if
a test wants that, each record is written and read by hand."""

import os
import ssl

from support.tls_records import (ALERT, CHANGE_CIPHER_SPEC, DATA, FINISHED, HANDSHAKE, HEAD, KEY_UPDATE,
                                 NEW_SESSION_TICKET, Clear, Keys12, Keys13, pseudorandom, split)
from support.wire import connect


class Talk:
    """A session under TLS; what Python writes goes out when we send it."""

    def __init__(self, address, context, stls, receive_buffer=None, session=None):
        self.socket = connect(address, receive_buffer=receive_buffer)
        if stls:
            for line in (b"", b"STLS\r\n"):
                self.socket.sendall(line)
                while not self.socket.recv(4096).endswith(b"\n"):
                    pass
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, session=session)

    def send(self):
        self.socket.sendall(self.outgoing.read())

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self.incoming.write(data)

    def shake(self, flights=9, last=True):
        """Go on with the handshake, for so many of the server's flights; the last stays unread.
        last: send our last flight, too, and do not leave it to whoever sends next."""
        for _ in range(flights):
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.send()
                self.receive()
                continue
            if last:
                self.send()
            return

    def line(self):
        text = b""
        while not text.endswith(b"\n"):
            try:
                text += self.tls.read(1)
            except ssl.SSLWantReadError:
                self.receive()
        return text

    def says(self, command):
        self.tls.write(command + b"\r\n")
        self.send()

    def ok(self, command):
        self.says(command)
        answer = self.line()
        if not answer.startswith(b"+OK"):
            raise AssertionError(answer)

    def rest(self):
        """All that comes now; a reset is an end like others."""
        data = b""
        try:
            while True:
                got = self.socket.recv(65536)
                if not got:
                    return data
                data += got
        except ConnectionResetError:
            return data


class Logged:
    """A context of Python's ssl whose secrets we know, and of a suite that we can compute."""

    def __init__(self, authority, version, folder):
        self.version = version
        self.context = authority.context(version)
        if version == "TLS1.2":
            self.context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        self.path = os.path.join(folder, "keys-" + version)
        self.context.keylog_filename = self.path

    def secrets(self, random):
        """Label -> secret of the handshake whose client chose this; the log is emptied."""
        found = {}
        with open(self.path, "r+", encoding="ascii") as file:
            for line in file:
                words = line.split()
                if len(words) == 3 and words[1] == random.hex():
                    found[words[0]] = bytes.fromhex(words[2])
            file.truncate(0)
        return found


class RecordTalk(Talk):
    """The same by hand from our Finished on. `out` seals our records, `into` opens the server's;
    `text` is plaintext that came and was not taken, `alerts` all alerts, (level, description),
    `updates` how many key_updates came."""

    def __init__(self, address, logged, stls, receive_buffer=None):
        super().__init__(address, logged.context, stls, receive_buffer)
        self.logged = logged
        self.raw = b""
        self.text = b""
        self.alerts = []
        self.updates = 0
        self.hello = self.server_hello = self.finished = None  # messages
        self.out = self.into = None
        self.out_later = self.into_later = None                # behind the handshake

    # -- the handshake

    def shake_to_finished(self):
        """All of the handshake but our Finished; `out` seals what comes in its place."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                pass
            records = split(self.outgoing.read())
            last = len(records) > 1 and records[-2][0] == CHANGE_CIPHER_SPEC
            self.socket.sendall(b"".join(records[:-1] if last else records))
            if last:
                break
            self.hello = self.hello or records[0][HEAD:]
            # One by one: what comes behind the last is ours to read.
            record = self.raw_record()
            if record is None:
                raise EOFError
            self.server_hello = self.server_hello or record[HEAD:]
            self.incoming.write(record)
        self.take_keys()
        self.finished = self.out.open(records[-1])[1]
        self.out.number = 0

    def take_keys(self):
        secrets = self.logged.secrets(self.hello[6:38])
        if self.logged.version == "TLS1.3":
            self.out = Keys13(secrets["CLIENT_HANDSHAKE_TRAFFIC_SECRET"])
            self.out_later = Keys13(secrets["CLIENT_TRAFFIC_SECRET_0"])
            self.into = Keys13(secrets["SERVER_TRAFFIC_SECRET_0"])
            return
        seed = b"key expansion" + self.server_hello[6:38] + self.hello[6:38]
        block = pseudorandom(secrets["CLIENT_RANDOM"], seed, 40)
        self.out = self.out_later = Keys12(block[:16], block[32:36])
        self.into, self.into_later = Clear(), Keys12(block[16:32], block[36:40])

    def finish(self):
        self.send_finished()
        self.take_finished()

    def send_finished(self):
        self.socket.sendall(self.out.seal(HANDSHAKE, self.finished))
        self.out = self.out_later

    def take_finished(self):
        """The server's, which in TLS 1.2 comes after ours."""
        while self.into_later is not None and self.into_later.number == 0:
            if not self.take_record():
                raise EOFError(self.alerts)

    # -- what the server says

    def raw_record(self):
        """The next record as it came; None at the end of the stream."""
        while not split(self.raw):
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.raw += data
        found = split(self.raw)[0]
        self.raw = self.raw[len(found):]
        return found

    def take_record(self):
        """Take the next record in; False at the end of the stream."""
        octets = self.raw_record()
        if octets is None:
            return False
        kind, content = self.into.open(octets)
        if kind == DATA:
            self.text += content
        elif kind == ALERT:
            self.alerts.append(tuple(content))
        elif kind == CHANGE_CIPHER_SPEC and self.into_later not in (None, self.into):
            self.into = self.into_later
        elif kind == HANDSHAKE and content[0] == KEY_UPDATE:
            self.into.update()
            self.updates += 1
        elif kind != HANDSHAKE or content[0] not in (NEW_SESSION_TICKET, FINISHED):
            raise AssertionError(f"a record of type {kind}: {content[:16]!r}")
        return True

    def until(self, end):
        """The plaintext up to and with this."""
        while end not in self.text:
            if not self.take_record():
                raise EOFError(self.text[-80:], self.alerts)
        at = self.text.index(end) + len(end)
        text, self.text = self.text[:at], self.text[at:]
        return text

    def line(self):
        return self.until(b"\n")

    def to_the_end(self):
        """Take all that still comes."""
        while self.take_record():
            pass

    # -- what we say

    def writes(self, text):
        self.socket.sendall(self.out.seal(DATA, text))

    def says(self, command):
        self.writes(command + b"\r\n")
