"""Logging in with secrets that are known to a search, and then searching."""

import base64
import os
import random
import string
import subprocess
import time

from secrets_search import Search, image
from support.scram import Scram, authenticate, encode, stored_secret
from tls.tls_ground import TlsCase

LOGINS = int(os.environ.get("POP3_SECRET_LOGINS", "100"))
USERS = 10
STAYING = 15  # others, who do not log out
WAYS = ("plain", "stls", "implicit")
SETTINGS = ("$6$rounds=1000$saltsaltsalt$", "$y$j75$saltsaltsaltsalt$",
            "$2b$04$saltsaltsaltsaltsaltsu")
LETTERS = string.ascii_letters + string.digits


def new_password():
    """No two have eight octets in common, nor has anything else."""
    return "".join(random.choices(LETTERS, k=random.randint(20, 60)))


def hashed(password):
    """A hash of crypt(3), by perl: Python's own is not in each version. The methods take turns."""
    setting = SETTINGS[len(password) % len(SETTINGS)]
    made = subprocess.run(["perl", "-e", "print crypt(<STDIN>, $ARGV[0])", setting],
                          input=password.encode(), capture_output=True, check=True)
    return "{CRYPT}" + made.stdout.decode()


def verified(_password):
    return "{VERIFY}"


def scram_hashed(password):
    return "{SCRAM-SHA-256}" + stored_secret(password.encode())


class Login:
    """One way to log in: says what of it is secret to `search`, before it is said to the server."""

    def __init__(self, search):
        self.search = search

    def run(self, client, user, password):
        raise NotImplementedError


class Pass(Login):
    name = "PASS"

    def run(self, client, user, password):
        client.ok("USER " + user)
        return client.command("PASS " + password)


class PassAtOnce(Login):
    name = "USER and PASS at once"

    def run(self, client, user, password):
        client.send(f"USER {user}\r\nPASS {password}\r\n")
        client.line()
        return client.line().decode()


class Plain(Login):
    name = "PLAIN"

    def run(self, client, user, password):
        response = f"\0{user}\0{password}".encode()
        self.search.add_text("a response of PLAIN", response)
        return client.command(b"AUTH PLAIN " + encode(response))


class PlainLater(Login):
    name = "PLAIN after a challenge"

    def run(self, client, user, password):
        response = f"{user}\0{user}\0{password}".encode()
        self.search.add_text("a response of PLAIN", response)
        client.command("AUTH PLAIN")
        return client.command(encode(response))


class AuthLogin(Login):
    name = "LOGIN"

    def run(self, client, user, password):
        client.command("AUTH LOGIN")
        client.command(encode(user.encode()))
        return client.command(encode(password.encode()))


class ScramLogin(Login):
    name = "SCRAM"

    def run(self, client, user, password):
        return authenticate(client, Watched(self.search, user, password.encode()))


class Token(Login):
    """The password is the token. That one is wrong is told in a challenge before the "no"."""

    def message(self, user, token):
        raise NotImplementedError

    def run(self, client, user, password):
        message = self.message(user, password).encode()
        self.search.add_text(f"a message of {self.name}", message)
        answer = client.command(f"AUTH {self.name} ".encode() + encode(message))
        return client.command("") if answer.startswith("+ ") else answer


class OauthBearer(Token):
    name = "OAUTHBEARER"

    def message(self, user, token):
        return f"n,a={user},\1auth=Bearer {token}\1\1"


class Xoauth2(Token):
    name = "XOAUTH2"

    def message(self, user, token):
        return f"user={user}\1auth=Bearer {token}\1\1"


class Watched(Scram):
    """The name and the nonce are no secrets, and the nonce is in what the server says; the messages
    are, as a whole, and the proof is in part."""

    def __init__(self, search, user, password):
        super().__init__(user, password)
        self.search = search
        search.add_text("a first response of SCRAM", self.bare)

    def final(self, challenge):
        message = super().final(challenge)
        self.search.add_text("a final response of SCRAM", self.unproven)
        self.search.add("a proof of SCRAM", self.proof)
        self.search.add("a proof of SCRAM", encode(self.proof))
        return message


