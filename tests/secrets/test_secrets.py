"""Passwords and SASL responses are gone once they have been used: out of the memory of the server, its
log, and what its clients have heard. test_control.py shows that they would be found."""

from secrets_ground import (AuthLogin, OauthBearer, Pass, PassAtOnce, Plain, PlainLater, ScramLogin,
                            SecretsCase, Xoauth2, hashed, scram_hashed, verified)


class Secrets(SecretsCase):
    def test_nothing_is_left_of_passwords_that_are_checked_by_crypt(self):
        self.look(hashed, (Pass, PassAtOnce, Plain, PlainLater, AuthLogin))

    def test_nothing_is_left_of_passwords_and_proofs_that_are_checked_by_scram_keys(self):
        self.look(scram_hashed, (Pass, Plain, ScramLogin))

    def test_nothing_is_left_of_passwords_and_tokens_that_a_program_checks(self):
        self.look(verified, (Pass, Plain, OauthBearer, Xoauth2),
                  "--verify-command", self.program())
