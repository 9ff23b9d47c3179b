"""The clients people use log in with each mechanism of AUTH that they have, and fetch mail."""

import tempfile

import clients
from support import messages
from support.case import TestCase

MESSAGE = b"Subject: one\n\nfirst\n"


class Curl(clients.Curl):
    """curl told which mechanism to take."""

    def curl(self, *arguments):
        return super().curl("--login-options", f"AUTH={self.mechanism}", *arguments)


class Mpop(clients.Mpop):
    """mpop likewise."""

    mechanism = "PLAIN"

    def write(self, name, text, mode=0o600):
        return super().write(name, text.replace("auth user", f"auth {self.mechanism.lower()}"),
                             mode)


# (client, mechanism). curl has SCRAM only where it is built with libgsasl.
CELLS = [(Curl, "PLAIN"), (Curl, "LOGIN"), (Curl, "CRAM-MD5"),
         (Mpop, "PLAIN"), (Mpop, "LOGIN"), (Mpop, "CRAM-MD5"),
         (Mpop, "SCRAM-SHA-1"), (Mpop, "SCRAM-SHA-256")]


class Mechanisms(TestCase):
    """Its test methods are made from the table, below."""

    def log_in(self, kind, mechanism):
        server = self.server("--apop", "yes", "--debug", "yes")
        server.plant([MESSAGE])
        with tempfile.TemporaryDirectory(prefix="pop3-home-") as home:
            client = kind(home, server)
            client.mechanism = mechanism
            got = client.fetch(1)
        self.assertEqual([messages.digest(MESSAGE)], [messages.digest(one) for one in got])
        # Nothing but the mechanism was used.
        self.assert_log(r"event=received .*verb=\"?AUTH", server)
        self.assertNotRegex(server.log_text(), r"verb=\"?(USER|PASS|APOP)")
        self.count()


def make_test(kind, mechanism):
    return lambda self: self.log_in(kind, mechanism)


for _kind, _mechanism in CELLS:
    setattr(Mechanisms, f"test_{_kind.name}_logs_in_by_{_mechanism.lower().replace('-', '_')}",
            make_test(_kind, _mechanism))