def add_key(search, path):
    """A private key, in each form that it might be printed in: sixteen octets and more of it."""
    with open(path, "rb") as file:
        pem = file.read()
    body = b"".join(line for line in pem.splitlines() if not line.startswith(b"-----"))
    octets = base64.b64decode(body)
    for at in range(0, len(octets) - 15, 16):
        part = octets[at:at + 16]
        search.add_text("a private key", part)
        search.add_text("a private key", part.hex().encode())
        search.add_text("a private key", part.hex(":").encode())


class SecretsCase(TlsCase):
    def setUp(self):
        super().setUp()
        self.heard = bytearray()
        self.users = {f"user-of-the-number-{i}": new_password() for i in range(USERS + STAYING)}
        self.watch_passwords()

    def watch_passwords(self):
        self.search = Search()
        for password in self.users.values():
            self.search.add("a password", password.encode())

    def program(self):
        """One that knows all users' passwords, for --verify-command."""
        path = os.path.join(self.temporary(), "program")
        with open(path + ".known", "w", encoding="ascii") as file:
            file.write("".join(f"{user}:{password}\n" for user, password in self.users.items()))
        with open(path, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nset -- $(tr '\\0' ' ' <&3)\ngrep -qx \"$1:$2\" $0.known\n")
        os.chmod(path, 0o755)
        return path

    def start(self, secret_of, *arguments):
        """A server with all its lines in the log, whose users have such secrets."""
        passwd = "".join(f"{user}:{secret_of(password)}\n" for user, password in self.users.items())
        server = self.tls_server("--debug", "yes", "--log-level", "debug", "--require-tls", "never",
                                 *arguments, certificates=("localhost", "localhost-rsa"), users=self.users, passwd=passwd)
        server.expect_log("event=(login|login_refused) ")
        return server

    def connect(self, server, way):
        if way == "plain":
            return self.client(server)
        return self.tls_client(server, way)

    def log_in(self, server, kinds):
        """Each kind in each way, LOGINS times and once with a wrong password. The last of each stays:
        those are what an idle server has."""
        staying = USERS
        for kind in kinds:
            for way in WAYS:
                for number in range(LOGINS - 1):
                    self.log_in_once(server, kind, way, number % USERS).quit()
                self.log_in_once(server, kind, way, staying)
                staying += 1
                self.guess_wrong(server, kind, way)

    def log_in_once(self, server, kind, way, number):
        user = f"user-of-the-number-{number}"
        client = self.connect(server, way)
        answer = kind(self.search).run(client, user, self.users[user])
        self.assertEqual(answer, "+OK maildrop ready", f"{kind.name} {way}")
        self.heard += client.transcript
        self.count()
        return client

    def guess_wrong(self, server, kind, way):
        wrong = new_password()
        self.search.add("a wrong password", wrong.encode())
        client = self.connect(server, way)
        self.assertEqual(kind(self.search).run(client, next(iter(self.users)), wrong),
                         "-ERR [AUTH] authentication failed")
        self.heard += client.transcript
        client.close()

    def memory(self, server):
        """What is found in it once the server has nothing to do."""
        before = None
        while before != server.cpu_seconds():
            before = server.cpu_seconds()
            time.sleep(0.2)
        try:
            return self.search.close().in_image(image(server.pid))
        except PermissionError as error:
            self.cannot(f"the kernel shows nobody the memory of another process: {error}")

    def look(self, secret_of, kinds, *arguments):
        server = self.start(secret_of, *arguments)
        self.log_in(server, kinds)
        self.assertEqual(self.memory(server), set(), "in the memory")
        self.search_texts(server)

    def search_texts(self, server):
        for name in ("localhost", "localhost-rsa"):
            add_key(self.search, self.ca.path(name + ".key"))
        with open(server.log_path, "rb") as log:
            text = log.read()
        self.assertIn(b"event=received", text)
        self.assertEqual(self.search.in_text(text), set(), "in the log")
        self.assertEqual(self.search.in_text(bytes(self.heard)), set(), "in what clients heard")
