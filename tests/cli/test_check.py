"""`pop3-emitter check`: it says what is wrong, where, and says nothing bad about what is right."""

import os
import shutil

from support.case import TestCase
from support.server import Server, run, unprivileged

CONFIG = 78


class CheckCase(TestCase):
    def setUp(self):
        self.place = Server(self.temporary())
        account = unprivileged()
        self.user = ["--user", account.pw_name] if account else []

    def check(self, code, *patterns, config=None, extra=()):
        words = ["check", "--passwd", self.place.passwd_path, "--maildir", self.place.mail]
        if config is not None:
            path = os.path.join(self.place.folder, "config")
            self.place.write(path, config)
            words += ["-c", path]
        self.count()
        return self.assert_exit(run(*words, *self.user, *extra), code, *patterns)


class Check(CheckCase):
    def test_sound_installation_passes(self):
        self.check(0, config="idle_timeout = 300\n")

    def test_wrong_configuration_is_named_by_line(self):
        self.check(CONFIG, r"config:2\b", "nonsense", config="debug = no\nnonsense = 1\n")

    def test_wrong_passwd_file_is_named_by_line(self):
        self.place.write_passwd("alice:{PLAIN}x\nbob:{NOSUCH}y\n")
        self.check((CONFIG, 65), r"passwd:2\b")

    def test_users_who_can_never_log_in_are_reported_by_line(self):
        home = self.place.home("alice")
        self.place.write_passwd(f"alice:{{PLAIN}}x::::{home}\nroot:{{PLAIN}}x:0:0::{home}\n"
                                f"empty:{{PLAIN}}::::{home}\nother:{{PLAIN}}x:4242:::{home}\n")
        text = self.check((CONFIG, 65))
        for line, name in ((2, "root"), (3, "empty"), (4, "other")):
            self.assertRegex(text, rf"passwd:{line}\b")
            self.assertIn(name, text)
        self.assertNotRegex(text, r"passwd:1\b")

    def test_hashes_that_are_weak_or_too_costly_are_named_by_line(self):
        home = self.place.home("alice")
        md5 = "$1$saltsalt$le8lFSqqnPaRFOlmAZpvH1"
        slow = "$2b$31$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
        self.place.write_passwd(f"fine:{{PLAIN}}x::::{home}\nold:{md5}::::{home}\n")
        text = self.check(0, r"passwd:2: old: note: the hash is weak")
        self.assertNotRegex(text, r"passwd:1\b")
        self.place.write_passwd(f"fine:{{PLAIN}}x::::{home}\nslow:{slow}::::{home}\n")
        self.check((CONFIG, 65), r"passwd:2: slow: cannot log in: the hash costs too much")

    def test_user_whom_no_program_verifies_is_named_by_line(self):
        home = self.place.home("alice")
        self.place.write_passwd(f"fine:{{PLAIN}}x::::{home}\nasked:{{VERIFY}}::::{home}\n")
        text = self.check(65, r"passwd:2: asked: cannot log in: .*verify_command is not set")
        self.assertNotRegex(text, r"passwd:1\b")
        self.check(0, extra=["--verify-command", "/bin/true"])

    def test_command_that_cannot_be_run_is_named(self):
        path = os.path.join(self.place.folder, "program")
        self.place.write(path, "#!/bin/sh\n")
        for mode, wrong in ((0o600, "cannot be executed"), (0o777, "can be written by everybody")):
            os.chmod(path, mode)
            self.check(CONFIG, rf"verify_command: {path}: {wrong} \(as user ",
                       extra=["--verify-command", path + " -x"])
            done = Server(self.temporary(), "--verify-command", path)
            self.assert_exit(run(*done.command()[1:]), CONFIG, wrong)
        self.check(CONFIG, r"verify_command: /nonexistent: No such file",
                   extra=["--verify-command", "/nonexistent"])
        self.check(64, r"must begin with an absolute path", extra=["--verify-command", "true"])
        os.chmod(path, 0o755)
        self.check(0, extra=["--verify-command", path + " -x"])

    def test_mechanism_that_nobody_knows_is_named_by_line(self):
        self.check(CONFIG, r"config:2: mechanisms: .*must be of: .*OAUTHBEARER",
                   config="debug = no\nmechanisms = PLAIN KERBEROS_V4\n")
        self.check(CONFIG, r"config:1: mechanisms: .*twice", config="mechanisms = PLAIN PLAIN\n")
        self.check(0, config="mechanisms = plain, xoauth2\nmechanisms = External\n")

    def test_file_put_aside_is_told_and_left_for_a_login(self):
        aside = self.place.plant([b"a\n"])[0]
        named = os.path.join(os.path.dirname(aside), ".pop3-emitter." + os.path.basename(aside))
        os.rename(aside, named)
        self.check(0, r"passwd:1: alice: .*the next login puts it back")
        self.assertTrue(os.path.exists(named))

    def test_missing_home_and_broken_maildir_are_reported(self):
        shutil.rmtree(self.place.home("bob"))
        os.rmdir(os.path.join(self.place.box("alice"), "cur"))
        text = self.check((CONFIG, 65, 69, 75))
        self.assertIn(self.place.home("bob"), text)
        self.assertIn(self.place.box("alice"), text)

    def test_check_changes_nothing(self):
        self.place.plant([b"Subject: a\n\na\n"])

        def state():
            return [(folder, names, [os.stat(os.path.join(folder, name)).st_mtime_ns
                                     for name in names])
                    for folder, _, names in sorted(os.walk(self.place.folder))]
        before = state()
        self.check(0)
        self.assertEqual(before, state())


