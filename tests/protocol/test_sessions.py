"""Clauses of RFC 1939, 2449 and 3206 that need more than one session, or a maildrop that changes:
lock, unique-ids, UPDATE, response codes, APOP, lengths."""

import hashlib
import os
import re

import script
from support import messages
from support.case import TestCase
from support.server import own
from support.wire import Client

DATA = [script.STORE[name] for name in ("one", "two", "three")]


class Lock(TestCase):
    def test_lock_is_released_before_quit_closes_the_connection(self):
        # RFC 1939 section 6: release, then close; so whoever saw the end can log in at once.
        server = self.server()
        for _ in range(100):
            client = self.client(server, login="alice")
            self.assertEqual(client.quit(), "+OK bye")
            self.count()

    def test_lock_is_released_when_a_session_is_dropped(self):
        server = self.server()
        server.expect_log(r"event=login\b.*result=in-use")
        for _ in range(20):
            self.client(server, login="alice").close()
            self.wait_until(lambda: self.try_login(server), "the maildrop stays locked")
            self.count()

    def test_lock_is_released_after_a_refused_login(self):
        # RFC 1939 section 4: a lock that was taken is released before the command is rejected.
        server = self.server()
        server.expect_log(r"event=(login|store)\b")
        os.rename(os.path.join(server.box(), "cur"), os.path.join(server.box(), "gone"))
        waiting = self.client(server)
        waiting.ok("USER alice")
        self.assertTrue(waiting.command("PASS wonderland").startswith("-ERR [SYS/"))
        os.rename(os.path.join(server.box(), "gone"), os.path.join(server.box(), "cur"))
        other = self.client(server, login="alice")
        other.quit()
        # The connection is still good for another attempt.
        waiting.login()
        waiting.quit()

    def test_lock_is_taken_only_after_a_correct_password(self):
        server = self.server()
        server.expect_log(r"event=login\b.*result=denied")
        client = self.client(server)
        client.ok("USER alice")
        client.command("PASS wrong")
        self.client(server, login="alice").quit()

    def test_messages_that_arrive_later_wait_for_the_next_session(self):
        server = self.server()
        server.plant(DATA[:1])
        client = self.client(server, login="alice")
        server.plant(DATA[1:], first=2)
        self.assertEqual(client.ok("STAT"), "+OK 1 28")
        self.assertEqual(client.command("RETR 2"), "-ERR no such message")
        client.ok("DELE 1")
        client.quit()
        again = self.client(server, login="alice")
        self.assertEqual(again.ok("STAT"), "+OK 2 82")
        self.assertEqual(again.ok("UIDL 1"), "+OK 1 1000000002.test.mail.example")
        again.quit()

    @staticmethod
    def try_login(server):
        with Client(server.address) as client:
            client.ok("USER alice")
            return client.command("PASS wonderland").startswith("+OK")


