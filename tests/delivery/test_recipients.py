"""Whose mail an address is: `pop3-emitter deliver` with strip_domain and recipient_delimiter, and that
logins know the first alone."""

import os

from support import messages
from support.delivery import MESSAGE, NOUSER, USAGE, DeliveryTestCase

ADDRESS = "alice+lists@example.org"
NAMES = (ADDRESS, "alice@example.org", "alice+lists", "alice")
BOTH = ("--strip-domain", "--recipient-delimiter", "+")


class Recipients(DeliveryTestCase):
    def users(self, *names):
        self.place.write_passwd("".join(f"{name}:{{PLAIN}}x\n" for name in names))

    def test_longest_name_that_is_a_user_gets_the_mail(self):
        for number, name in enumerate(NAMES):
            with self.subTest(name=name):
                self.users(*NAMES[number:])
                self.deliver(*BOTH, user=ADDRESS)
                self.assertEqual(MESSAGE, self.delivered(name)[1])
        self.assertEqual(sorted(NAMES + ("bob",)), sorted(os.listdir(self.place.mail)))

    def test_nothing_is_stripped_unless_it_is_set(self):
        self.users("alice")
        for flags, user in (((), ADDRESS), (("--strip-domain",), ADDRESS),
                            (("--recipient-delimiter", "+"), ADDRESS),
                            (("--recipient-delimiter", "-"), "alice+lists"), ((), "alice@x")):
            with self.subTest(flags=flags, user=user):
                self.deliver(*flags, user=user, code=NOUSER, pattern="no user ")
        self.assert_nothing_delivered()

    def test_any_of_several_delimiters_of_the_configuration_begins_an_extension(self):
        config = os.path.join(self.temporary(), "config")
        self.place.write(config, "recipient_delimiter = -+\nstrip_domain = yes\n")
        for number, user in enumerate(("alice-lists@example.net", "alice+x-y", "alice-"), 1):
            self.deliver("-c", config, user=user)
            self.assertEqual(number, len(messages.files(self.place.box())))

    def test_part_of_an_address_is_no_path(self):
        for user in ("../alice@example.org", "../alice+x", "alice/..+x", ".+x@example.org",
                     "..@example.org", "@example.org", "+alice@example.org", "+", "@"):
            with self.subTest(user=user):
                self.deliver(*BOTH, user=user, code=NOUSER)
        self.assertEqual(["alice", "bob"], sorted(os.listdir(self.place.mail)))
        self.assert_nothing_delivered()

    def test_any_user_is_taken_as_it_is_named(self):
        folder = self.temporary()
        self.place.mail = folder
        self.deliver("--any-user", *BOTH, user=ADDRESS)
        self.assertEqual([ADDRESS], os.listdir(folder))

    def test_delimiter_that_is_in_every_name_is_refused(self):
        for value in ("plus", "+x", "1", "@", "+ -", "", "é"):
            with self.subTest(value=value):
                self.deliver("--recipient-delimiter", value, code=USAGE,
                             pattern="--recipient-delimiter: .* must")
        self.deliver("--recipient-delimiter", "+-_.=#")

    def test_login_takes_a_domain_and_no_extension(self):
        server = self.server("--failure-delay", "0",
                             config="recipient_delimiter = +\nstrip_domain = yes\n")
        server.expect_log(r'event=login user="alice\+lists.* result=denied')
        for user, answer in (("alice@example.org", "+OK"), ("alice+lists", "-ERR [AUTH]"),
                             (ADDRESS, "-ERR [AUTH]"), ("alice", "+OK")):
            client = self.client(server)
            client.ok(f"USER {user}")
            self.assertTrue(client.command("PASS wonderland").startswith(answer), user)
            client.quit()
            self.count()
