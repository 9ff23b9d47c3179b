"""The library as somebody else meets it: installed into a tree of its own, found by pkg-config
only, and embedded by the programs of README.md, which are cut out of it here."""

import os
import poplib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from support.case import TestCase
from support.installed import (C_COMPILERS, Tree, files_below, functions_declared,
                               functions_exported, make)
from support.server import ROOT
from support.wire import GUARD, Client

HERE = os.path.dirname(os.path.abspath(__file__))

# What the program of README.md holds, as sent.
MAIL = [b"Subject: Welcome\r\n\r\nThree messages are here for you.\r\n",
        b"Subject: A dot\r\n\r\n.\r\nThat line was not the end.\r\n",
        b"Subject: Nothing else\r\n\r\n"]


def readme_programs():
    """The C program under `Embedding` in README.md, and the same with the functions that the
    second block has in place of its own."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        section = re.search(r"^## Embedding\n(.*?)(?=^## |\Z)", file.read(), re.M | re.S).group(1)
    whole, changes = re.findall(r"^```c\n(.*?)^```$", section, re.M | re.S)[:2]
    changed = whole
    for name in re.findall(r"^static [^;={]*?(\w+)\([^;{]*\)\n\{$", changes, re.M):
        function = re.compile(r"^static [^;={\n]*\b" + name + r"\([^;{]*\)\n\{\n.*?^\}\n",
                              re.M | re.S)
        changed = function.sub("", changed)
    # In place of those that went, which were the first functions of the program.
    first = re.search(r"^static [^;={]*\)\n\{$", changed, re.M).start()
    return whole, changed[:first] + changes + changed[first:]


class Program:
    """A compiled program, run against the installed library, its addresses read from stdout."""

    def __init__(self, tree, command, addresses=1, stdin=subprocess.DEVNULL):
        self.log = tempfile.TemporaryFile()
        # Unbuffered: select(2) does not see a line that has been read with the one before.
        self.process = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=self.log, bufsize=0,
            env=dict(os.environ, LD_LIBRARY_PATH=tree.library_path))
        self.addresses = [self.read_address() for _ in range(addresses)]
        self.address = self.addresses[0]

    def read_address(self):
        if not select.select([self.process.stdout], [], [], GUARD)[0]:
            self.process.kill()
            raise AssertionError("hang: no address was printed\n" + self.errors())
        line = self.process.stdout.readline().decode()
        match = re.fullmatch(r"listening at (?:unix:(/.*)|127\.0\.0\.1:(\d+))\n", line)
        if not match:
            raise AssertionError(f"not a ready line: {line!r}\n" + self.errors())
        return match.group(1) or ("127.0.0.1", int(match.group(2)))

    def errors(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def stop(self, number=signal.SIGTERM):
        """The exit code; -9 if it did not end."""
        if self.process.poll() is None and number is not None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(GUARD)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process.stdout.close()
        return code


def curl(address, path="", *options, user="alice:wonderland"):
    done = subprocess.run(["curl", "-q", "-s", "--noproxy", "*", "--max-time", str(GUARD // 2), "-u", user, *options,
                           f"pop3://{address[0]}:{address[1]}/{path}"],
                          capture_output=True, check=False)
    return done.returncode, done.stdout


class EmbedTest(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="pop3-embed-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.tree = Tree(os.path.join(cls.folder, "tree"))
        make("install", "DESTDIR=" + cls.tree.folder, "PREFIX=/usr")
        for name, text in zip(("mailbox", "later"), readme_programs()):
            with open(os.path.join(cls.folder, name + ".c"), "w", encoding="utf-8") as file:
                file.write(text)

    def path(self, name):
        return os.path.join(self.folder, name)

    def build(self, name, compiler="gcc", *flags, tree=None, **options):
        source = self.path(name + ".c")
        if not os.path.exists(source):
            source = os.path.join(HERE, name + ".c")
        program = os.path.join(self.temporary(), name)
        return (tree or self.tree).compile(compiler, source, program, *flags, **options)

    def start(self, *command, tree=None, stop=signal.SIGTERM, **options):
        """Runs it; at the end it must stop by itself, with success, having said nothing bad."""
        program = Program(tree or self.tree, list(command), **options)

        def judge():
            self.assertEqual(program.stop(stop), 0, program.errors())
            self.assertNotIn("level=error", program.errors())
        self.addCleanup(judge)
        return program

    def drive(self, address):
        """What the README promises, by curl and poplib: list, fetch, delete."""
        self.assertEqual(curl(address), (0, b"1 54\r\n2 49\r\n3 25\r\n"))
        for number, message in enumerate(MAIL, 1):
            self.assertEqual(curl(address, str(number)), (0, message))
        self.assertEqual(curl(address, user="alice:wrong")[0], 67)
        self.assertEqual(curl(address, user="mallory:wonderland")[0], 67)

        mailbox = poplib.POP3(*address, timeout=GUARD)
        mailbox.user("alice")
        mailbox.pass_("wonderland")
        self.assertEqual(mailbox.stat(), (3, 128))
        self.assertNotIn("UIDL", mailbox.capa())
        self.assertEqual(mailbox.retr(2)[1], MAIL[1].split(b"\r\n")[:-1])
        with Client(address) as other:
            other.ok("USER alice")
            self.assertRegex(other.command("PASS wonderland"), r"^-ERR \[IN-USE\]")
        mailbox.quit()

        self.assertEqual(curl(address, "1", "--head", "--request", "DELE")[0], 0)
        self.assertEqual(curl(address), (0, b"1 49\r\n2 25\r\n"))
        self.assertEqual(curl(address, "1"), (0, MAIL[1]))
        mailbox = poplib.POP3(*address, timeout=GUARD)
        mailbox.apop("alice", "wonderland")
        self.assertEqual(mailbox.list()[1], [b"1 49", b"2 25"])
        mailbox.dele(1)
        mailbox.dele(2)
        mailbox.close()
        self.assertEqual(curl(address), (0, b"1 49\r\n2 25\r\n"))
        self.count(16)

    # -- the program of the README

    def test_readme_program_serves_curl_and_poplib(self):
        for compiler in C_COMPILERS:
            with self.subTest(compiler):
                program = self.build("mailbox", compiler, "-O2")
                self.drive(self.start(program, "0").address)

    def test_readme_program_ends_at_interrupt_and_says_why_it_cannot_listen(self):
        program = self.build("mailbox")
        first = self.start(program, "0", stop=signal.SIGINT)
        done = subprocess.run([program, str(first.address[1])], capture_output=True, text=True,
                              check=False, timeout=GUARD,
                              env=dict(os.environ, LD_LIBRARY_PATH=self.tree.library_path))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"127\.0\.0\.1:\d+: Address already in use\n$")

    def test_installed_static_library_links_by_pkg_config(self):
        tree = Tree(os.path.join(self.temporary(), "tree"))
        shutil.copytree(self.tree.folder, tree.folder, symlinks=True)
        for name in os.listdir(tree.library_path):
            if ".so" in name:
                os.unlink(os.path.join(tree.library_path, name))
        for compiler in C_COMPILERS:
            with self.subTest(compiler):
                program = self.build("mailbox", compiler, tree=tree, static=True)
                self.drive(self.start(program, "0", tree=tree).address)

    # -- its asynchronous variant

    def test_deferred_answers_come_50_ms_later_from_another_thread(self):
        for compiler in C_COMPILERS:
            with self.subTest(compiler):
                program = self.start(self.build("later", compiler, "-O2"), "0")
                self.drive(program.address)
                with Client(program.address) as client:
                    client.ok("USER alice")
                    client.send("PASS wonderland\r\n")
                    begun = time.monotonic()
                    with Client(program.address) as other:
                        other.ok("CAPA")  # is served meanwhile
                    self.assertEqual(client.line(), "+OK maildrop ready".encode())
                    self.assertGreater(time.monotonic() - begun, 0.045)

    def leave_before_the_answer(self, address):
        """Clients that are gone, one way or the other, before the thread answers."""
        for step in ("PASS wonderland", "RETR 1"):
            for reset in (False, True):
                with Client(address) as client:
                    client.ok("USER alice")
                    if step.startswith("RETR"):
                        # The one before may still hold the maildrop: `closed` waits for the answer.
                        self.login_when_free(client)
                    client.send(step + "\r\n")
                    if reset:
                        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                 b"\1\0\0\0\0\0\0\0")
                self.count()

    def login_when_free(self, client):
        end = time.monotonic() + GUARD
        while not client.command("PASS wonderland").startswith("+OK"):
            self.assertLess(time.monotonic(), end)
            client.ok("USER alice")

    def test_deferred_answer_after_the_client_has_left_leaks_nothing(self):
        later = self.build("later", "gcc", "-g")
        program = Program(self.tree, [
            "valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect,possible", later, "0"])
        try:
            self.leave_before_the_answer(program.address)
            with Client(program.address) as client:
                client.ok("USER alice")
                self.login_when_free(client)
                self.assertEqual(client.multiline("RETR 1"), ("+OK 54 octets", MAIL[0]))
                self.assertEqual(client.quit(), "+OK bye")
            # Once more, and the server stops while an answer is on its way.
            with Client(program.address) as client:
                client.ok("USER alice")
                client.send("PASS wonderland\r\n")
        finally:
            code = program.stop()
        self.assertEqual(code, 0, program.errors())

    # -- the other levels

    def test_servers_run_in_the_poll_loop_of_the_caller(self):
        for compiler in C_COMPILERS:
            with self.subTest(compiler):
                path = os.path.join(self.temporary(), "socket")
                program = self.start(self.build("poll_loop", compiler), "unix:" + path,
                                     addresses=2, stdin=subprocess.PIPE, stop=None)
                for address, secret in zip(program.addresses, ("wonderland", "builder")):
                    with Client(address) as client:
                        client.login("anybody", secret)
                        self.assertEqual(client.multiline("RETR 1")[1],
                                         b"Subject: Polled\r\n\r\nBy the caller.\r\n")
                        self.assertEqual(client.quit(), "+OK bye")
                        self.count()
                program.process.stdin.close()
                self.assertEqual(program.stop(None), 0, program.errors())
                self.assertFalse(os.path.exists(path))

    def test_bare_session_needs_no_socket(self):
        commands = (b"CAPA\r\nUSER alice\r\nPASS wonderland\r\nSTAT\r\nLIST 2\r\nRETR 1\r\n"
                    b"TOP 2 0\r\nRETR 2\r\nDELE 1\r\nLIST\r\nBOGUS\r\nQUIT\r\n")
        lines = b"".join(b"line %d of a long message\n" % number for number in range(20000))
        message = b"Subject: File\n\n" + lines
        sent = message.replace(b"\n", b"\r\n")
        file = os.path.join(self.temporary(), "message")
        with open(file, "wb") as out:
            out.write(sent)
        expected = (
            b"+OK POP3 server ready <bare@session>\r\n"
            b"+OK\r\nTOP\r\nUSER\r\nLANG\r\nUTF8\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
            b"PIPELINING\r\nEXPIRE NEVER\r\nIMPLEMENTATION pop3-emitter\r\n.\r\n"
            b"+OK send PASS\r\n+OK maildrop ready\r\n+OK 2 %d\r\n+OK 2 %d\r\n"
            b"+OK 26 octets\r\nSubject: Bare\r\n\r\n..\r\nlast\r\n.\r\n"
            b"+OK\r\nSubject: File\r\n\r\n.\r\n"
            b"+OK %d octets\r\n%s.\r\n"
            b"+OK message deleted\r\n+OK 1 messages (%d octets)\r\n2 %d\r\n.\r\n"
            b"-ERR unknown command\r\n+OK bye\r\n"
            % (26 + len(sent), len(sent), len(sent), sent, len(sent), len(sent)))
        for compiler in C_COMPILERS:
            program = self.build("bare_session", compiler, "-D_GNU_SOURCE")
            for size in (1, 2, 7, 100, 65536):
                with self.subTest(compiler=compiler, size=size):
                    done = subprocess.run(
                        [program, str(size), file, str(len(sent))], input=commands,
                        capture_output=True, check=False, timeout=GUARD,
                        env=dict(os.environ, LD_LIBRARY_PATH=self.tree.library_path))
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(done.stdout, expected)
                    self.count()

    # -- the installation

    def test_header_compiles_alone_as_c_and_as_cplusplus(self):
        self.count(self.tree.run_alone(self.temporary(), "pop3_emitter.h",
                                       "pop3_reason_name(POP3_REASON_QUIT) == 0"))

    def test_library_needs_gnutls_and_what_gnutls_needs_only(self):
        def needed(library):
            text = subprocess.run(["ldd", library], capture_output=True, text=True,
                                  check=True).stdout
            return {match.group(1): match.group(2) for match in
                    re.finditer(r"^\t(\S+)(?: => (\S+))? \(0x", text, re.M)}
        ours = needed(os.path.join(self.tree.library_path, "libpop3emitter.so"))
        gnutls = [path for name, path in ours.items() if name.startswith("libgnutls.so.")]
        self.assertEqual(len(gnutls), 1, ours)
        theirs = needed(gnutls[0])
        self.assertEqual(set(ours) - set(theirs), {os.path.basename(gnutls[0])})
        self.count(len(ours))

    def test_library_exports_the_functions_of_the_header_and_nothing_else(self):
        exported = functions_exported(os.path.join(self.tree.library_path, "libpop3emitter.so"))
        declared = functions_declared(os.path.join(self.tree.root, "include/pop3_emitter.h"))
        self.assertEqual(exported, declared)
        self.count(len(exported))

    def assert_recipes(self, folder, prefix):
        self.assertEqual(files_below(folder), files_below(os.path.join(ROOT, "etc/recipes")))
        for name in ("postfix-master.cf", "opensmtpd-smtpd.conf"):
            with open(folder + name, encoding="utf-8") as file:
                self.assertIn(f"{prefix}/bin/pop3-emitter deliver ", file.read())
        self.assertTrue(os.access(folder + "pop3-users", os.X_OK))

    def test_uninstall_removes_exactly_what_install_put_there(self):
        for prefix in ("/usr", "/opt/mail"):
            folder = os.path.join(self.temporary(), "tree")
            foreign = os.path.join(folder + prefix, "lib", "libother.so")
            os.makedirs(os.path.dirname(foreign))
            with open(foreign, "wb"):
                pass
            make("install", "DESTDIR=" + folder, "PREFIX=" + prefix)
            installed = files_below(folder + prefix)
            for name in ("bin/pop3-emitter", "include/pop3_emitter.h", "lib/libpop3emitter.a",
                         "lib/libpop3emitter.so", "lib/libpop3emitter.so.0",
                         "lib/libpop3emitter.so.0.1.0", "lib/pkgconfig/pop3-emitter.pc",
                         "include/pop3_maildir.h", "lib/libpop3maildir.a",
                         "lib/libpop3maildir.so", "lib/libpop3maildir.so.0",
                         "lib/libpop3maildir.so.0.1.0", "lib/pkgconfig/pop3-maildir.pc"):
                self.assertIn(name, installed)
            for page in files_below(os.path.join(ROOT, "etc/man")):
                self.assertIn(f"share/man/man{page[-1]}/{page}", installed)
            for name in ("pop3-emitter.pc", "pop3-maildir.pc"):
                with open(os.path.join(folder + prefix, "lib/pkgconfig", name),
                          encoding="utf-8") as file:
                    self.assertEqual(file.readline(), f"prefix={prefix}\n")
            with open(os.path.join(folder + prefix, "lib/systemd/system/pop3-emitter.service"),
                      encoding="utf-8") as file:
                self.assertIn(f"\nExecStart={prefix}/bin/pop3-emitter serve ", file.read())
            self.assert_recipes(folder + prefix + "/share/doc/pop3-emitter/recipes/", prefix)
            self.assertIn("share/doc/pop3-emitter/fail2ban/pop3-emitter.conf", installed)
            make("uninstall", "DESTDIR=" + folder, "PREFIX=" + prefix)
            self.assertEqual(files_below(folder), [os.path.relpath(foreign, folder)])
            self.count(len(installed))


if __name__ == "__main__":
    unittest.main()