class UniqueIds(TestCase):
    NAMES = ("1000000001.plain.host", "1000000002.hints.host,S=10,W=11",
             "1000000003.flags.host:2,S", "1000000004.M1P2.host!2,RS", "1000000005.x.host;2,",
             "1000000006." + "l" * 59, "1000000007." + "m" * 60, "1000000008." + "n" * 200,
             "1000000009.blank in it.host", "1000000010.gr\u00fcn.host", "1000000011.tab\there",
             "1000000012.colon:in.host:2,S", "1000000013.del\x7f", "no-time-in-it", "1", ",", "+OK")

    def ids(self, server):
        with Client(server.address) as client:
            client.login()
            lines = client.lines("UIDL")
            listed = client.lines("LIST")
            client.quit()
        self.assertEqual([line.split(" ")[0] for line in lines],
                         [line.split(" ")[0] for line in listed])
        return [line.split(" ", 1)[1] for line in lines]

    def fill(self, server):
        for name in self.NAMES:
            folder = "cur" if re.search("[:!;]2,", name) else "new"
            with open(os.path.join(server.box(), folder, name), "wb") as file:
                file.write(name.encode())
        own(server.box())

    def test_unique_ids_are_1_to_70_octets_of_0x21_to_0x7e(self):
        server = self.server()
        self.fill(server)
        found = self.ids(server)
        self.assertEqual(len(found), len(self.NAMES))
        for unique in found:
            self.assertRegex(unique, r"\A[\x21-\x7e]{1,70}\Z")
            self.count()
        self.assertEqual(len(set(found)), len(found), "not unique")
        for plain in ("1000000001.plain.host", "1000000002.hints.host,S=10,W=11",
                      "1000000003.flags.host", "1000000004.M1P2.host", "1000000005.x.host",
                      "1000000006." + "l" * 59, "1000000012.colon:in.host", "+OK"):
            self.assertIn(plain, found)

    def test_unique_ids_persist_across_sessions_moves_and_flags(self):
        server = self.server()
        self.fill(server)
        first = self.ids(server)
        # A session that ends without UPDATE, a move to cur/, a flag: nothing changes them.
        self.client(server, login="alice").close()
        for name in os.listdir(os.path.join(server.box(), "new")):
            os.rename(os.path.join(server.box(), "new", name),
                      os.path.join(server.box(), "cur", name + ":2,S"))
        server.expect_log(r"event=login\b.*result=in-use")
        self.assertEqual(self.retry(server), first)
        server.stop()
        server.start()
        self.assertEqual(self.ids(server), first)

    def retry(self, server):
        """The ids; the sessions before may need a moment to end."""
        found = []

        def done():
            try:
                found[:] = self.ids(server)
            except AssertionError as problem:
                if "IN-USE" in str(problem):
                    return False
                raise
            return True
        self.wait_until(done, "the maildrop stays locked")
        return found

    def test_unique_ids_are_not_used_again_after_deletion(self):
        server = self.server()
        seen = set()
        for turn in range(5):
            server.plant([DATA[0]] * 3, first=1 + 3 * turn)
            client = self.client(server, login="alice")
            found = [line.split(" ")[1] for line in client.lines("UIDL")]
            new = found[-3:]
            self.assertFalse(seen & set(new))
            seen |= set(new)
            client.ok("DELE 1")
            client.ok("DELE 2")
            client.quit()
            self.count()

    def test_equal_messages_have_ids_of_their_own(self):
        server = self.server()
        server.plant([DATA[0]] * 4)
        found = self.ids(server)
        self.assertEqual(len(set(found)), 4)


class Update(TestCase):
    def test_quit_says_so_when_a_message_could_not_be_removed(self):
        server = self.server()
        server.plant(DATA)
        server.expect_log(r"event=(store|quit|closed)\b")
        new = os.path.join(server.box(), "new")
        client = self.client(server, login="alice")
        client.ok("DELE 2")
        os.chmod(new, 0o500)
        self.addCleanup(os.chmod, new, 0o700)
        self.assertEqual(client.quit(), "-ERR [SYS/TEMP] some deleted messages not removed")
        self.assertEqual(len(messages.files(server.box())), 3)
        os.chmod(new, 0o700)
        again = self.client(server, login="alice")
        self.assertEqual(again.ok("STAT"), "+OK 3 110")
        again.ok("DELE 2")
        self.assertEqual(again.quit(), "+OK bye")
        self.assertEqual(len(messages.files(server.box())), 2)

    def test_messages_are_on_disk_until_quit(self):
        server = self.server()
        server.plant(DATA)
        client = self.client(server, login="alice")
        for number in (1, 2, 3):
            client.ok(f"DELE {number}")
            self.assertEqual(len(messages.files(server.box())), 3)
        client.quit()
        self.assertEqual(messages.files(server.box()), [])

    def test_retrieved_messages_are_never_removed_unasked(self):
        # EXPIRE NEVER (RFC 2449 section 6.7).
        server = self.server()
        server.plant(DATA)
        for _ in range(3):
            client = self.client(server, login="alice")
            for number in (1, 2, 3):
                client.multiline(f"RETR {number}")
                client.multiline(f"TOP {number} 0")
            client.quit()
            self.assertEqual(len(messages.files(server.box())), 3)


