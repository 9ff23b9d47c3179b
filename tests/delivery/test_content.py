"""What was delivered, octet by octet, and how POP3 serves it."""

from support import messages
from support.delivery import MESSAGE, DeliveryTestCase


class Content(DeliveryTestCase):
    def test_any_octets_are_kept_and_served_right(self):
        mails = [b"", b"\n", b"\r\n", b"\r", b"no end", b"A: b\r\n\r\nx\r\n", b"A: b\n\nx\n",
                 b"mixed\r\nline\nends\r\r\n\n\r", b".\n..\r\n.\r.\n", b"nul\0\n\0\r\n",
                 bytes(range(256)) * 3, b"\xff\xfe caf\xe9\n", b"x" * 70_000,
                 b"\r\n" * 40_000, b"a" * 16_383 + b"\r\n" + b"b" * 16_384 + b"\n"]
        for data in mails:
            self.deliver(data=data)
        names = sorted(messages.files(self.place.box()))
        self.assertEqual(len(mails), len(names))
        self.place.start()
        self.addCleanup(self.judge, self.place)
        client = self.client(self.place, login="alice")
        total = sum(len(messages.repaired(data)) for data in mails)
        self.assertEqual(f"+OK {len(mails)} {total}", client.ok("STAT"))
        for number, data in enumerate(mails, 1):
            self.assertEqual(f"+OK {number} {len(messages.repaired(data))}",
                             client.ok(f"LIST {number}"))
            self.assertEqual(messages.stuffed(data), client.multiline(f"RETR {number}")[1])
        client.quit()

    def delivers(self, data, expected, *flags):
        self.deliver(*flags, data=data)
        self.assertEqual(expected, self.take_delivered())

    def test_return_path_and_delivered_to_stand_above_the_message(self):
        both = ("--return-path", "a@b.example", "--delivered-to", "alice@x.example")
        self.delivers(b"Subject: x\n\ny\n", b"Return-Path: <a@b.example>\n"
                      b"Delivered-To: alice@x.example\nSubject: x\n\ny\n", *both)
        self.delivers(b"Subject: x\r\n\r\ny\n", b"Return-Path: <a@b.example>\r\n"
                      b"Delivered-To: alice@x.example\r\nSubject: x\r\n\r\ny\n", *both)
        self.delivers(b"", b"Return-Path: <a@b.example>\nDelivered-To: alice@x.example\n", *both)
        self.delivers(MESSAGE, b"Return-Path: <>\n" + MESSAGE, "--return-path", "")
        self.delivers(MESSAGE, b"Return-Path: <>\n" + MESSAGE, "--return-path=<>")
        self.delivers(MESSAGE, b"Return-Path: <-x@y>\n" + MESSAGE, "--return-path", "-x@y")
        self.delivers(MESSAGE, b"Delivered-To: J\xc3\xb6rg@x\n" + MESSAGE,
                      "--delivered-to", "J\u00f6rg@x")
        self.delivers(MESSAGE, MESSAGE)

    def test_first_line_of_an_mbox_is_left_out(self):
        line = b"From a@b.example  Sat Jul  4 10:00:00 1863\n"
        self.delivers(line + MESSAGE, MESSAGE)
        self.delivers(line + MESSAGE, b"Return-Path: <a@b.example>\n" + MESSAGE,
                      "--return-path", "a@b.example")
        self.delivers(line + b"From c@d.example\n", b"From c@d.example\n")
        self.delivers(b"From: a\n\nFrom b\n", b"From: a\n\nFrom b\n")
        self.delivers(b"From : a\n", b"From : a\n")
