"""The exit codes of `pop3-emitter deliver`. An MTA returns mail to its sender for every code but 71
and 75, so whatever can be mended must be 75."""

import os
import resource
import shutil
import subprocess

from support.delivery import DATAERR, MESSAGE, NOUSER, TEMPFAIL, USAGE, DeliveryTestCase
from support.server import command, environment, own, run, unprivileged


class Codes(DeliveryTestCase):
    # -- for good

    def test_message_above_the_limit_goes_back_and_one_at_the_limit_does_not(self):
        limit = str(len(MESSAGE))
        self.deliver("--max-message-size", limit)
        self.assertEqual(MESSAGE, self.take_delivered())
        text = self.deliver("--max-message-size", limit, data=MESSAGE + b"x", code=DATAERR,
                            pattern="(?m)^pop3-emitter: not delivered: the message is too large$")
        self.assert_nothing_delivered()
        # The sender gets to see this: it says nothing of the machine.
        self.assertNotIn(self.place.folder, text)
        self.deliver("--max-message-size", "1", data=b"y" * 5_000_000, code=DATAERR)
        self.deliver("--max-message-size", "0", data=b"y" * 200_000)
        self.assertEqual(b"y" * 200_000, self.take_delivered())

    def test_limit_of_the_configuration_file_holds(self):
        path = os.path.join(self.place.folder, "conf")
        self.place.write(path, "max_message_size = 5\n")
        self.deliver("-c", path, data=b"12345")
        self.take_delivered()
        self.deliver("-c", path, data=b"123456", code=DATAERR)
        self.assert_nothing_delivered()

    def test_address_with_a_control_character_goes_back(self):
        for flag in ("--return-path", "--delivered-to"):
            for address in ("a@b\nBcc: x@y", "a@b\r\n\r\nbody", "a\tb", "\x1b[2J", "a\x7f",
                            "x" * 901):
                with self.subTest(flag=flag, address=address):
                    text = self.deliver(flag, address, code=DATAERR, pattern="an address")
                    self.assertNotIn("Bcc", text)
        self.assert_nothing_delivered()

    def test_user_that_does_not_exist_goes_back(self):
        self.deliver(user="mallory", code=NOUSER,
                     pattern=r"\Apop3-emitter: no user mallory\n\Z")
        self.deliver(user="--max-message-size", code=NOUSER)

    def test_wrong_command_line_is_a_usage_error(self):
        for words in (["deliver"], ["deliver", "--nonsense", "alice"],
                      ["deliver", "alice", "bob"], ["deliver", "--return-path"],
                      ["deliver", "--max-message-size", "large", "alice"],
                      ["deliver", "--max-message-size", "-1", "alice"],
                      ["deliver", "--any-user", "alice"]):
            with self.subTest(words=words):
                self.assert_exit(run(*words, stdin=MESSAGE), USAGE)
                self.count()

    # -- to be tried again

    def assert_kept(self, pattern, *flags, **options):
        """The MTA keeps the message, and stderr says why; its last line may go to the sender."""
        last = self.deliver(*flags, code=TEMPFAIL, pattern=pattern, **options).splitlines()[-1]
        self.assertRegex(last, r"\Apop3-emitter: (try again later: \S|cannot )")
        self.assertNotRegex(last, r"/\w")

    def test_users_that_cannot_be_read_are_temporary(self):
        for text in ("alice:{PLAIN}x\nbroken\n", "alice:{PLAIN}x\nalice:{PLAIN}y\n"):
            self.place.write_passwd(text)
            self.assert_kept(r'passwd line=2 text=')
            self.assert_kept(r'passwd line=2 text=', user="mallory")
        os.chmod(self.place.passwd_path, 0)
        if os.geteuid() == 0:
            os.chown(self.place.passwd_path, 0, 0)
        self.assert_kept("Permission denied")
        os.unlink(self.place.passwd_path)
        self.assert_kept("No such file")
        os.mkdir(self.place.passwd_path)
        self.assert_kept('passwd line=0 text=')
        self.assert_nothing_delivered()

    def test_broken_configuration_is_temporary(self):
        path = os.path.join(self.place.folder, "conf")
        self.assert_kept("No such file", "-c", path)
        for line in ("max_message_size = large", "nonsense = 1", "[section]", "listen"):
            self.place.write(path, line + "\n")
            with self.subTest(line=line):
                self.assert_kept("conf:1", "-c", path)
        self.assert_kept("POP3_EMITTER_NONSENSE", env={"POP3_EMITTER_NONSENSE": "1"})
        self.assert_nothing_delivered()

    def test_entry_without_a_usable_home_is_temporary(self):
        for line, pattern in (("alice:{PLAIN}x::::/nowhere/at/all", "the home is missing"),
                              ("alice:{PLAIN}x:4711", "uid")):
            self.place.write_passwd(line + "\n")
            with self.subTest(line=line):
                self.assert_kept(pattern)
        self.assert_nothing_delivered()

    def test_home_that_cannot_be_made_is_named_in_the_log_alone(self):
        self.place.write_passwd("alice:{PLAIN}x\n")
        shutil.rmtree(self.place.home())
        os.chmod(self.place.mail, 0o500)
        self.addCleanup(os.chmod, self.place.mail, 0o700)
        self.assert_kept('/alice text="cannot make the home" error="Permission denied"')

    def test_root_that_may_be_entered_but_not_read_gets_mail(self):
        self.place.write_passwd("alice:{PLAIN}x\n")
        shutil.rmtree(self.place.box())
        os.chmod(self.place.mail, 0o311)
        self.addCleanup(os.chmod, self.place.mail, 0o700)
        self.deliver()
        os.chmod(self.place.mail, 0o700)
        self.assertEqual(MESSAGE, self.take_delivered())
        # A home that is missing cannot be made durable there, and it says which folder it is.
        shutil.rmtree(self.place.home())
        os.chmod(self.place.mail, 0o311)
        self.assert_kept('/mail text="cannot make the home" error="Permission denied"')

    def test_maildrop_that_is_broken_is_temporary(self):
        box = self.place.box()
        shutil.rmtree(box)
        for make in (lambda: os.symlink("nowhere", box), lambda: os.symlink("Maildir", box),
                     lambda: os.mkfifo(box)):
            make()
            own(self.place.mail)
            self.assert_kept("cannot open the maildrop")
            os.unlink(box)
        for part in ("new", "tmp"):
            os.mkdir(box)
            os.symlink("/tmp", os.path.join(box, part))
            own(self.place.mail)
            self.assert_kept("cannot open tmp/ or new/")
            shutil.rmtree(box)

    def test_maildrop_without_permission_is_temporary(self):
        for part, mode in (("new", 0o500), ("tmp", 0o500), ("", 0)):
            path = os.path.join(self.place.box(), part)
            os.chmod(path, mode)
            with self.subTest(part=part):
                self.assert_kept("Permission denied")
            os.chmod(path, 0o700)
        self.assert_nothing_delivered()

    def test_maildrop_that_a_session_holds_gets_mail(self):
        self.place.start()
        self.addCleanup(self.judge, self.place)
        client = self.client(self.place, login="alice")
        self.deliver()
        self.assertEqual("+OK 0 0", client.ok("STAT"))
        client.quit()
        self.assertEqual("+OK 1 37", self.client(self.place, login="alice").ok("STAT"))

    def test_file_size_limit_of_the_process_is_temporary(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        self.assert_kept("File too large", data=b"x" * 200_000, preexec_fn=limit)
        self.assert_nothing_delivered()
        self.deliver(data=b"x" * 100_000, preexec_fn=limit)
        self.take_delivered()

    def test_closed_stdin_is_no_empty_message(self):
        def close():
            os.close(0)
        done = subprocess.run(command(*self.words()), stdin=None, capture_output=True,
                              env=environment(), preexec_fn=close, check=False)
        self.assert_exit(done, TEMPFAIL, "cannot read the message")
        self.assert_nothing_delivered()

    def test_stderr_that_nobody_reads_changes_no_code(self):
        for user, flags, code in (("mallory", [], NOUSER), ("alice", ["-c", "/none"], TEMPFAIL),
                                  ("alice", ["--max-message-size", "1"], DATAERR)):
            reader, writer = os.pipe()
            os.close(reader)
            done = subprocess.run(command(*self.words(*flags, user=user)), input=MESSAGE,
                                  stderr=writer, env=environment(), check=False)
            os.close(writer)
            self.assertEqual(code, done.returncode)
            self.count()


class Disk(DeliveryTestCase):
    """A call on the disk fails, by strace(1): the message stays with the MTA."""

    def deliver_with(self, fault, code, pattern):
        done = self.strace("-o", "/dev/null", "-e", "inject=" + fault)
        self.assert_exit(done, code, pattern)
        self.count()

    def test_disk_that_fails_before_the_message_is_in_new_is_temporary(self):
        for call in ("write", "fsync", "renameat2"):
            for error, text in (("ENOSPC", "No space left"), ("EDQUOT", "quota exceeded"),
                                ("EIO", "Input/output error"), ("EROFS", "Read-only")):
                with self.subTest(call=call, error=error):
                    self.deliver_with(f"{call}:error={error}:when=1", TEMPFAIL,
                                      f"cannot deliver the message.*{text}")
                    self.assert_nothing_delivered()

    def test_folder_that_cannot_be_synced_is_temporary_and_the_message_is_there(self):
        self.deliver_with("fsync:error=EIO:when=2", TEMPFAIL,
                          "cannot sync new/ after a delivery.*Input/output error")
        self.assertEqual(MESSAGE, self.take_delivered())

    def test_maildrop_that_cannot_be_made_is_temporary(self):
        shutil.rmtree(self.place.box())
        for call in range(1, 5):
            text = "cannot make the maildrop" if call < 4 else "cannot make tmp/, new/ and cur/"
            self.deliver_with(f"mkdirat:error=EDQUOT:when={call}", TEMPFAIL,
                              text + ".*quota exceeded")
            # Half a Maildir would be refused at each login. The fourth folder is tmp/.
            left = sorted(name for _, names, _ in os.walk(self.place.home()) for name in names)
            self.assertEqual([] if call < 4 else ["Maildir", "cur", "new"], left)
        self.deliver()
        self.assertEqual(MESSAGE, self.take_delivered())

    def test_file_system_without_that_rename_gets_a_link(self):
        self.deliver_with("renameat2:error=EINVAL:when=1", 0, "")
        self.assertEqual(MESSAGE, self.take_delivered())


class Root(DeliveryTestCase):
    """Started as root it becomes the mail user, and delivers as nobody else."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("needs root")

    def test_root_or_no_mail_user_is_refused(self):
        for flags, pattern in (([], "refusing to run as root: set `user`"),
                               (["--user", "root"], "refusing to run as root: user root"),
                               (["--user", "no-such-account"], "no such account")):
            done = run("deliver", "--passwd", self.place.passwd_path, "--maildir",
                       self.place.mail, *flags, "alice", stdin=MESSAGE)
            self.assert_exit(done, TEMPFAIL, pattern)
            self.count()
        self.assert_nothing_delivered()

    def test_while_it_reads_it_is_the_mail_user_for_good(self):
        account = unprivileged()
        shutil.rmtree(self.place.box())
        os.umask(0)
        self.addCleanup(os.umask, 0o022)
        with subprocess.Popen(command(*self.words()), stdin=subprocess.PIPE,
                              env=environment()) as process:
            self.wait_until(lambda: os.path.isdir(self.folder("tmp"))
                            and os.listdir(self.folder("tmp")), "it never began")
            self.place.process = process
            for field, number in (("Uid", account.pw_uid), ("Gid", account.pw_gid)):
                self.assertEqual([str(number)] * 4, self.place.status(field))
            self.assertEqual([str(account.pw_gid)], self.place.status("Groups"))
            self.assertEqual("0" * 16, self.place.status("CapEff")[0])
            self.assertEqual(["1"], self.place.status("NoNewPrivs"))
            self.assertEqual(["0077"], self.place.status("Umask"))
            self.place.process = None
            process.communicate(MESSAGE)
        self.assertEqual(0, process.returncode)
        for path, mode in [(self.place.box(), 0o700)] + [
                (self.folder(part), 0o700) for part in ("new", "cur", "tmp")]:
            info = os.stat(path)
            self.assertEqual((account.pw_uid, account.pw_gid, mode),
                             (info.st_uid, info.st_gid, info.st_mode & 0o7777))
        name = self.delivered()[0]
        info = os.stat(os.path.join(self.folder("new"), name))
        self.assertEqual((account.pw_uid, account.pw_gid), (info.st_uid, info.st_gid))
        self.assertEqual(MESSAGE, self.take_delivered())