class Codes(TestCase):
    def password(self, server, user, secret):
        client = self.client(server)
        client.ok(f"USER {user}")
        answer = client.command(f"PASS {secret}")
        client.quit()
        return answer

    def test_auth_code_for_wrong_credentials_and_for_nothing_else(self):
        # RFC 3206 section 5; USER never carries it.
        server = self.server()
        server.expect_log(r"event=(login|store)\b")
        denied = "-ERR [AUTH] authentication failed"
        self.assertEqual(self.password(server, "alice", "wrong"), denied)
        self.assertEqual(self.password(server, "nobody", "wonderland"), denied)
        holder = self.client(server, login="alice")
        self.assertEqual(self.password(server, "alice", "wonderland"),
                         "-ERR [IN-USE] maildrop is locked by another session")
        self.assertEqual(self.password(server, "alice", "wrong"), denied)
        holder.quit()
        os.rename(server.home(), server.home() + ".gone")
        self.assertEqual(self.password(server, "alice", "wonderland"),
                         "-ERR [SYS/TEMP] try again later")
        self.assertEqual(self.password(server, "alice", "wrong"), denied)

    def test_temporary_failure_of_the_maildrop_is_sys_temp(self):
        server = self.server()
        server.expect_log(r"event=(login|store)\b")
        os.rename(server.home(), server.home() + ".gone")
        self.assertEqual(self.password(server, "alice", "wonderland"),
                         "-ERR [SYS/TEMP] try again later")
        os.rename(server.home() + ".gone", server.home())
        self.assertEqual(self.password(server, "alice", "wonderland"), "+OK maildrop ready")

    def test_failure_that_needs_a_person_is_sys_perm(self):
        server = self.server()
        server.expect_log(r"event=")
        server.write_passwd(f"alice:{{PLAIN}}wonderland:54321:54321::{server.home()}::\n")
        self.assertEqual(self.password(server, "alice", "wonderland"),
                         "-ERR [SYS/PERM] maildrop is not available")
        self.assertEqual(self.password(server, "alice", "wrong"),
                         "-ERR [AUTH] authentication failed")

    def test_every_bracket_in_a_reply_is_a_response_code(self):
        # RFC 2449 section 6.4: with RESP-CODES a text that begins with "[" is one.
        known = {"[AUTH]", "[IN-USE]", "[SYS/TEMP]", "[SYS/PERM]", "[UTF8]"}
        for play in script.all_scripts():
            for _, lines in play.steps:
                for text, _ in lines:
                    found = re.match(rb"(?:\+OK|-ERR) (\[[^ ]*)", text)
                    if found:
                        self.assertIn(found.group(1).decode(), known, play.name)
                    self.count()


