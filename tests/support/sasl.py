"""Logging in on a raw connection by each mechanism that needs a name and a password, or neither."""

import base64
import hashlib
import hmac
import re

from support import scram

DIGESTS = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}


def encode(text):
    return base64.b64encode(text).decode()


def by_apop(client, user, secret):
    challenge = re.search(r"<[^>]+>", client.greeting.decode() if client.greeting else "")
    if not challenge:
        raise AssertionError("no challenge: the greeting was not shown")
    digest = hashlib.md5((challenge.group() + secret).encode()).hexdigest()
    return client.command(f"APOP {user} {digest}")


def by_plain(client, user, secret):
    return client.command("AUTH PLAIN " + encode(f"\0{user}\0{secret}".encode()))


def by_login(client, user, secret):
    scram.challenge_of(client.command("AUTH LOGIN"))
    scram.challenge_of(client.command(encode(user.encode())))
    return client.command(encode(secret.encode()))


def by_cram_md5(client, user, secret):
    challenge = scram.challenge_of(client.command("AUTH CRAM-MD5"))
    digest = hmac.new(secret.encode(), challenge, "md5").hexdigest()
    return client.command(encode(f"{user} {digest}".encode()))


def by_user(client, user, secret):
    client.ok(f"USER {user}")
    return client.command(f"PASS {secret}")


def by_external(client, _user, _secret):
    return client.command("AUTH EXTERNAL =")


def by_scram(client, user, secret, mechanism):
    exchange = scram.Scram(user, secret.encode(), DIGESTS[mechanism])
    return scram.authenticate(client, exchange, mechanism)


WAYS = {"USER": by_user, "APOP": by_apop, "PLAIN": by_plain, "LOGIN": by_login,
        "CRAM-MD5": by_cram_md5, "EXTERNAL": by_external}


def log_in(client, mechanism, user, secret):
    """The status line that ends it. The client's greeting is b"" or None if it was not shown."""
    if mechanism in DIGESTS:
        return by_scram(client, user, secret, mechanism)
    return WAYS[mechanism](client, user, secret)
