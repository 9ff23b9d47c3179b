"""Logins that a program of the administrator's judges: what clients send it, which mechanisms are
offered, that it holds up nobody else and that nothing of it is left."""

import base64
import os
import signal
import subprocess
import tempfile
import time

import clients
from support import messages, tls
from support.case import TestCase
from support.server import ROOT
from support.wire import GUARD

MESSAGE = b"Subject: one\n\nfirst\n"
TOKEN = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"

# Knows alice by password and token, and notes whom it was asked about and as what process.
PROGRAM = f"""#!/bin/sh
cd "${{0%/*}}" || exit 111
set -- $(tr '\\0' ' ' <&3)
echo "$1 $3 $4" >>asked
case $2 in wonderland | {TOKEN}) exit 0 ;; hang) echo $$ >>hanging; sleep 1000 ;; esac
exit 1
"""


def message_of(mechanism, user, token):
    if mechanism == "XOAUTH2":
        return f"user={user}\1auth=Bearer {token}\1\1"
    return f"n,a={user},\1host=localhost\1port=110\1auth=Bearer {token}\1\1"


def encoded(text):
    return base64.b64encode(text.encode()).decode()


class Bearer(clients.Curl):
    """curl with a token and no password."""

    secret = ""

    def curl(self, *arguments):
        return self.run("curl", "-sS", "-q", "--user", self.user, "--oauth2-bearer", TOKEN,
                        "--login-options", f"AUTH={self.mechanism}", *self.more, *arguments)


class Token(clients.Mpop):
    """mpop with a token."""

    mechanism = "OAUTHBEARER"

    def write(self, name, text, mode=0o600):
        return super().write(name, text.replace("auth user", f"auth {self.mechanism.lower()}")
                             .replace("wonderland", TOKEN), mode)


class Automatic(clients.Mpop):
    """mpop over TLS, which chooses."""

    def write(self, name, text, mode=0o600):
        return super().write(name, text.replace("auth user", "auth on")
                             .replace("tls off", "tls on\ntls_certcheck off")
                             .replace("tls_starttls off", "tls_starttls on"), mode)


class VerifierCase(TestCase):
    def serve(self, *arguments, passwd=None, **options):
        """alice is verified by the program, bob has a secret of his own."""
        self.folder = self.temporary()
        self.program = os.path.join(self.folder, "program")
        with open(self.program, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        os.chmod(self.program, 0o755)
        server = self.server("--verify-command", self.program, *arguments, passwd=passwd or
                             "alice:{VERIFY}\nbob:{PLAIN}builder\n", **options)
        server.expect_log(r"event=login .*result=(denied|temporary)")
        server.plant([MESSAGE])
        return server

    def noted(self, name="asked"):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def wait_for_note(self, name, lines):
        end = time.monotonic() + GUARD
        while len(self.noted(name)) < lines:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        return self.noted(name)

    def fetch(self, kind, server, mechanism=None, more=()):
        with tempfile.TemporaryDirectory(prefix="pop3-home-") as home:
            client = kind(home, server)
            client.mechanism, client.more = mechanism, more
            got = client.fetch(1)
        self.assertEqual([messages.digest(MESSAGE)], [messages.digest(one) for one in got])
        self.count()

    def mechanisms(self, server):
        client = self.client(server)
        lines = [line.split()[1:] for line in client.lines("CAPA") if line.startswith("SASL ")]
        self.assertLessEqual(len(lines), 1)
        offered = lines[0] if lines else []
        self.assertEqual(offered, client.lines("AUTH"))
        return offered


class Clients(VerifierCase):
    def test_clients_log_in_with_a_token(self):
        for mechanism in ("OAUTHBEARER", "XOAUTH2"):
            # curl takes the first where both are offered, whatever it is told.
            server = self.serve("--debug", "yes", "--mechanisms", mechanism)
            self.fetch(Bearer, server, mechanism)
            self.fetch(Bearer, server, mechanism, ["--sasl-ir"])
            self.fetch(Token, server, mechanism)
            self.assertEqual([f"alice {mechanism} 127.0.0.1"] * 3, self.noted())
            self.assertNotRegex(server.log_text(), rf"{TOKEN}|verb=\"?(USER|PASS|APOP)")

    def test_clients_with_a_password_do_not_choose_a_token(self):
        authority = tls.Authority(self.temporary())
        cert, key = authority.issue("server")
        server = self.serve("--cert", cert, "--key", key)
        self.assertIn("OAUTHBEARER", self.mechanisms(server))
        for kind in (clients.Curl, Automatic, clients.Fetchmail):
            self.fetch(kind, server)
        asked = self.noted()
        self.assertEqual(3, len(asked))
        for line in asked:
            self.assertRegex(line, r"^alice (PASS|PLAIN|LOGIN) 127\.0\.0\.1$")

    def test_curl_is_told_that_its_token_is_wrong(self):
        for mechanism in ("OAUTHBEARER", "XOAUTH2"):
            server = self.serve("--mechanisms", mechanism, passwd="bob:{PLAIN}builder\n")
            done = subprocess.run(
                ["curl", "-sS", "-q", "--user", "alice", "--oauth2-bearer", TOKEN, "--sasl-ir",
                 "--login-options", f"AUTH={mechanism}",
                 f"pop3://{server.host}:{server.port}/1"],
                capture_output=True, timeout=GUARD * 2, check=False)
            self.assertEqual(67, done.returncode, done.stderr)  # login denied
            self.assert_log(rf"login_refused .*method={mechanism} .*no such user", server)


class Checkpassword(VerifierCase):
    """One by http://cr.yp.to/checkpwd/interface.html that need not become the user: it reads at most
    512 octets, wants three texts and heeds no more, and runs what it is told to at its end."""

    PROGRAM = """#!/usr/bin/python3
import os, sys
octets = b""
while len(octets) <= 512:
    more = os.read(3, 513 - len(octets))
    if not more:
        break
    octets += more
texts = octets.split(b"\\0")
if len(octets) > 512 or len(sys.argv) < 2:
    sys.exit(1)
if len(texts) < 4:
    sys.exit(2)
if texts[:2] != [b"alice", b"wonderland"]:
    sys.exit(1)
os.close(3)
os.execve(sys.argv[1], sys.argv[1:], {"USER": "alice"})
"""

    def test_programs_made_for_checkpassword_are_understood(self):
        path = os.path.join(self.temporary(), "checkpassword")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.PROGRAM)
        os.chmod(path, 0o755)
        for command, password, answer in (
                (f"{path} /bin/true", "wonderland", r"^\+OK"),
                (f"{path} /bin/true", "wrong", r"^-ERR \[AUTH\]"),
                (f"{path} /bin/false", "wonderland", r"^-ERR \[AUTH\]"),
                (f"{path} /bin/sh -c exit", "wonderland", r"^\+OK"),
                (f"{path} /nonexistent", "wrong", r"^-ERR \[AUTH\]")):
            server = self.server("--verify-command", command, passwd="alice:{VERIFY}\n")
            server.expect_log(r"event=(login|login_refused) ")
            client = self.client(server)
            client.command("USER alice")
            self.assertRegex(client.command(f"PASS {password}"), answer, command)
            client.close()
            self.count()