class Lengths(TestCase):
    def test_no_reply_line_exceeds_512_octets(self):
        # RFC 1939 section 3, RFC 2449 section 4: with CRLF; status in capitals.
        server = self.server()
        server.plant(DATA)
        server.expect_log(r"event=login\b")
        long = ["USER " + "u" * 248, "PASS " + "p" * 248, "CAPA", "XYZZY " + "z" * 247, "q" * 253,
                "w" * 4000, "USER " + "%s" * 124, "PASS " + "%n" * 124, "USER alice",
                "PASS wonderland", "RETR " + "9" * 248, "LIST " + "0" * 247 + "1", "UIDL 1",
                "UIDL", "TOP 1 " + "9" * 247, "DELE " + "1" * 10, "CAPA", "STAT", "LIST", "NOOP"]
        client = self.client(server)
        for command in long:
            status = client.command(command)
            self.assertLessEqual(len(status) + 2, 512)
            self.assertRegex(status, r"\A(\+OK|-ERR)( |\Z)")
            if status.startswith("+OK") and command in ("CAPA", "UIDL", "LIST"):
                for line in client.body().split(b"\r\n"):
                    self.assertLessEqual(len(line) + 2, 512)
            self.count()
        self.assertEqual(client.quit(), "+OK bye")

    def test_rubbish_is_answered_by_fixed_texts_alone(self):
        # Whatever is sent, every octet that comes back is one of the server's own texts.
        server = self.server()
        own_texts = {b"-ERR unknown command", b"-ERR line too long",
                     b"-ERR line has control characters", b"-ERR wrong arguments",
                     b"-ERR command not valid in this state", b"-ERR send USER first",
                     b"-ERR invalid message number", b"-ERR no such message"}
        octets = bytes(octet for octet in range(256) if octet != 10)
        rubbish = [bytes([octet]) for octet in octets]
        rubbish += [b"DELE " + bytes([octet]) for octet in octets if octet not in b"123"]
        rubbish += [octets[:n] for n in range(1, 256, 7)] + [b"A" * n for n in range(240, 270)]
        for login in (None, "alice"):
            client = self.client(server, login=login)
            for line in rubbish:
                client.send(line + b"\r\n")
                self.assertIn(client.line(), own_texts, line)
                self.count()
            client.quit()


class Apop(TestCase):
    def start(self):
        server = self.server("--apop", "yes", "--hostname", "mail.example")
        server.expect_log(r"event=login\b")
        server.plant(DATA)
        return server

    def challenge(self, client):
        found = re.fullmatch(rb"\+OK POP3 server ready (<[A-Za-z0-9.]+@mail\.example>)",
                             client.greeting)
        self.assertTrue(found, client.greeting)
        return found.group(1)

    def digest(self, client, secret):
        return hashlib.md5(self.challenge(client) + secret.encode()).hexdigest()

    def test_apop_logs_in_with_the_digest_of_timestamp_and_secret(self):
        server = self.start()
        client = self.client(server)
        self.assertEqual(client.command("APOP alice " + self.digest(client, "wonderland")),
                         "+OK maildrop ready")
        self.assertEqual(client.ok("STAT"), "+OK 3 110")
        client.quit()

    def test_wrong_apop_digest_stays_in_authorization(self):
        server = self.start()
        client = self.client(server)
        right = self.digest(client, "wonderland")
        for wrong in (self.digest(client, "wrong"), "0" * 32, right[:-1], right + "0", "x"):
            self.assertEqual(client.command("APOP alice " + wrong),
                             "-ERR [AUTH] authentication failed")
            self.count()
        self.assertEqual(client.command("APOP nobody " + right),
                         "-ERR [AUTH] authentication failed")
        for wrong in ("APOP", "APOP alice", "APOP alice  " + right, f"APOP alice {right} x"):
            self.assertEqual(client.command(wrong), "-ERR wrong arguments")
        self.assertEqual(client.command("STAT"), "-ERR command not valid in this state")
        self.assertEqual(client.command("APOP alice " + right), "+OK maildrop ready")
        self.assertEqual(client.command("APOP alice " + right),
                         "-ERR command not valid in this state")
        client.quit()

    def test_apop_timestamp_differs_for_every_connection(self):
        server = self.start()
        seen = {self.challenge(self.client(server)) for _ in range(100)}
        self.assertEqual(len(seen), 100)
        self.count(100)

    def test_apop_meets_the_lock_like_pass(self):
        server = self.start()
        self.client(server, login="alice")
        client = self.client(server)
        self.assertEqual(client.command("APOP alice " + self.digest(client, "wonderland")),
                         "-ERR [IN-USE] maildrop is locked by another session")
        client.quit()

    def test_user_and_pass_work_where_apop_is_offered(self):
        # RFC 1939 section 13 would have one method a user; see the clauses.
        server = self.start()
        client = self.client(server, login="alice")
        self.assertEqual(client.quit(), "+OK bye")
