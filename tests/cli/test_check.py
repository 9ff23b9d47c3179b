"""`pop3-emitter check`: it says what is wrong, where, and says nothing bad about what is right."""

import os
import shutil

from support.case import TestCase
from support.server import Server, run, unprivileged

CONFIG = 78


class Check(TestCase):
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
