"""ALPN (RFC 7301): a foreign protocol is refused with its alert, none is accepted, unless one is
required. So no page that a browser is made to load can speak to this server in another's name."""

import ssl

from tls_ground import TlsCase, VERSIONS, WAYS

OFFERS = {
    "h2": ("h2",),
    "http/1.1": ("http/1.1",),
    "imap": ("imap",),
    "smtp": ("smtp",),
    "absent": (),
    "pop3": ("pop3",),
    "both": ("h2", "pop3"),
}


class Alpn(TlsCase):
    def meet(self, server, way, version, offer):
        """The protocol agreed on, None for none, or the alert."""
        try:
            client = self.tls_client(server, way, login="alice", version=version,
                                     alpn=OFFERS[offer])
        except ssl.SSLError as error:
            return str(error).partition("] ")[2].partition(" (")[0]
        chosen = client.socket.selected_alpn_protocol()
        client.quit()
        return chosen

    def matrix(self, wanted, *arguments):
        server = self.tls_server(*arguments)
        for offer, expected in wanted.items():
            for way in WAYS:
                for version in VERSIONS:
                    self.assertEqual(self.meet(server, way, version, offer), expected,
                                     f"{offer} {way} {version}")
                    self.count()
        self.fails(server, "No common application protocol")

    def test_foreign_protocols_are_refused_with_their_alert_and_none_is_fine(self):
        refused = "tlsv1 alert no application protocol"
        self.matrix({"h2": refused, "http/1.1": refused, "imap": refused, "smtp": refused,
                     "absent": None, "pop3": "pop3", "both": "pop3"})

    def test_where_one_is_required_none_is_refused_too(self):
        refused = "tlsv1 alert no application protocol"
        self.matrix({"h2": refused, "http/1.1": refused, "imap": refused, "smtp": refused,
                     "absent": refused, "pop3": "pop3", "both": "pop3"}, "--alpn", "required")
