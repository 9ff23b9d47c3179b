"""The recipes of etc/recipes: mail that msmtp and swaks hand to Debian's Postfix and OpenSMTPD goes
through `pop3-emitter deliver` and is fetched by POP3.

Both servers run once for all tests, see support/mta.py. bob sends; so what is returned to the
sender arrives at bob's."""

import contextlib
import os
import poplib
import re
import shutil
import smtplib
import subprocess
import tempfile
import unittest

from support import messages
from support.case import TestCase
from support.mta import OpenSmtpd, Pop3, Postfix, addresses, recipe, replace
from support.wire import GUARD, Client

SECRET = "wonderland"
BOB = "bob@example.org"
# Larger than all other messages here.
SIZE_MAX = 400000
# carol's home is a mount that is missing, dave's one without space. ghost is known to the MTA alone.
PASSWD = """\
alice:{PLAIN}wonderland
bob:{PLAIN}wonderland
carol:{PLAIN}wonderland::::/srv/home/carol
dave:{PLAIN}wonderland::::/srv/home/dave
"""
MSMTP = ("msmtp", "--file=/dev/null", "--host=127.0.0.1", "--tls=off", "--timeout=60")
# Without --no-data-fixup it would set the header in order; so it gets all lines as SMTP has them.
SWAKS = ("swaks", "--server", "127.0.0.1", "--silent", "2", "--timeout", "60", "--data", "-",
         "--no-data-fixup")

FILLER = "/srv/home/dave/filler"
SITES = []
CLEANUP = contextlib.ExitStack()


