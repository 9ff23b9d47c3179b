"""Ways to try a login, and users of whom none may be told from another by what they are answered."""

import base64
import hashlib
import hmac
import os
import re
import subprocess

from support.scram import Scram, challenge_of, encode, stored_secret

WRONG = "a-wrong-password"
ITERATIONS = 20000  # what {PLAIN} users and new secrets have


def hashed(setting, password="right"):
    made = subprocess.run(["perl", "-e", "print crypt(<STDIN>, $ARGV[0])", setting],
                          input=password.encode(), capture_output=True, check=True)
    return "{CRYPT}" + made.stdout.decode()


def scram_hashed(iterations=ITERATIONS):
    return "{SCRAM-SHA-256}" + stored_secret(b"right", iterations)


class Attempt:
    """tell(client, user): one failing login; the answers to its lines, without what is random."""

    def lines(self, client, user):
        raise NotImplementedError

    def tell(self, client, user):
        return [client.command(line) for line in self.lines(client, user)]


class Pass(Attempt):
    name = "PASS"

    def lines(self, client, user):
        return [f"USER {user}", f"PASS {WRONG}"]


class Plain(Attempt):
    name = "AUTH PLAIN"

    def lines(self, client, user):
        return [b"AUTH PLAIN " + encode(f"\0{user}\0{WRONG}".encode())]


class OauthBearer(Attempt):
    """The challenge tells that it failed; the response to it means nothing."""
    name = "AUTH OAUTHBEARER"

    def lines(self, client, user):
        message = f"n,a={user},\1auth=Bearer {WRONG}\1\1".encode()
        return [b"AUTH OAUTHBEARER " + encode(message), ""]


class Login(Attempt):
    name = "AUTH LOGIN"

    def lines(self, client, user):
        return ["AUTH LOGIN", encode(user.encode()), encode(WRONG.encode())]


class Apop(Attempt):
    name = "APOP"

    def lines(self, client, user):
        stamp = re.search(rb"<[^>]+>", client.greeting).group()
        return [f"APOP {user} " + hashlib.md5(stamp + WRONG.encode()).hexdigest()]


class CramMd5(Attempt):
    name = "AUTH CRAM-MD5"

    def tell(self, client, user):
        challenge = challenge_of(client.command("AUTH CRAM-MD5"))
        digest = hmac.new(WRONG.encode(), challenge, "md5").hexdigest()
        return [client.command(encode(f"{user} {digest}".encode()))]


class ScramAttempt(Attempt):
    """With a proof that is made up, which the server cannot know before it has done its part."""

    def __init__(self, mechanism="SCRAM-SHA-256"):
        self.name = "AUTH " + mechanism
        self.mechanism = mechanism
        self.octets = 32 if mechanism.endswith("256") else 20

    def begin(self, client, user):
        """The fields of the first challenge."""
        self.scram = Scram(user, WRONG.encode())
        line = client.command(f"AUTH {self.mechanism} ".encode() + encode(self.scram.first()))
        challenge = challenge_of(line).decode()
        self.shown = dict(field.split("=", 1) for field in challenge.split(","))
        return self.shown

    def last(self):
        return encode(b"c=biws,r=" + self.shown["r"].encode() + b",p=" +
                      encode(os.urandom(self.octets)))

    def tell(self, client, user):
        shown = self.begin(client, user)
        salt = base64.b64decode(shown["s"], validate=True)
        form = (sorted(shown), shown["i"], len(salt), len(shown["r"]))
        return [form, client.command(self.last())]
