"""Interoperation: each client by STLS and by implicit TLS with each mechanism fetches mail of all
kinds unchanged, knowing our certificate authority alone.

One test a cell of client × way × mechanism. What a client lacks stands in LACKS with the reason; it
is asked for it all the same, and the test wants to see how it fails. The table is printed at the
end. Half of the cells meet an RSA certificate, half one of ECDSA."""

import re

import clients
import dialogs
from client_ground import CANNOT, PLANTED, ClientCase
from support.server import Server
from support.tls import Authority
from support.wire import Gone

ROWS = (*clients.CLIENTS, *dialogs.DIALOGS)
WAYS = ("stls", "implicit")
MECHANISMS = ("USER", "APOP", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256",
              "EXTERNAL")
# Large ones are those of test_clients.py.
MAIL = ("dots", "dot first", "dot crlf", "long lines", "nul", "8-bit", "no final newline",
        "empty body")
KINDS = ("ecdsa", "rsa")    # of certificates, a server each
ANY = "*"

# (client, way, mechanism): why it has no such thing, and how it says so when asked for it.
LACKS = {
    ("curl", ANY, "USER"): ("takes SASL wherever it is offered", "ended with 3"),
    ("curl", ANY, "SCRAM-SHA-1"): ("built without libgsasl", "ended with 67"),
    ("curl", ANY, "SCRAM-SHA-256"): ("built without libgsasl", "ended with 67"),
    ("fetchmail", ANY, "PLAIN"): ("no such mechanism", "syntax error at plain"),
    ("fetchmail", ANY, "LOGIN"): ("no such mechanism", "syntax error at login"),
    ("fetchmail", ANY, "SCRAM-SHA-1"): ("no such mechanism", "syntax error at scram-sha-1"),
    ("fetchmail", ANY, "SCRAM-SHA-256"): ("no such mechanism", "syntax error at scram-sha-256"),
    ("fetchmail", ANY, "EXTERNAL"): ("with IMAP alone", "Authorization failure on fetchmail"),
    ("fetchmail", "stls", "APOP"): ("sends APOP without STLS", "Authorization failure on fetchmail"),
    ("getmail", "stls", ANY): ("no STLS", "TLS is required here"),
    ("getmail", "implicit", "PLAIN"): ("no SASL", "logged in by USER"),
    ("getmail", "implicit", "LOGIN"): ("no SASL", "logged in by USER"),
    ("getmail", "implicit", "CRAM-MD5"): ("no SASL", "logged in by USER"),
    ("getmail", "implicit", "SCRAM-SHA-1"): ("no SASL", "logged in by USER"),
    ("getmail", "implicit", "SCRAM-SHA-256"): ("no SASL", "logged in by USER"),
    ("getmail", "implicit", "EXTERNAL"): ("no SASL", "logged in by USER"),
    ("poplib", ANY, "PLAIN"): ("no SASL", "no attribute 'auth'"),
    ("poplib", ANY, "LOGIN"): ("no SASL", "no attribute 'auth'"),
    ("poplib", ANY, "CRAM-MD5"): ("no SASL", "no attribute 'auth'"),
    ("poplib", ANY, "SCRAM-SHA-1"): ("no SASL", "no attribute 'auth'"),
    ("poplib", ANY, "SCRAM-SHA-256"): ("no SASL", "no attribute 'auth'"),
    ("poplib", ANY, "EXTERNAL"): ("no SASL", "no attribute 'auth'"),
    ("Net::POP3", ANY, "SCRAM-SHA-1"): ("not in Authen::SASL", "supports mechanism 'SCRAM-SHA-1"),
    ("Net::POP3", ANY, "SCRAM-SHA-256"): ("not in Authen::SASL",
                                          "supports mechanism 'SCRAM-SHA-256"),
    ("s_client", "stls", "APOP"): ("hides the greeting", "the greeting was not shown"),
    ("gnutls-cli", "stls", "APOP"): ("hides the greeting", "the greeting was not shown"),
    ("gsasl", ANY, "USER"): ("is no SASL", "Cannot find mechanism"),
    ("gsasl", ANY, "APOP"): ("is no SASL", "Cannot find mechanism"),
}

done = {}       # (client, way, mechanism): True = mail came unchanged, False = it lacks that


def lack(client, way, mechanism):
    """(reason, pattern) of the cell, None if the client has it."""
    return (LACKS.get((client, ANY, mechanism)) or LACKS.get((client, way, ANY))
            or LACKS.get((client, way, mechanism)))


def user_of(kind):
    """Each has a maildrop, as each carries other messages."""
    return kind.name.lower().replace("::", "_")


def carried(kind):
    return [name for name in MAIL if (kind.name, name) not in CANNOT]


