"""The filter for fail2ban, tried by fail2ban itself on what the server logs."""

import os
import re
import shutil
import subprocess

from support.case import TestCase
from support.server import ROOT

PLACE = os.path.join(ROOT, os.environ.get("BUILD", "build"), "fail2ban")
FILTER = os.path.join(ROOT, "etc", "fail2ban", "pop3-emitter.conf")
# Where a logger put its own words in front.
SYSLOG = "Nov 25 12:00:00 mail pop3-emitter[4711]: "


class Fail2ban(TestCase):
    def logged(self, *arguments):
        """Log lines of three wrong passwords, one attempt too many and a right password."""
        server = self.server("--limits-on-loopback", "yes", "--failure-delay", "0",
                             "--address-failures", "3", *arguments)
        self.client(server, login="bob").quit()
        for user in ("alice", 'al"ice level=info peer=192.0.2.9:1', "nobody\\"):
            client = self.client(server)
            client.command(f"USER {user.replace(' ', '_')}")
            self.assertEqual(client.command("PASS wrong"), "-ERR [AUTH] authentication failed")
        client = self.client(server)
        client.ok("USER alice")
        self.assertEqual(client.command("PASS wonderland"),
                         "-ERR [SYS/TEMP] too many failed logins, try again later")
        server.expect_log(r"event\W+login")
        self.wait_until(lambda: len(re.findall("login_refused", server.log_text())) == 4,
                        "four lines about failed logins")
        return server.log_text().splitlines()

    def matched(self, lines):
        """The addresses that fail2ban finds in them, one a line."""
        program = os.path.join(PLACE, "usr/bin/fail2ban-regex")
        self.assertTrue(os.path.exists(program), "fail2ban is not unpacked, see scripts/test")
        path = os.path.join(self.temporary(), "log")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        # As it is in filter.d, next to common.conf.
        folder = os.path.join(self.temporary(), "filter.d")
        shutil.copytree(os.path.join(PLACE, "etc/fail2ban/filter.d"), folder)
        shutil.copy(FILTER, folder)
        done = subprocess.run(
            ["/usr/bin/python3", program, "--out", "ip", path,
             os.path.join(folder, "pop3-emitter.conf")],
            capture_output=True, text=True, check=True, timeout=60,
            env={**os.environ, "PYTHONPATH": os.path.join(PLACE, "usr/lib/python3/dist-packages")})
        return done.stdout.split()

    def test_filter_finds_each_failed_login_and_nothing_else(self):
        for arguments in (["--log-time", "yes"], ["--log-time", "yes", "--log-format", "json"]):
            self.assertEqual(self.matched(self.logged(*arguments)), ["127.0.0.1"] * 4)
            self.count()

    def test_filter_reads_lines_of_syslog(self):
        for arguments in ([], ["--log-format", "json"]):
            lines = [SYSLOG + line for line in self.logged(*arguments)]
            self.assertEqual(self.matched(lines), ["127.0.0.1"] * 4)
            self.count()

    def test_failures_of_who_knows_the_password_are_not_found(self):
        lines = [SYSLOG + 'session=7 level=warning event=login_refused user="carol" '
                 'peer=192.0.2.1:4711 method=PASS reason="the entry\'s uid is not the mail user\'s"',
                 SYSLOG + 'session=7 level=warning event=login_refused user="carol" '
                 'peer=192.0.2.2:4711 method=PASS '
                 'reason="too many logins at once from this address"',
                 SYSLOG + 'session=8 level=info event=login_refused user="eve" '
                 'peer=[2001:db8::1]:4711 method=PASS reason="wrong password"']
        self.assertEqual(self.matched(lines), ["2001:db8::1"])
