"""The clients people use log in with each mechanism of AUTH that they have, and fetch mail."""

import tempfile

import clients
from support import messages
from support.case import TestCase

MESSAGE = b"Subject: one\n\nfirst\n"

# (client, mechanism). curl has SCRAM only where it is built with libgsasl.
CELLS = [(clients.Curl, "PLAIN"), (clients.Curl, "LOGIN"), (clients.Curl, "CRAM-MD5"),
         (clients.Mpop, "PLAIN"), (clients.Mpop, "LOGIN"), (clients.Mpop, "CRAM-MD5"),
         (clients.Mpop, "SCRAM-SHA-1"), (clients.Mpop, "SCRAM-SHA-256")]


class Mechanisms(TestCase):
    """Its test methods are made from the table, below."""

    def log_in(self, kind, mechanism):
        server = self.server("--apop", "yes", "--debug", "yes")
        server.plant([MESSAGE])
        with tempfile.TemporaryDirectory(prefix="pop3-home-") as home:
            access = clients.Access(server.address, mechanism=mechanism)
            got = kind(home, server, access=access).fetch(1)
        self.assertEqual([messages.digest(MESSAGE)], [messages.digest(one) for one in got])
        # Nothing but the mechanism was used.
        self.assert_log(rf"event=exchange mechanism={mechanism}$", server)
        self.assertNotRegex(server.log_text(), r"verb=\"?(USER|PASS|APOP)")
        self.count()


def make_test(kind, mechanism):
    return lambda self: self.log_in(kind, mechanism)


for _kind, _mechanism in CELLS:
    setattr(Mechanisms, f"test_{_kind.name}_logs_in_by_{_mechanism.lower().replace('-', '_')}",
            make_test(_kind, _mechanism))
