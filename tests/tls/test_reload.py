"""SIGHUP with new certificates under load, every tenth pair broken: no login fails, a bad pair
changes nothing, sessions go on."""

import os
import re
import shutil
import signal
import threading

from tls_ground import TlsCase
from support.tls import TlsClient
from support.wire import connect

RELOADS = int(os.environ.get("POP3_TLS_RELOADS", "30"))
LOADERS = 2


class Load(threading.Thread):
    """Logs in again and again under TLS; `failures` has what went wrong, `done` counts."""

    def __init__(self, case, server, user):
        super().__init__()
        self.context = case.ca.context()
        self.address = server.addresses[1]
        self.user, self.secret = user, server.users[user]
        self.failures = []
        self.done = 0
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            try:
                with TlsClient(self.address, self.context) as client:
                    client.login(self.user, self.secret)
                    client.quit()
                self.done += 1
            except Exception as error:  # whatever it is, it is a failure of the server
                self.failures.append(repr(error))


class Reload(TlsCase):
    def setUp(self):
        super().setUp()
        for name in ("first", "second"):
            if not os.path.exists(self.ca.path(name + ".pem")):
                self.ca.issue(name)
        self.folder = self.temporary()
        self.cert = os.path.join(self.folder, "cert.pem")
        self.key = os.path.join(self.folder, "key.pem")

    def install(self, cert, key):
        for name, target in ((cert + ".pem", self.cert), (key + ".key", self.key)):
            shutil.copy(self.ca.path(name), target + ".new")
            os.chmod(target + ".new", 0o644)
            os.rename(target + ".new", target)

    def start(self, users=None):
        self.install("first", "first")
        server = self.server_to_start("--cert", self.cert, "--key", self.key,
                                      "--listen-tls", "127.0.0.1:0",
                                      users=users or {"alice": "wonderland"})
        return server.start(2)

    def reload(self, server, number):
        """SIGHUP, and what came of it, said by the number-th line."""
        server.signal(signal.SIGHUP)

        def verdicts():
            return re.findall(r'event=reload text="?(done|refused)', server.log_text())
        self.wait_until(lambda: len(verdicts()) >= number, "no answer to SIGHUP")
        return verdicts()[number - 1]

    def served(self, server):
        """The common name in the certificate that is served now."""
        client = self.tls_client(server, "implicit")
        subject = dict(pair[0] for pair in client.socket.getpeercert()["subject"])
        client.close()
        return subject["commonName"]

    def test_reloads_under_load_fail_no_login_and_keep_the_good_pair(self):
        users = {"alice": "wonderland", "load0": "x", "load1": "x"}
        server = self.start(users)
        server.expect_log("event=tls .*key.pem: is not the key of the certificate in")
        guest = self.tls_client(server, "implicit", login="alice")
        loaders = [Load(self, server, f"load{i}") for i in range(LOADERS)]
        for loader in loaders:
            loader.start()
        try:
            good = "first"
            for number in range(1, RELOADS + 1):
                name = ("first", "second")[number % 2]
                broken = number % 10 == 0
                self.install(name, "first" if name == "second" and broken else
                             "second" if broken else name)
                verdict = self.reload(server, number)
                self.assertEqual(verdict, "refused" if broken else "done")
                good = good if broken else name
                self.assertEqual(self.served(server), good)
                guest.ok("NOOP")
        finally:
            for loader in loaders:
                loader.over.set()
            for loader in loaders:
                loader.join()
        self.assertEqual([loader.failures for loader in loaders], [[]] * LOADERS)
        self.assertGreater(sum(loader.done for loader in loaders), RELOADS)
        guest.quit()
        self.count(RELOADS)

    def test_a_bad_file_is_named_and_the_old_pair_stays(self):
        server = self.start()
        bad = {
            "nonsense\n": "holds no PEM certificate that can be read",
            None: "No such file or directory",
        }
        for number, (text, said) in enumerate(bad.items(), 1):
            if text is None:
                os.remove(self.cert)
            else:
                server.write(self.cert, text)
            server.expect_log("event=tls ")
            self.assertEqual(self.reload(server, number), "refused")
            self.assert_log(rf'level=error event=tls text="{self.cert}: {said}', server)
            self.assertEqual(self.served(server), "first")
            self.count()

    def test_a_reload_that_takes_tls_from_its_address_changes_nothing(self):
        """The new configuration is right by itself, but the address is open."""
        self.install("first", "first")
        lines = f"listen_tls = 127.0.0.1:0\ncert = {self.cert}\nkey = {self.key}\n"
        server = self.server_to_start(config=lines).start(2)
        server.write(server.config_path, "strip_domain = yes\n")
        server.expect_log("event=reload place=")
        self.assertEqual(self.reload(server, 1), "refused")
        self.assert_log('level=error event=reload place="?127.0.0.1:0"? '
                        'text="listen_tls is in use, and needs cert and key"', server)
        self.assertEqual(self.served(server), "first")
        server.expect_log("authentication|denied|failed")
        client = self.tls_client(server, "implicit")
        client.ok("USER alice@localhost")
        self.assertEqual(client.command("PASS wonderland"), "-ERR [AUTH] authentication failed")
        client.close()
        # And with the pair it is taken.
        server.write(server.config_path, lines + "strip_domain = yes\n")
        self.assertEqual(self.reload(server, 2), "done")
        self.tls_client(server, "implicit").login("alice@localhost", "wonderland")

    def test_resumption_outlives_a_reload_and_not_a_restart(self):
        server = self.start()
        context = self.ca.context("TLS1.2")
        first = TlsClient(server.addresses[1], context)
        ticket = first.socket.session
        first.close()

        def resumes():
            sock = connect(server.addresses[1])
            wrapped = context.wrap_socket(sock, session=ticket)
            reused = wrapped.session_reused
            wrapped.close()
            return reused
        self.assertTrue(resumes())
        self.install("second", "second")
        self.assertEqual(self.reload(server, 1), "done")
        self.assertTrue(resumes())
        server.stop()
        server.start(2)
        self.assertFalse(resumes())
