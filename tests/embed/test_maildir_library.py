"""libpop3maildir as the SMTP server of somebody else meets it: installed, found by pkg-config, and
used by the program of README.md, which is cut out of it here."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from support.case import TestCase
from support.installed import (C_COMPILERS, Tree, functions_declared, functions_exported,
                               make)
from support.server import ROOT
from support.wire import GUARD

PIECE = b"Subject: hello\r\n\r\n"


def readme_program():
    """The first C program under `Delivering mail` in README.md."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        section = re.search(r"^### Delivering mail\n(.*?)(?=^##)", file.read(), re.M | re.S)
    return re.search(r"^```c\n(.*?)^```$", section.group(1), re.M | re.S).group(1)


class MaildirLibrary(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="pop3-embed-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.tree = Tree(os.path.join(cls.folder, "tree"), package="pop3-maildir")
        make("install", "DESTDIR=" + cls.tree.folder, "PREFIX=/usr")
        cls.source = os.path.join(cls.folder, "receive.c")
        with open(cls.source, "w", encoding="utf-8") as file:
            file.write(readme_program())

    def build(self, compiler="gcc", *flags, tree=None):
        program = os.path.join(self.temporary(), "receive")
        return (tree or self.tree).compile(compiler, self.source, program, *flags)

    def receive(self, program, data, maildir, sender="bob@example.org", code=0):
        """The reply to these octets after DATA, and what went to the log."""
        done = subprocess.run([program, maildir, sender], input=data, capture_output=True,
                              timeout=GUARD, check=False,
                              env=dict(os.environ, LD_LIBRARY_PATH=self.tree.library_path))
        self.assertEqual(code, done.returncode, done.stderr)
        self.count()
        return done.stdout.decode().rstrip("\n"), done.stderr.decode()

    def delivered(self, maildir):
        """What is in new/; tmp/ must be empty."""
        self.assertEqual([], os.listdir(os.path.join(maildir, "tmp")))
        found = []
        for name in os.listdir(os.path.join(maildir, "new")):
            with open(os.path.join(maildir, "new", name), "rb") as file:
                found.append(file.read())
        return found

    def drive(self, program):
        """What an SMTP server may promise."""
        maildir = os.path.join(self.temporary(), "Maildir")
        text = PIECE + b"..dot\r\n...\r\nnul\0 and \xe9\r\n"
        self.assertEqual(("250 2.0.0 delivered", ""),
                         self.receive(program, text + b".\r\nQUIT\r\n", maildir))
        self.assertEqual([b"Return-Path: <bob@example.org>\r\n" + PIECE
                          + b".dot\r\n..\r\nnul\0 and \xe9\r\n"], self.delivered(maildir))
        self.assertEqual(("", ""), self.receive(program, text, maildir, code=1))
        self.assertEqual(("552 5.3.4 the message is too large",
                          "the message is too large: Message too long\n"),
                         self.receive(program, b"x" * 1_000_001 + b"\r\n.\r\n", maildir))
        self.assertEqual(("550 5.1.7 bad sender",
                          "an address has a control octet: Invalid argument\n"),
                         self.receive(program, text + b".\r\n", maildir, sender="a>\nTo: <b"))
        self.assertEqual(("451 4.3.0 try again later",
                          "the home is missing or unusable: No such file or directory\n"),
                         self.receive(program, text + b".\r\n", maildir + "/not/mounted"))
        self.assertEqual(1, len(self.delivered(maildir)))
        self.assertEqual(("250 2.0.0 delivered", ""),
                         self.receive(program, b".\r\n", maildir, sender=""))
        self.assertIn(b"Return-Path: <>\n", self.delivered(maildir))

    def test_readme_program_answers_250_for_what_is_on_disk_alone(self):
        for compiler in C_COMPILERS:
            with self.subTest(compiler):
                self.drive(self.build(compiler, "-O2"))

    def test_installed_static_library_holds_all_of_it(self):
        tree = Tree(os.path.join(self.temporary(), "tree"), package="pop3-maildir")
        shutil.copytree(self.tree.folder, tree.folder, symlinks=True)
        for name in os.listdir(tree.library_path):
            if ".so" in name:
                os.unlink(os.path.join(tree.library_path, name))
        program = self.build(tree=tree)
        needed = subprocess.run(["ldd", program], capture_output=True, text=True,
                                check=True).stdout
        self.assertNotIn("pop3", needed)
        self.drive(program)

    def test_delivery_is_synced_before_the_reply(self):
        program = self.build()
        folder = self.temporary()
        trace = os.path.join(folder, "trace")
        done = subprocess.run(
            ["strace", "-qq", "-o", trace, "-e", "trace=fsync,renameat2,write", program,
             os.path.join(folder, "Maildir"), "bob@example.org"], input=PIECE + b".\r\n",
            capture_output=True, timeout=GUARD, check=False,
            env=dict(os.environ, LD_LIBRARY_PATH=self.tree.library_path))
        self.assertEqual(b"250 2.0.0 delivered\n", done.stdout, done.stderr)
        with open(trace, encoding="utf-8") as file:
            calls = re.findall(r"(?m)^(\w+\((?:1,)?)", file.read())
        # The Maildir before it has its name and after, the folder that holds it; the lines above the
        # message and the message.
        self.assertEqual(["fsync(", "fsync(", "fsync(", "write(", "write(", "fsync(", "renameat2(", "fsync(",
                          "write(1,"], calls)

    def test_delivery_header_compiles_alone_as_c_and_as_cplusplus(self):
        self.count(self.tree.run_alone(
            self.temporary(), "pop3_maildir.h",
            'pop3_maildir_prepare("/none/at/all", 0) != POP3_MAILDIR_TEMPORARY'))

    def test_delivery_library_needs_the_c_library_alone(self):
        text = subprocess.run(
            ["objdump", "-p", os.path.join(self.tree.library_path, "libpop3maildir.so")],
            capture_output=True, text=True, check=True).stdout
        self.assertEqual(["libc.so.6"], re.findall(r"(?m)^ +NEEDED +(\S+)$", text))
        self.assertEqual(["libpop3maildir.so.0"], re.findall(r"(?m)^ +SONAME +(\S+)$", text))

    def test_delivery_library_exports_the_functions_of_its_header_and_nothing_else(self):
        declared = functions_declared(os.path.join(self.tree.root, "include/pop3_maildir.h"))
        self.assertEqual({"pop3_maildir_" + name for name in (
            "begin", "write", "write_from", "commit", "abort", "deliver", "deliver_from",
            "prepare")}, declared)
        self.assertEqual(declared, functions_exported(
            os.path.join(self.tree.library_path, "libpop3maildir.so")))
        text = subprocess.run(["nm", "--defined-only", "--extern-only", os.path.join(
            self.tree.library_path, "libpop3maildir.a")], capture_output=True, text=True,
            check=True).stdout
        self.assertEqual(declared, set(re.findall(r"(?m)^\w+ [A-Z] (\w+)$", text)))
        self.count(len(declared))


if __name__ == "__main__":
    unittest.main()