class Interoperation(ClientCase):
    """Its tests are made from the table, below."""

    @classmethod
    def setUpClass(cls):
        # What the class starts is ended by a case of its own.
        cls.ground = ClientCase()
        cls.addClassCleanup(cls.ground.doCleanups)
        cls.ca = Authority(cls.ground.temporary("pop3-ca-"))
        for kind in ROWS:
            cls.ca.issue(user_of(kind), names=None, purpose="clientAuth")
        cls.servers = [cls.serve(name) for name in KINDS]
        cls.strangers = Authority(cls.ground.temporary("pop3-ca-"))

    @classmethod
    def serve(cls, name):
        """One with a certificate of this kind, which lets nobody in without TLS."""
        cert, key = cls.ca.issue(name, rsa=name == "rsa", names="DNS:localhost,IP:127.0.0.1")
        users = {user_of(kind): "wonderland" for kind in ROWS}
        server = Server(cls.ground.temporary(), "--cert", cert, "--key", key, "--listen-tls",
                        "127.0.0.1:0", "--require-tls", "always", "--apop", "yes", "--debug", "yes",
                        "--client-certificate", "optional", "--client-ca", cls.ca.ca, users=users)
        cls.ground.addCleanup(cls.ground.judge, server)
        for kind in ROWS:
            server.plant([PLANTED[name] for name in carried(kind)], user_of(kind))
        return server.start(2)

    def client_for(self, kind, way, mechanism):
        """The client before its server, and the server; the kinds of certificates take turns."""
        server = self.servers[(MECHANISMS.index(mechanism) + WAYS.index(way)) % len(KINDS)]
        pair = (self.ca.path(user_of(kind) + ".pem"), self.ca.path(user_of(kind) + ".key"))
        access = clients.Access(server.addresses[WAYS.index(way)], way, mechanism, self.ca.ca,
                                pair if mechanism == "EXTERNAL" else ())
        return self.make(kind, server, user=user_of(kind), access=access), server

    def fetch(self, kind, way, mechanism):
        """The mail, for which nothing but the mechanism was used."""
        client, server = self.client_for(kind, way, mechanism)
        before = len(server.log_text())
        got = client.fetch(len(carried(kind)))
        since = server.log_text()[before:]
        used = set(re.findall(r"event=received verb=\"?(USER|APOP)|event=exchange mechanism=(\S+)",
                              since))
        used = {word for pair in used for word in pair if word}
        if used != {mechanism}:
            raise AssertionError(f"asked for {mechanism}, it logged in by {', '.join(used)}")
        return got

    def mail_comes_unchanged(self, kind, way, mechanism):
        self.assert_unchanged(carried(kind), self.fetch(kind, way, mechanism))
        done[kind.name, way, mechanism] = True

    def the_client_lacks_it(self, kind, way, mechanism, pattern):
        with self.assertRaisesRegex((AssertionError, AttributeError), pattern):
            self.fetch(kind, way, mechanism)
        done[kind.name, way, mechanism] = False
        self.count()

    def a_stranger_is_not_trusted(self, kind, way):
        """A client that knows another authority alone sends no password: the cells above say
        that our certificate was verified."""
        mechanism = next(name for name in MECHANISMS if not lack(kind.name, way, name))
        client, server = self.client_for(kind, way, mechanism)
        client.access.ca = self.strangers.ca
        before = len(server.log_text())
        with self.assertRaises((AssertionError, OSError, Gone)):
            client.fetch(1)
        self.assertNotRegex(server.log_text()[before:], "verb=\"?(USER|APOP|AUTH)")
        self.count()


def cells():
    return [(kind, way, mechanism) for kind in ROWS for way in WAYS for mechanism in MECHANISMS]


def word(text):
    return re.sub("[^a-z0-9]", "_", text.lower())


def make_test(kind, way, mechanism):
    absent = lack(kind.name, way, mechanism)
    if absent:
        return lambda self: self.the_client_lacks_it(kind, way, mechanism, absent[1])
    return lambda self: self.mail_comes_unchanged(kind, way, mechanism)


for _kind, _way, _mechanism in cells():
    _what = "lacks" if lack(_kind.name, _way, _mechanism) else "fetches_unchanged_mail_by"
    setattr(Interoperation, f"test_{word(_kind.name)}_{_what}_{_way}_{word(_mechanism)}",
            make_test(_kind, _way, _mechanism))
for _kind, _way in [(kind, way) for kind in ROWS for way in WAYS]:
    if not lack(_kind.name, _way, ANY):
        setattr(Interoperation, f"test_{word(_kind.name)}_trusts_no_stranger_by_{_way}",
                lambda self, kind=_kind, way=_way: self.a_stranger_is_not_trusted(kind, way))


# ---- The table ----


def table():
    """Lines: a mark a cell, S = mail came by STLS, I = by implicit TLS, - = the client lacks that,
    ? = it was not run or failed; then the reasons."""
    marks = {True: "SI", False: "--", None: "??"}
    wide = [max(4, len(mechanism)) for mechanism in MECHANISMS]
    yield "client     " + " ".join(map(str.ljust, MECHANISMS, wide)).rstrip()
    for kind in ROWS:
        words = ["".join(marks[done.get((kind.name, way, mechanism))][WAYS.index(way)]
                         for way in WAYS) for mechanism in MECHANISMS]
        yield kind.name.ljust(10) + " " + " ".join(map(str.ljust, words, wide)).rstrip()
    reasons = {}
    for (client, way, mechanism), (reason, _) in LACKS.items():
        reasons.setdefault((client, way, reason), []).append(mechanism)
    for (client, way, reason), names in reasons.items():
        where = "" if way == ANY else f" by {way}"
        yield f"-: {client}{where}, {', '.join(names).replace(ANY, 'all')}: {reason}"


def tearDownModule():
    for line in table():
        print("interop: " + line)


