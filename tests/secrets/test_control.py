"""Does the search for secrets find what there is? A program that wipes nothing is found out, and so
is what was planted in a text."""

import os
import unittest.mock

from secrets_ground import (AuthLogin, OauthBearer, Pass, Plain, ScramLogin, SecretsCase, Xoauth2,
                            add_key, hashed, scram_hashed, verified)
from support.scram import encode
from support.server import binary

UNWIPED = binary() + "-unwiped"


class Control(SecretsCase):
    def found(self, secret_of, kinds, *arguments):
        server = self.start(secret_of, *arguments)
        self.log_in(server, kinds)
        return self.memory(server)

    def test_a_program_that_wipes_nothing_is_found_out(self):
        self.assertTrue(os.access(UNWIPED, os.X_OK), f"make {UNWIPED}")
        with unittest.mock.patch.dict(os.environ, POP3_EMITTER=UNWIPED):
            for kind in (Pass, Plain, AuthLogin):
                self.watch_passwords()
                self.assertIn("a password", self.found(hashed, (kind,)), kind.name)
            found = self.found(scram_hashed, (ScramLogin,))
            self.assertLessEqual({"a proof of SCRAM", "a final response of SCRAM"}, found)
            for kind in (OauthBearer, Xoauth2):
                self.watch_passwords()
                found = self.found(verified, (kind,), "--verify-command", self.program())
                self.assertLessEqual({"a password", f"a message of {kind.name}"}, found)

    def test_what_is_planted_in_a_text_is_found_in_each_form(self):
        add_key(self.search, self.ca.path("localhost.key"))
        password = self.users["user-of-the-number-0"].encode()
        with open(self.ca.path("localhost.key"), "rb") as file:
            key = file.read()
        for before in range(4):
            for text in (password, encode(bytes(before) + password + bytes(before))):
                self.assertEqual(self.search.in_text(b"x" * before + text + b"y"), {"a password"})
                self.count()
        self.assertEqual(self.search.in_text(key), {"a private key"})
        self.assertEqual(self.search.in_text(key.splitlines()[1]), {"a private key"})
