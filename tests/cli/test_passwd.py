"""`pop3-emitter passwd`: the file keeps its order, comments, owner and mode; secrets come from
stdin and are shown nowhere."""

import os
import stat

from support.case import TestCase
from support.server import run, unprivileged

DATA = 65
NOINPUT = 66
NOUSER = 67
NOPERM = 77

FILE = """# the users of wonderland

alice:{PLAIN}wonderland:::Alice, of course:/srv/alice:/bin/false:extra
# bob builds
bob:{PLAIN}builder
carol:$y$j9T$DlF4JwmfEBmPgSYvPbcOh1$cMxF0ddHE8mpWUZ7MrqWk2U9T0ov4yAqC3RB2zdlJm/::::/srv/carol
"""


class Passwd(TestCase):
    def setUp(self):
        self.folder = self.temporary()
        self.path = os.path.join(self.folder, "passwd")

    def write(self, text=FILE, mode=0o640):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path, mode)

    def read(self):
        with open(self.path, encoding="utf-8") as file:
            return file.read()

    def passwd(self, *words, secret=None, code=0):
        done = run("passwd", "-f", self.path, *words,
                   stdin=b"" if secret is None else secret.encode() + b"\n")
        text = self.assert_exit(done, code)
        if secret:
            self.assertNotIn(secret, text)
        self.count()
        return text

    def test_add_makes_a_private_file_with_a_yescrypt_secret(self):
        self.passwd("add", "alice", secret="wonderland")
        self.assertRegex(self.read(), r"\Aalice:\{[A-Z-]+\}\$y\$[^:\n]+\n\Z")
        self.assertEqual(0o600, stat.S_IMODE(os.stat(self.path).st_mode))
        self.passwd("verify", "alice", secret="wonderland")

    def test_verify_stores_no_password_and_asks_for_none(self):
        self.passwd("--scheme", "verify", "add", "alice")
        self.assertEqual("alice:{VERIFY}\n", self.read())
        self.assertRegex(self.passwd("list"), r"alice\tverify\t-\n")
        self.assertRegex(self.passwd("verify", "alice", secret="x", code=DATA), "verify_command")
        self.passwd("set", "alice", secret="wonderland")
        self.passwd("verify", "alice", secret="wonderland")
        self.passwd("--scheme", "verify", "set", "alice")
        self.assertEqual("alice:{VERIFY}\n", self.read())

    def test_add_appends_and_keeps_the_rest(self):
        self.write()
        self.passwd("add", "dave", secret="hal")
        text = self.read()
        self.assertTrue(text.startswith(FILE))
        self.assertRegex(text[len(FILE):], r"\Adave:[^:\n]+\n\Z")

    def test_add_to_a_file_without_a_final_newline_makes_a_line_of_its_own(self):
        self.write(FILE.rstrip("\n"))
        self.passwd("add", "dave", secret="hal")
        self.assertTrue(self.read().startswith(FILE + "dave:"))

    def test_set_changes_one_secret_and_nothing_else(self):
        self.write()
        self.passwd("set", "alice", secret="looking-glass")
        old, new = FILE.splitlines(), self.read().splitlines()
        self.assertEqual(len(old), len(new))
        self.assertEqual(old[:2] + old[3:], new[:2] + new[3:])
        self.assertEqual(old[2].split(":")[2:], new[2].split(":")[2:])
        self.passwd("verify", "alice", secret="looking-glass")
        self.passwd("verify", "alice", secret="wonderland", code=NOPERM)

    def test_remove_takes_one_line_and_keeps_comments(self):
        self.write()
        self.passwd("remove", "bob")
        self.assertEqual(FILE.replace("bob:{PLAIN}builder\n", ""), self.read())

    def test_edits_keep_owner_and_mode(self):
        self.write(mode=0o604)
        account = unprivileged()
        if account:
            os.chown(self.path, account.pw_uid, account.pw_gid)
        before = os.stat(self.path)
        self.passwd("set", "bob", secret="can we fix it")
        self.passwd("add", "dave", secret="hal")
        self.passwd("remove", "carol")
        after = os.stat(self.path)
        self.assertEqual((before.st_mode, before.st_uid, before.st_gid),
                         (after.st_mode, after.st_uid, after.st_gid))
        self.assertEqual(["passwd"], os.listdir(self.folder), "no temporary file stays")

    def test_list_names_users_in_order_without_secrets(self):
        self.write()
        text = self.passwd("list")
        names = [line.split()[0].rstrip(":") for line in text.splitlines()]
        self.assertEqual(["alice", "bob", "carol"], names)
        for secret in ("wonderland", "builder", "$y$"):
            self.assertNotIn(secret, text)

    def test_verify_says_yes_or_no_by_its_code(self):
        self.write()
        self.passwd("verify", "bob", secret="builder")
        self.passwd("verify", "bob", secret="Builder", code=NOPERM)
        self.passwd("verify", "bob", secret="", code=NOPERM)
        self.passwd("verify", "nobody-here", secret="builder", code=(NOUSER, NOPERM))

    def test_unknown_and_known_users_are_refused(self):
        self.write()
        self.passwd("add", "alice", secret="again", code=(DATA, 73))
        self.passwd("set", "mallory", secret="again", code=NOUSER)
        self.passwd("remove", "mallory", code=NOUSER)
        self.assertEqual(FILE, self.read())

    def test_empty_secret_is_refused(self):
        self.write()
        self.passwd("add", "dave", secret="", code=DATA)
        self.passwd("set", "bob", code=DATA)
        self.assertEqual(FILE, self.read())

    def test_names_that_would_break_the_file_are_refused(self):
        self.write()
        for name in ("a:b", "a\nb", "", "#comment", "x" * 300):
            with self.subTest(name=name[:20]):
                done = run("passwd", "-f", self.path, "add", name, stdin=b"secret\n")
                self.assert_exit(done, (64, DATA))
                self.assertEqual(FILE, self.read())
                self.count()

    def test_broken_file_is_refused_by_line_and_left_alone(self):
        broken = FILE + "mallory:{NOSUCH}x\n"
        self.write(broken)
        for words in (["add", "dave"], ["set", "bob"], ["remove", "bob"], ["list"],
                      ["verify", "bob"]):
            with self.subTest(words=words):
                text = self.passwd(*words, secret="hal-9000", code=(DATA, 78))
                self.assertRegex(text, r"passwd:7\b")
                self.assertEqual(broken, self.read())

    def test_missing_file_is_named(self):
        for words in (["set", "bob"], ["remove", "bob"], ["list"], ["verify", "bob"]):
            with self.subTest(words=words):
                text = self.passwd(*words, secret="hal-9000", code=NOINPUT)
                self.assertIn(self.path, text)
                self.assertFalse(os.path.exists(self.path))

    def test_symbolic_link_is_followed(self):
        self.write()
        link = os.path.join(self.folder, "link")
        os.symlink("passwd", link)
        done = run("passwd", "-f", link, "set", "bob", stdin=b"changed\n")
        self.assert_exit(done, 0)
        self.assertTrue(os.path.islink(link))
        self.passwd("verify", "bob", secret="changed")

    def test_secret_may_hold_blanks_and_eight_bits(self):
        self.passwd("add", "alice", secret=" two  words and a \u00fc ")
        self.passwd("verify", "alice", secret=" two  words and a \u00fc ")
        self.passwd("verify", "alice", secret="two  words and a \u00fc", code=NOPERM)

    def test_what_passwd_wrote_logs_in(self):
        server = self.server()
        for user, secret in (("alice", "new one"), ("bob", "new two")):
            done = run("passwd", "-f", server.passwd_path, "set", user,
                       stdin=secret.encode() + b"\n")
            self.assert_exit(done, 0)
            server.users[user] = secret
            self.client(server, login=user).quit()
            self.count()
