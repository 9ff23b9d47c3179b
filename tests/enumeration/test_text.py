"""Nobody learns from an answer who exists: it is the same, to the octet, for whoever cannot log in."""

from attempts import (Apop, CramMd5, ITERATIONS, Login, Pass, Plain, ScramAttempt, hashed,
                      scram_hashed)
from support.case import TestCase

DENIED = "-ERR [AUTH] authentication failed"
HASH = "$6$rounds=1000$saltsaltsaltsalt$"


def passwd_of_hashes():
    """By name what is special about a user; nobody-… are in no file."""
    usual = hashed(HASH)
    return {
        "wrong": usual, "usual": usual,
        "other-method": hashed("$2b$04$saltsaltsaltsaltsaltsu"),
        "other-cost": hashed("$6$rounds=2000$saltsaltsaltsalt$"),
        "plain": "{PLAIN}right",
        "scram": scram_hashed(4096),
        "disabled": "!" + usual,
        "starred": "*",
        "empty": "",
        "root": usual + ":0:0::/root",
        "costly": "$6$rounds=999999999$saltsaltsaltsalt$" + "x" * 86,
        "homeless": usual + "::::/nonexistent/home",
        "of-another": usual + ":12345:::/nonexistent/home",
        "odd..name": usual,
    }


UNKNOWN = ("nobody", "nobody@example.org", "..", "usual@example.org", "USUAL", "x" * 40)


class Text(TestCase):
    def serve(self, secrets, *arguments):
        passwd = "".join(f"{user}:{secret}\n" for user, secret in secrets.items())
        server = self.server("--apop", "yes", *arguments, users={}, passwd=passwd)
        server.expect_log("event=(login|login_refused) ")
        return server

    def assert_same(self, server, attempt, users):
        """The answers that all these users get, each asked on a connection of its own."""
        answers = {}
        for user in users:
            client = self.client(server)
            answers[user] = attempt.tell(client, user)
            client.close()
            self.count()
        first = next(iter(answers.values()))
        for user, told in answers.items():
            self.assertEqual(told, first, f"{attempt.name} {user}")
        self.assertEqual(first[-1], DENIED)
        return first

    def test_answers_to_a_failed_login_are_the_same_octets_for_all(self):
        secrets = passwd_of_hashes()
        server = self.serve(secrets)
        for attempt in (Pass(), Plain(), Login(), Apop(), CramMd5()):
            with self.subTest(attempt.name):
                self.assert_same(server, attempt, [*secrets, *UNKNOWN])

    def scram_server(self, *arguments):
        secrets = {"wrong": scram_hashed(), "second": scram_hashed(), "plain": "{PLAIN}right",
                   "disabled": "!" + scram_hashed(), "root": scram_hashed() + ":0",
                   "empty": "", "homeless": scram_hashed() + "::::/nonexistent/home"}
        return secrets, self.serve(secrets, *arguments)

    def test_scram_shows_all_users_what_most_are_shown(self):
        secrets, server = self.scram_server()
        users = [*secrets, *UNKNOWN]
        form = self.assert_same(server, ScramAttempt(), users)[0]
        self.assertEqual(form[:3], (["i", "r", "s"], str(ITERATIONS), 16))

    def test_sha1_shows_all_users_what_most_are_shown(self):
        secrets = {"wrong": "{PLAIN}right", "disabled": "!{PLAIN}right"}
        server = self.serve(secrets)
        self.assert_same(server, ScramAttempt("SCRAM-SHA-1"), [*secrets, *UNKNOWN])

    def salts(self, server, users):
        found = {}
        for user in users:
            client = self.client(server)
            found[user] = ScramAttempt().begin(client, user)["s"]
            client.close()
            self.count()
        return found

    def test_each_user_has_one_salt_of_its_own(self):
        secrets, server = self.scram_server()
        users = [*secrets, *UNKNOWN]
        salts = self.salts(server, users)
        self.assertEqual(salts, self.salts(server, users))
        self.assertEqual(len(set(salts.values())), len(users))

    def test_salts_are_the_same_after_a_restart(self):
        if not machine_id():
            self.cannot("/etc/machine-id is empty: salts hold as long as the server runs")
        secrets, server = self.scram_server()
        users = [*secrets, *UNKNOWN]
        salts = self.salts(server, users)
        server.stop()
        server.start()
        self.assertEqual(salts, self.salts(server, users))

    def test_where_domains_are_stripped_they_change_no_salt(self):
        _, server = self.scram_server("--strip-domain", "yes")
        for user in ("wrong", "plain", "disabled", "nobody"):
            salts = self.salts(server, (user, user + "@example.org", user + "@example.com"))
            self.assertEqual(len(set(salts.values())), 1, user)


def machine_id():
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            return len(file.read()) >= 32
    except FileNotFoundError:
        return False