class Dialogs(VerifierCase):
    """The failures, octet by octet (RFC 7628 section 3.2.3)."""

    def test_wrong_token_costs_one_failure(self):
        server = self.serve("--max-failed-logins", "3", patient=False)
        for mechanism, told in (("OAUTHBEARER", '{"status":"invalid_token"}'),
                                ("XOAUTH2", '{"status":"401","schemes":"bearer"}')):
            client = self.client(server)
            for dummy in ("AQ==", "", "AQ=="):
                line = encoded(message_of(mechanism, "alice", "wrong"))
                self.assertEqual(f"+ {encoded(told)}",
                                 client.command(f"AUTH {mechanism} {line}"))
                self.assertEqual("-ERR [AUTH] authentication failed", client.command(dummy))
                self.count()
            self.assertEqual(b"", client.rest())  # the third was the last
            self.assert_log(r"reason=\"?wrong token", server)

    def test_passwords_and_tokens_are_told_apart_by_no_text(self):
        server = self.serve()
        answers = set()
        for user in ("alice", "bob", "nobody"):
            client = self.client(server)
            client.command(f"USER {user}")
            answers.add(client.command("PASS wrong"))
            for mechanism in ("OAUTHBEARER", "XOAUTH2"):
                line = encoded(message_of(mechanism, user, "wrong"))
                client.command(f"AUTH {mechanism} {line}")
                answers.add(client.command(""))
        self.assertEqual({"-ERR [AUTH] authentication failed"}, answers)
        # Each was asked about each time.
        self.assertEqual(9, len(self.noted()))


