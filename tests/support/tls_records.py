"""TLS records by hand, such as no TLS library would write: of any type, length and number. TLS 1.3
(RFC 8446) and 1.2 (RFC 5246, 5288), by AES-128-GCM with SHA-256 alone."""

import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA, HEARTBEAT = range(20, 25)
WARNING, FATAL = 1, 2
HEAD = 5            # octets before the body of a record
TAG = 16            # octets behind its ciphertext
PLAINTEXT_MAX = 1 << 14
# Handshake messages (RFC 8446 section 4, RFC 5246 section 7.4).
CLIENT_HELLO, NEW_SESSION_TICKET, FINISHED, KEY_UPDATE = 1, 4, 20, 24


def record(kind, body, version=b"\3\3"):
    return bytes((kind,)) + version + len(body).to_bytes(2, "big") + body


def message(kind, body=b"", length=None):
    """A handshake message; length: another one than it has."""
    return bytes((kind,)) + (len(body) if length is None else length).to_bytes(3, "big") + body


def split(octets):
    """The records that these octets are, without what is left of the last one."""
    found = []
    while len(octets) >= HEAD and len(octets) >= HEAD + int.from_bytes(octets[3:5], "big"):
        end = HEAD + int.from_bytes(octets[3:5], "big")
        found.append(octets[:end])
        octets = octets[end:]
    return found


# ---- Keys ----

def digest(secret, data):
    return hmac.digest(secret, data, "sha256")


def expand_label(secret, label, length):
    """HKDF-Expand-Label of no more than one block, with an empty context (RFC 8446 7.1)."""
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes((len(label),)) + label + b"\0"
    return digest(secret, info + b"\1")[:length]


def pseudorandom(secret, seed, length):
    """PRF of RFC 5246 section 5; the seed begins with its label."""
    data, block = b"", seed
    while len(data) < length:
        block = digest(secret, block)
        data += digest(secret, block + seed)
    return data[:length]


class Keys13:
    """One direction of TLS 1.3: its key and the number of its next record (RFC 8446 5.2, 5.3)."""

    def __init__(self, secret):
        self.secret = secret
        self.number = 0
        self.gcm = AESGCM(expand_label(secret, b"key", 16))
        self.iv = int.from_bytes(expand_label(secret, b"iv", 12), "big")

    def update(self):
        """The next generation (section 7.2)."""
        self.__init__(expand_label(self.secret, b"traffic upd", 32))

    def nonce(self, number):
        return (self.iv ^ number).to_bytes(12, "big")

    def seal_inner(self, inner, number=None):
        """A record of this inner plaintext, which should end with its type and padding."""
        head = record(DATA, bytes(len(inner) + TAG))[:HEAD]
        if number is None:
            number = self.number
            self.number += 1
        return head + self.gcm.encrypt(self.nonce(number), inner, head)

    def seal(self, kind, content, padding=0, number=None):
        return self.seal_inner(content + bytes((kind,)) + bytes(padding), number)

    def open(self, octets):
        """Type and content of a record."""
        if octets[0] != DATA:
            raise AssertionError(f"in the clear: {octets[:16]!r}")
        inner = self.gcm.decrypt(self.nonce(self.number), octets[HEAD:], octets[:HEAD])
        self.number += 1
        inner = inner.rstrip(b"\0")
        return inner[-1], inner[:-1]


class Keys12:
    """One direction of TLS 1.2 by AES-GCM (RFC 5288 section 3, RFC 5246 section 6.2.3.3)."""

    def __init__(self, key, salt):
        self.number = 0
        self.gcm = AESGCM(key)
        self.salt = salt

    def seal(self, kind, content, padding=0, number=None):
        if padding:
            raise ValueError("TLS 1.2 has no padding with AEAD")
        if number is None:
            number = self.number
            self.number += 1
        explicit = number.to_bytes(8, "big")
        data = explicit + record(kind, content)[:HEAD]
        return record(kind, explicit + self.gcm.encrypt(self.salt + explicit, content, data))

    def open(self, octets):
        explicit, body = octets[HEAD:HEAD + 8], octets[HEAD + 8:]
        data = self.number.to_bytes(8, "big") + octets[:3] + (len(body) - TAG).to_bytes(2, "big")
        content = self.gcm.decrypt(self.salt + explicit, body, data)
        self.number += 1
        return octets[0], content


class Clear:
    """A direction of TLS 1.2 before its change_cipher_spec."""

    def open(self, octets):
        return octets[0], octets[HEAD:]
