"""Each send/expect script in scripts/ is a test: run whole, byte by byte and pipelined, it must
get exactly the octets it expects, the same in all three, and leave the messages it says."""

import re

import script
from ground import refill
from support import messages
from support.case import TestCase
from support.wire import MODES, Client, Gone


def converse(client, steps, mode):
    """Plays the steps; every reply is compared as it comes. Returns the octets after the last."""
    if mode == "pipelined":
        client.send(b"".join(sent for sent, _ in steps))
    for sent, expected in steps:
        try:
            if mode == "bytewise":
                client.send_bytewise(sent)
            elif mode == "whole":
                client.send(sent)
        except OSError:
            if expected:
                raise  # else it is what follows QUIT: the server may have closed
        for want in expected:
            try:
                line = client.line()
            except Gone as gone:
                raise AssertionError(f"after {sent!r}: {gone}; expected {want[0]!r}") from None
            if not script.matches(want, line):
                raise AssertionError(f"after {sent!r}:\nexpected {want[0]!r}\ngot      {line!r}")
    try:
        client.finish_sending()
    except OSError:
        pass  # the server closed first
    return client.rest()


class Scripts(TestCase):
    """Its test methods are made from the files, below."""

    def play(self, play):
        server = self.server(*play.options, users=play.users)
        server.expect_log(r"event=login\b.*result=(denied|in-use)\b")
        for user in play.hold:
            self.client(server, login=user)
        transcripts = [self.run_in(mode, server, play) for mode in MODES]
        self.assertEqual(len(set(transcripts)), 1, "the modes differ")

    def run_in(self, mode, server, play):
        """One run on a fresh maildrop; returns the transcript, timestamps blanked."""
        if mode != MODES[0] and "alice" not in play.hold:
            self.wait_until(lambda: self.free(server), "the maildrop stays locked")
        names = refill(server, play.messages)
        with Client(server.address, greet=False) as client:
            try:
                rest = converse(client, play.steps, mode)
            except AssertionError as problem:
                self.fail(f"{mode}: {problem}")
            transcript = bytes(client.transcript)
        self.assertEqual(rest, b"", f"{mode}: octets after the last reply")
        self.assertEqual(messages.files(server.box()),
                         [names[number - 1] for number in play.left], f"{mode}: messages left")
        self.count()
        return re.sub(rb"<[^>]*>", b"<>", transcript)

    @staticmethod
    def free(server):
        """True if alice can log in: the session before is over."""
        with Client(server.address) as client:
            client.command("USER alice")
            free = client.command(f"PASS {server.users['alice']}").startswith("+OK")
            client.quit()
        return free


def add(play):
    def test(self):
        self.play(play)
    setattr(Scripts, "test_" + play.name, test)


for found in script.all_scripts():
    add(found)
