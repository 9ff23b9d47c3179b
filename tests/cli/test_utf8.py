"""Which messages clients in ASCII mode get, as the settings say: what the program knows of headers
before it answers, and how it knows (RFC 6856)."""

import os
import signal

from support.case import TestCase
from support.server import own

WIDE = "Subject: Grüße\n\nbody\n".encode()
PLAIN = b"Subject: plain\n\nbody\n"
REFUSED = "-ERR [UTF8] message can only be sent after UTF8"


def plant_claimed(server, data, number):
    """A message whose sizes are in its name, as deliveries write them: it need not be read."""
    name = f"{1000000000 + number}.test.mail.example,S={len(data)},W={len(data) + data.count(10)}"
    with open(os.path.join(server.box(), "new", name), "wb") as file:
        file.write(data)
    own(server.box())


class Utf8(TestCase):
    def login(self, server, utf8=False):
        client = self.client(server)
        if utf8:
            client.ok("UTF8")
        client.login()
        return client

    def expect(self, server, answers):
        """What RETR of each message is answered with, and TOP in the same way."""
        client = self.login(server)
        for number, answer in enumerate(answers, 1):
            for command in (f"RETR {number}", f"TOP {number} 0"):
                status = client.command(command)
                if answer:
                    self.assertEqual(answer, status, command)
                else:
                    self.assertTrue(status.startswith("+OK"), f"{command}: {status}")
                    client.body()
        client.quit()
        self.count(len(answers))

    def test_headers_of_messages_that_were_never_read_are_looked_at(self):
        server = self.server("--utf8", "strict")
        for number, data in enumerate((WIDE, PLAIN, WIDE), 1):
            plant_claimed(server, data, number)
        # The second time the index has what the first login knew, which is nothing.
        self.expect(server, (REFUSED, None, REFUSED))
        self.expect(server, (REFUSED, None, REFUSED))
        client = self.login(server, utf8=True)
        self.assertEqual(WIDE.replace(b"\n", b"\r\n"), client.multiline("RETR 1")[1])
        client.quit()
        self.assert_log(r"level=info event=store .*needs a client that says UTF8", server)

    def test_headers_are_known_from_the_index(self):
        server = self.server("--utf8", "strict")
        server.plant([WIDE, PLAIN])
        self.expect(server, (REFUSED, None))
        self.expect(server, (REFUSED, None))

    def test_message_that_is_header_alone_is_looked_at_whole(self):
        server = self.server("--utf8", "strict")
        long = b"X: " + b"0123456789abcdef" * 4 + b"\n"
        plant_claimed(server, long * 40000 + "X: ü\n".encode(), 1)
        plant_claimed(server, long * 40000, 2)
        self.expect(server, (REFUSED, None))

    def test_withheld_message_can_be_deleted(self):
        server = self.server("--utf8", "strict")
        server.plant([WIDE, PLAIN])
        client = self.login(server)
        self.assertEqual(REFUSED, client.command("RETR 1"))
        client.ok("DELE 1")
        client.quit()
        self.expect(server, (None,))

    def test_withheld_message_stays_new(self):
        server = self.server("--utf8", "strict", "--mark-seen", "yes")
        server.plant([WIDE, PLAIN])
        self.expect(server, (REFUSED, None))
        self.wait_until(lambda: len(os.listdir(os.path.join(server.box(), "cur"))) == 1,
                        "the message that was sent does not move")
        self.assertEqual(1, len(os.listdir(os.path.join(server.box(), "new"))))

    def test_reload_changes_who_gets_what(self):
        server = self.server(config="utf8 = on\nlanguage = de\n")
        server.plant([WIDE])
        self.expect(server, (None,))
        server.write(server.config_path, "utf8 = strict\nlanguage = fr\n")
        server.signal(signal.SIGHUP)
        self.wait_until(lambda: self.client(server).command("LANG *").startswith("+OK fr "),
                        "the new language is not taken")
        self.expect(server, (REFUSED,))