class Site:
    """One SMTP server and the pop3-emitter behind it."""

    def __init__(self, kind, folder):
        os.chmod(folder, 0o755)
        self.mta = mta = kind(folder)
        self.name = mta.name
        mta.write("/etc/pop3-emitter/passwd", PASSWD)
        os.chown(mta.root + "/etc/pop3-emitter/passwd", 0, mta.vmail.pw_gid)
        os.chmod(mta.root + "/etc/pop3-emitter/passwd", 0o640)
        mta.write("/etc/pop3-emitter/pop3-emitter.conf", replace(
            recipe("pop3-emitter.conf"), "26214400", str(SIZE_MAX)))
        known = addresses(mta.root + "/etc/pop3-emitter/passwd")
        mta.write("/etc/pop3-emitter/addresses", known + "ghost@example.org vmail\n")
        mta.make_home("/srv/mail")
        mta.make_home("/srv/home/dave")
        self.pop3 = Pop3(folder, mta)

    def start(self):
        self.mta.start()
        self.mta.run("mount", "-t", "tmpfs", "-o",
                     f"size=64k,uid={self.mta.vmail.pw_uid},mode=700", "full", "/srv/home/dave")
        self.pop3.start()

    def stop(self):
        self.pop3.stop()
        self.mta.stop()
        problems = self.pop3.problems()
        if problems:
            raise AssertionError("\n".join(problems) + "\n" + self.pop3.log_text())

    def path(self, path):
        """A file of the namespace, mounts included."""
        return f"/proc/{self.mta.first()}/root{path}"

    def send(self, data, recipients=("alice@example.org",), sender=BOB, command=MSMTP):
        port = str(self.mta.port)
        if command is MSMTP:
            words = (*command, f"--port={port}", f"--from={sender}", "--", *recipients)
        else:
            words = (*command, "--port", port, "--from", sender, "--to", ",".join(recipients))
            data = messages.stuffed(data) + b"."
        done = subprocess.run(words, input=data, capture_output=True, timeout=GUARD, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{command[0]} at {self.name}: {done}")

    def smtp(self):
        smtp = smtplib.SMTP("127.0.0.1", self.mta.port, timeout=GUARD)
        smtp.ehlo()
        return smtp

    def waiting(self, user, home=None):
        """How many messages are in the maildrop and were not seen."""
        try:
            return len(os.listdir(self.path((home or "/srv/mail/" + user) + "/Maildir/new")))
        except FileNotFoundError:
            return 0


def setUpModule():
    unittest.addModuleCleanup(CLEANUP.close)
    for kind in (Postfix, OpenSmtpd) if os.geteuid() == 0 else ():
        folder = tempfile.mkdtemp(prefix="pop3-recipes-")
        CLEANUP.callback(shutil.rmtree, folder, ignore_errors=True)
        site = Site(kind, folder)
        CLEANUP.callback(site.stop)
        site.start()
        SITES.append(site)


class Recipes(TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("only root can start an SMTP server of Debian")

    def tearDown(self):
        for site in SITES:
            for user in ("alice", "bob"):
                self.assertEqual(0, site.waiting(user), f"mail for {user} that no test expected")

    def take(self, site, user="alice", count=1, home=None):
        """The messages of the user as sent by POP3, and then deleted, once there are so many."""
        self.wait_until(lambda: site.waiting(user, home) >= count,
                        lambda: f"{site.waiting(user, home)} of {count} messages for {user}\n"
                        + site.mta.log_text()[-3000:], GUARD)
        with Client(site.pop3.address) as client:
            client.login(user, SECRET)
            self.assertEqual(str(count), client.ok("STAT").split()[1])
            got = [client.multiline(f"RETR {number}")[1] for number in range(1, count + 1)]
            for number in range(1, count + 1):
                client.ok(f"DELE {number}")
            client.quit()
        return got

    def assert_message(self, got, data, sender=BOB, recipient="alice@example.org"):
        """The message is the one that was sent, below what the MTA has to add and no more."""
        data = messages.stuffed(data)
        self.assertTrue(got.endswith(data), (got[:1000], data[:1000]))
        above = re.escape(f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n")
        self.assertRegex(got[:-len(data)].decode("ascii"),
                         rf"\A{above}Received: [^\r\n]+(\r\n\s[^\r\n]+)*\r\n\Z")

    def assert_no_path(self, text):
        for path in ("/srv", "/etc", "/usr", "/tmp", "/var", "Maildir", "passwd"):
            self.assertNotIn(path, text)

    def assert_returned(self, site, user, pattern):
        """bob gets his message for that user back, with the reason and without a path."""
        (got,) = self.take(site, "bob")
        text = got.decode("latin-1")
        self.assertTrue(text.startswith("Return-Path: <>\r\nDelivered-To: bob@example.org\r\n"),
                        text)
        self.assertIn(f"{user}@example.org", text)
        self.assertRegex(text, pattern)
        self.assert_no_path(text)

    def assert_put_off(self, site, user, home, before):
        """The message that was sent at that place of the log stays in the queue."""
        pattern = rf".*{user}@example\.org.*{site.mta.deferred}.*"
        self.wait_until(lambda: re.search(pattern, site.mta.log_text()[before:]),
                        lambda: site.mta.log_text()[before:], GUARD)
        # An MTA that gives up after days returns the mail with this text.
        self.assert_no_path(re.search(pattern, site.mta.log_text()[before:]).group())
        self.assertEqual(0, site.waiting(user, home))

    def await_retries(self, site, user, home):
        """The queue is asked to try until the message is there."""
        for _ in range(10):
            site.mta.retry()
            try:
                self.wait_until(lambda: site.waiting(user, home), guard=5)
                return
            except self.failureException:
                continue

    def put_off_and_mend(self, user, mend):
        """A message that cannot be delivered waits until somebody mends what is wrong."""
        home = "/srv/home/" + user
        address = f"{user}@example.org"
        data = messages.planted(0)["plain"]
        begun = [len(site.mta.log_text()) for site in SITES]
        for site in SITES:
            site.send(data, (address,))
        for site, before in zip(SITES, begun):
            with self.subTest(mta=site.name):
                self.assert_put_off(site, user, home, before)
                mend(site)
                site.mta.retry()
        for site in SITES:
            with self.subTest(mta=site.name):
                self.await_retries(site, user, home)
                (got,) = self.take(site, user, home=home)
                self.assert_message(got, data, recipient=address)
                self.assertEqual(0, site.waiting("bob"))
                self.count()

    # -- mail that arrives

    def test_mail_by_msmtp_and_swaks_arrives_octet_for_octet(self):
        planted = messages.planted(300000)
        # SMTP carries lines of 1,000 octets (RFC 5321 section 4.5.3.1.6), of which Debian's servers
        # take 64 times as much, and no NUL (RFC 6152 section 3 with RFC 2045 section 2.8); and an
        # MTA adds the Message-ID that is missing.
        for name in ("very long line", "nul", "header only", "empty"):
            del planted[name]
        for site in SITES:
            for data in planted.values():
                site.send(data, command=MSMTP)
                site.send(data, ("bob@example.org",), command=SWAKS)
        for site in SITES:
            for command, user in ((MSMTP, "alice"), (SWAKS, "bob")):
                got = self.take(site, user, len(planted))
                for name, data in planted.items():
                    with self.subTest(mta=site.name, sender=command[0], message=name):
                        ends = messages.stuffed(data)
                        (one,) = [item for item in got if item.endswith(ends)]
                        self.assert_message(one, data, recipient=f"{user}@example.org")
                        self.count()

    def test_mail_is_what_poplib_and_curl_fetch(self):
        data = messages.planted(0)["dots"]
        for site in SITES:
            with self.subTest(mta=site.name):
                site.send(data)
                self.wait_until(lambda at=site: at.waiting("alice"))
                host, port = site.pop3.address
                curl = subprocess.run(
                    ["curl", "-sS", "-u", f"alice:{SECRET}", f"pop3://{host}:{port}/1"],
                    capture_output=True, check=True, timeout=GUARD).stdout
                box = poplib.POP3(host, port, GUARD)
                box.user("alice")
                box.pass_(SECRET)
                lines = box.retr(1)[1]
                box.dele(1)
                box.quit()
                self.assertEqual(curl, b"".join(line + b"\r\n" for line in lines))
                self.assertTrue(curl.endswith(messages.repaired(data)), curl)
                self.count()

    def test_address_with_extension_capitals_or_domain_is_the_users(self):
        data = messages.planted(0)["plain"]
        for site in SITES:
            for address in ("alice+lists@example.org", "Alice@Example.ORG",
                            "aLICE+Lists@example.org"):
                with self.subTest(mta=site.name, address=address):
                    site.send(data, (address,))
                    (got,) = self.take(site)
                    self.assertIn(f"Delivered-To: {address}\r\n".lower(),
                                  got.decode("latin-1").lower())
                    self.count()

    def test_message_for_two_users_reaches_each_once(self):
        data = messages.planted(0)["8-bit"]
        for site in SITES:
            with self.subTest(mta=site.name):
                site.send(data, ("alice@example.org", BOB))
                for user in ("alice", "bob"):
                    (got,) = self.take(site, user)
                    self.assert_message(got, data, recipient=f"{user}@example.org")
                    self.count()

    def test_message_without_a_sender_has_an_empty_return_path(self):
        data = messages.planted(0)["plain"]
        for site in SITES:
            with self.subTest(mta=site.name), site.smtp() as smtp:
                smtp.sendmail("", ["alice@example.org"], messages.repaired(data))
                (got,) = self.take(site)
                self.assert_message(got, data, sender="")
                self.count()

    # -- mail that does not

    def test_unknown_address_is_refused_before_the_mail_is_taken(self):
        for site in SITES:
            for address in ("mallory@example.org", "alic@example.org", "al+ice@example.org"):
                with self.subTest(mta=site.name, address=address), site.smtp() as smtp:
                    smtp.mail("eve@example.com")
                    self.assertIn(smtp.rcpt(address)[0], (550, 524))
                    self.count()

    def test_mail_that_can_never_be_delivered_is_returned(self):
        cases = (("ghost", messages.planted(0)["plain"], "no user ghost@example.org"),
                 ("alice", messages.planted(SIZE_MAX)["20 MB"], "the message is too large"))
        for user, data, pattern in cases:
            for site in SITES:
                site.send(data, (f"{user}@example.org",))
            for site in SITES:
                with self.subTest(mta=site.name, user=user):
                    self.assert_returned(site, user, pattern)
                    self.count()

    def test_shell_hears_nothing_of_an_address(self):
        data = messages.planted(0)["plain"]
        for site in SITES:
            for word in ("$({})", "`{}`", "';{};'", "|{}", "\\'|{}|'", '\\";{};\\"', "\\\\';{};'",
                         "\\`{}\\`", "\\$({})", "&{}&", "\\n{}\\n"):
                word = f'"alice+{word.format("touch${IFS}/srv/mail/trap")}"@example.org'
                for sender, recipient in ((BOB, word), (word, "alice@example.org")):
                    with self.subTest(mta=site.name, sender=sender, recipient=recipient), \
                            site.smtp() as smtp:
                        if smtp.docmd("MAIL", f"FROM:<{sender}>")[0] == 250 and \
                                smtp.docmd("RCPT", f"TO:<{recipient}>")[0] == 250:
                            smtp.data(data)
                            self.take(site)
                        self.assertFalse(os.path.exists(site.path("/srv/mail/trap")))
                        self.count()

    def test_address_that_looks_like_a_flag_is_none(self):
        for site in SITES:
            for word in ("--any-user", "-c", "--help"):
                with self.subTest(mta=site.name, word=word), site.smtp() as smtp:
                    smtp.mail(BOB)
                    self.assertGreaterEqual(smtp.rcpt(f"{word}@example.org")[0], 500)
                    self.count()

    # -- mail that waits

    def test_mail_for_a_home_that_is_missing_waits_for_it(self):
        self.put_off_and_mend("carol", lambda site: site.mta.make_home("/srv/home/carol"))

    def test_mail_for_a_full_disk_waits_for_space(self):
        for site in SITES:
            with contextlib.suppress(OSError), open(site.path(FILLER), "wb", 0) as file:
                while file.write(bytes(4096)):
                    pass
        self.put_off_and_mend("dave", lambda site: os.unlink(site.path(FILLER)))

    # -- the table of addresses

    def test_addresses_are_those_of_the_domain(self):
        path = os.path.join(self.temporary(), "passwd")
        with open(path, "w", encoding="utf-8") as file:
            file.write("# alice:{PLAIN}x\n\nalice:{PLAIN}x:1::\nbob@example.org:{PLAIN}x@example.org\n"
                       "carol@example.net:{PLAIN}x\ndave smith:{PLAIN}x\n+:{PLAIN}x\nno secret\n")
        self.assertEqual("alice@example.org vmail\nbob@example.org vmail\n+@example.org vmail\n",
                         addresses(path))