class UniqueIds(CheckCase):
    """What `check` says of the lists that other servers have left."""

    def setUp(self):
        super().setUp()
        self.place.plant([b"a\n", b"b\n"])  # 1000000001.test.mail.example and ...02
        self.box = self.place.box("alice")

    def put_list(self, text, name="dovecot-uidlist"):
        self.place.write(os.path.join(self.box, name), text)

    def look(self, code, *patterns, value="dovecot"):
        return self.check(code, *patterns, extra=("--uidl-format", value))

    def test_each_maildrop_is_told_with_format_and_number_of_unique_ids(self):
        self.put_list("3 V1700000000 N9 G0\n1 :1000000001.test.mail.example\n"
                      "2 Pspecial :gone\n3 Pspecial :gone-too\n")
        self.look(0, r"passwd:1: alice: dovecot-uidlist: version 3, 3 unique-ids "
                  r"\(1 of them not used\), for 1 of 2 messages",
                  r"passwd:2: bob: no dovecot-uidlist: all unique-ids are ours",
                  r"alice: dovecot-uidlist: some unique-ids are not used")
        self.put_list("/2 3 1700000000\n1000000001.test.mail.example:2,S 3 1:1700000000\n"
                      "1000000002.test.mail.example 3 2:1700000000\n", "courierpop3dsizelist")
        text = self.look(0, r"alice: courierpop3dsizelist: version 2, 2 unique-ids, "
                         r"for 2 of 2 messages", value="courier")
        self.assertNotIn("dovecot", text)

    def test_broken_list_is_named_by_line_and_is_a_problem(self):
        for text, value, line in (("3 V1 N1\nnonsense\n", "dovecot", 2),
                                  ("3 V1 N1\n2 :a\n1 :b\n", "dovecot", 3),
                                  ("5 V1 N1\n", "dovecot", 1),
                                  ("/3 1 1\na 1 1:1:0\nb\n", "courier", 3),
                                  ("/3 1 1\na 1 1:1:0\nb", "courier", 3)):
            name = {"dovecot": "dovecot-uidlist", "courier": "courierpop3dsizelist"}[value]
            self.put_list(text, name)
            told = self.look(65, rf"passwd:1: alice: {name}:{line}: no login", value=value)
            self.assertRegex(told, r"passwd:1: alice: a login would fail")
            self.assertNotIn("no problems", told)

    def test_list_of_a_user_who_is_logged_in_is_told_as_well(self):
        self.put_list("3 V1 N1\n1 :1000000001.test.mail.example\n")
        server = self.server("--uidl-format", "dovecot")
        self.place = server
        self.box = server.box("alice")
        server.plant([b"a\n"])
        self.put_list("3 V1 N2\n1 :1000000001.test.mail.example\n")
        self.client(server, "alice")
        self.look(0, r"alice: dovecot-uidlist: version 3, 1 unique-ids\n")
        self.put_list("3 V1 N2\nnonsense\n")
        told = self.look(65, r"alice: dovecot-uidlist:2: no login")
        self.assertEqual(told.count("dovecot-uidlist:2"), 1)

    def test_lists_that_nobody_asks_for_are_a_note(self):
        self.put_list("nonsense that is not read")
        text = self.look(0, r"note: maildrops with a dovecot-uidlist: 1; "
                         r"uidl_format = dovecot would keep", "no problems", value="name")
        self.assertNotIn("courier", text)