class Hanging(VerifierCase):
    def test_programs_that_hang_hold_up_nobody_else_and_go_with_the_server(self):
        server = self.serve("--verify-processes", "2", "--verify-timeout", "30",
                            "--drain-timeout", "1")
        hanging = [self.client(server) for _ in range(3)]
        for client in hanging:
            client.command("USER alice")
            client.send(b"PASS hang\r\n")
        pids = [int(pid) for pid in self.wait_for_note("hanging", 2)]
        begun = time.monotonic()
        self.client(server, login="bob")
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(2, len(self.noted("hanging")))
        server.stop()
        self.assertLess(time.monotonic() - begun, 10)
        for pid in pids:
            self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_program_that_is_late_is_killed_and_told_of(self):
        server = self.serve("--verify-timeout", "1")
        client = self.client(server)
        client.command("USER alice")
        begun = time.monotonic()
        self.assertRegex(client.command("PASS hang"), r"^-ERR \[SYS/TEMP\]")
        self.assertGreaterEqual(time.monotonic() - begun, 1)
        self.assert_log(rf"event=verify_failed .*user=\"?alice.* command={self.program} "
                        r"reason=\"has not ended in time\"", server)
        self.assertFalse(os.path.exists(f"/proc/{int(self.noted('hanging')[0])}"))
        client.command("USER alice")
        self.assertRegex(client.command("PASS wonderland"), r"^\+OK")

    def test_exit_code_counts_where_whoever_started_us_ignored_children(self):
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            server = self.serve()
            client = self.client(server)
            client.command("USER alice")
            self.assertRegex(client.command("PASS wonderland"), r"^\+OK")
        finally:
            signal.signal(signal.SIGCHLD, before)


class Offered(VerifierCase):
    ALL = ["CRAM-MD5", "PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"]

    def test_mechanisms_are_those_that_can_succeed(self):
        self.assertEqual(self.ALL, self.mechanisms(self.serve("--apop", "yes")))
        self.assertEqual(["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1"],
                         self.mechanisms(self.server()))

    def test_administrator_says_which_mechanisms_are_offered(self):
        for setting, offered in (("PLAIN", ["PLAIN"]),
                                 ("CRAM-MD5,PLAIN,OAUTHBEARER", ["CRAM-MD5", "PLAIN",
                                                                 "OAUTHBEARER"]),
                                 ("xoauth2 LOGIN PLAIN OAUTHBEARER",
                                  ["XOAUTH2", "LOGIN", "PLAIN", "OAUTHBEARER"]),
                                 ("oauthbearer", ["OAUTHBEARER"]),
                                 ("LOGIN SCRAM-SHA-256", ["LOGIN"]),
                                 ("EXTERNAL", [])):
            server = self.serve("--apop", "yes", "--mechanisms", setting)
            self.assertEqual(offered, self.mechanisms(server), setting)
            client = self.client(server)
            for name in self.ALL:
                answer = client.command(f"AUTH {name}")
                if name in offered:
                    self.assertTrue(answer.startswith("+ "), name)
                    client.command("*")
                else:
                    self.assertEqual("-ERR mechanism is not available", answer, name)
                self.count()

    def test_reload_changes_mechanisms_and_command(self):
        server = self.serve(config="mechanisms = PLAIN\n")
        self.assertEqual(["PLAIN"], self.mechanisms(server))
        server.write(server.config_path, "mechanisms = XOAUTH2\n")
        server.signal(signal.SIGHUP)
        self.assert_log(r"event=reload .*done", server)
        self.assertEqual(["XOAUTH2"], self.mechanisms(server))
        os.chmod(self.program, 0o777)
        server.write(server.config_path, "mechanisms = LOGIN\n")
        server.signal(signal.SIGHUP)
        self.assert_log(r"event=reload .*verify_command.*can be written by everybody", server)
        self.assert_log(r"event=reload .*refused", server)
        self.assertEqual(["XOAUTH2"], self.mechanisms(server))


class Readme(VerifierCase):
    def example(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            text = file.read()
        return text.partition("```sh\n#!/bin/bash\n# /usr/local/libexec/pop3-verify")[2] \
            .partition("```")[0]

    def test_example_of_the_readme_does_as_it_says(self):
        """With a directory that knows the password of carol, and answers as ldapwhoami does."""
        folder = self.temporary()
        with open(os.path.join(folder, "ldapwhoami"), "w", encoding="utf-8") as file:
            file.write("#!/bin/bash\ncase \"$*\" in *uid=down,*) exit 255 ;; *uid=carol,*) ;; "
                       "*) exit 49 ;; esac\n"
                       "[ \"$(cat \"${@: -1}\")\" = secret ] || exit 49\n")
        os.chmod(os.path.join(folder, "ldapwhoami"), 0o755)
        text = self.example()
        self.assertIn("ldapwhoami", text)
        for user, secret, method, code in (
                ("carol", "secret", "PASS", 0), ("carol", "wrong", "PASS", 1),
                ("dave", "secret", "PLAIN", 1), ("down", "secret", "PASS", 111),
                ("carol", "secret", "XOAUTH2", 1), ("a,b", "secret", "PASS", 1)):
            question = "".join(f"{word}\0" for word in (user, secret, method, "192.0.2.1"))
            done = subprocess.run(["bash", "-c", 'exec 3<&0; . "$0"', self.script(text)],
                                  input=question.encode(), check=False, timeout=GUARD,
                                  env={"PATH": f"{folder}:/usr/bin:/bin"})
            self.assertEqual(code, done.returncode, user)
            self.count()

    def script(self, text):
        path = os.path.join(self.temporary(), "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/bash\n#" + text)
        return path
