"""What README.md says in numbers and examples is what the program does."""

import os
import re

from support.case import TestCase
from support.server import ROOT, run


def readme():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        return file.read()


def names(line):
    """The names of a logfmt line's fields, in order."""
    return re.findall(r"(?:^| )([a-z_]+)=", line)


class Readme(TestCase):
    def limit(self, what):
        return re.search(rf"(?m)^\| {what} \| (.*) \|$", readme()).group(1).replace(",", "")

    def standard(self, flag):
        text = run("serve", "--help").stdout.decode()
        return re.search(rf"(?m)^  {flag} .*\(default (.*)\)$", text).group(1)

    def test_limits_in_the_readme_are_the_defaults(self):
        counts = re.findall(r"\d+", self.limit("connections"))
        self.assertEqual(counts, [self.standard("--max-connections"),
                                  self.standard("--max-connections-per-address"),
                                  self.standard("--max-connections-per-user")])
        handshake, login, idle, write, answer = re.findall(r"\d+", self.limit("time"))
        self.assertEqual([handshake, login, str(int(idle) * 60), write, answer],
                         [self.standard(f"--{which}-timeout")
                          for which in ("handshake", "login", "idle", "write", "answer")])
        self.assertIn(f"ADDR is `{self.standard('--listen')}` (the default)", readme())
        self.count(9)

    def test_memory_bound_in_the_readme_is_the_one_in_the_source(self):
        with open(os.path.join(ROOT, "src/proto/limits.h"), encoding="utf-8") as file:
            defined = dict(re.findall(r"(?m)^#define (\w+) +([(\w *+)]+?)(?: */\*.*)?$", file.read()))
        sum_of = re.fullmatch(r"\((\d+) \* BLOCK_SIZE \+ (\d+)\)", defined["SESSION_MEMORY_MAX"])
        bound = int(sum_of[1]) * int(defined["BLOCK_SIZE"].rstrip("u")) + int(sum_of[2])
        self.assertEqual(str(bound), self.limit("octets held for one connection").split()[0])

    def test_session_line_in_the_readme_has_the_fields_of_a_real_one(self):
        server = self.server()
        self.client(server, login="alice").quit()
        real = self.assert_log("^.*event=closed.*$", server).group()
        shown = re.search(r"(?m)^session=\d+ .*event=closed.*$", readme()).group()
        self.assertEqual(names(shown), names(real))

    def test_subcommands_of_the_readme_take_the_flags_shown(self):
        shown = re.findall(r"(?m)^pop3-emitter (\w+) +(.*)$", readme())
        self.assertEqual({"serve", "dev", "deliver", "passwd", "check"},
                         {subcommand for subcommand, _ in shown})
        for subcommand, rest in shown:
            text = run(subcommand, "--help").stdout.decode()
            for flag in re.findall(r"\[(--?[a-z]+)", rest):
                self.assertRegex(text, rf"(?m)^  {flag}\b", subcommand)
                self.count()

    def test_users_in_the_readme_are_a_sound_passwd_file(self):
        lines = re.search(r"(?m)^alice:.*\nbob:.*\n", readme()).group()
        path = self.temporary() + "/passwd"
        with open(path, "w", encoding="utf-8") as file:
            file.write(lines.replace("…", "YTbQx8Hp2vIMnTvDqRw0B/$" + "0" * 43))
        done = run("passwd", "-f", path, "list")
        self.assertEqual("alice\tplain\t/var/mail/alice\nbob\tcrypt\t-\n", done.stdout.decode(),
                         done.stderr)
