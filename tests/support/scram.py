"""The client's side of SCRAM (RFC 5802, RFC 7677), written from the RFCs, and the secrets that a
passwd file keeps for it."""

import base64
import hashlib
import hmac
import os


def encode(octets):
    return base64.b64encode(octets)


def stored_secret(password, iterations=4096, salt=None):
    """What follows {SCRAM-SHA-256} in the passwd file."""
    salt = os.urandom(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    keys = (encode(salt), encode(hashlib.sha256(client).digest()), encode(server))
    return f"{iterations}," + ",".join(key.decode() for key in keys)


class Scram:
    """One exchange: first(), then final() of the server's first message, then proves() of its last
    one. gs2: what is said of channel binding (RFC 5802 section 7), `binding` the octets of one."""

    def __init__(self, user, password, digest="sha256", nonce=None, gs2=b"n,,", binding=b""):
        self.user = user
        self.password = password
        self.digest = digest
        self.gs2 = gs2
        self.binding = binding
        self.nonce = encode(os.urandom(18)) if nonce is None else nonce
        self.bare = b"n=" + user.encode() + b",r=" + self.nonce

    def first(self):
        return self.gs2 + self.bare

    def final(self, challenge):
        """Also keeps what the server has shown: `salt`, `iterations`."""
        fields = dict(field.split(b"=", 1) for field in challenge.split(b","))
        if not fields[b"r"].startswith(self.nonce) or fields[b"r"] == self.nonce:
            raise AssertionError(f"the nonce is not ours and more: {challenge!r}")
        self.salt = base64.b64decode(fields[b"s"], validate=True)
        self.iterations = int(fields[b"i"])
        salted = hashlib.pbkdf2_hmac(self.digest, self.password, self.salt, self.iterations)
        key = hmac.digest(salted, b"Client Key", self.digest)
        stored = hashlib.new(self.digest, key).digest()
        self.unproven = b"c=" + encode(self.gs2 + self.binding) + b",r=" + fields[b"r"]
        message = self.bare + b"," + challenge + b"," + self.unproven
        signature = hmac.digest(stored, message, self.digest)
        self.proof = bytes(a ^ b for a, b in zip(key, signature))
        self.verifier = hmac.digest(hmac.digest(salted, b"Server Key", self.digest), message,
                                    self.digest)
        return self.unproven + b",p=" + encode(self.proof)

    def proves(self, last):
        """Does the server's last message show that it knows the secret?"""
        return last == b"v=" + encode(self.verifier)


def challenge_of(line):
    """The octets of a line `+ base64`."""
    if not line.startswith("+ "):
        raise AssertionError(f"no challenge: {line!r}")
    return base64.b64decode(line[2:], validate=True)


def authenticate(client, scram, mechanism="SCRAM-SHA-256"):
    """The whole exchange on a connection; the status line that ends it."""
    line = client.command(f"AUTH {mechanism} " + encode(scram.first()).decode())
    if line.startswith("-ERR "):
        return line
    line = client.command(encode(scram.final(challenge_of(line))))
    if not line.startswith("+ "):
        return line
    if not scram.proves(challenge_of(line)):
        raise AssertionError("the server has not proven that it knows the secret")
    return client.command("")
