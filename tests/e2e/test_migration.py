"""Maildrops that a real Dovecot and a real Courier have made keep the unique-ids that these servers
gave: the same maildrop served by them and by us, message by message."""

import os
import pwd
import re

from support import courier, messages
from support.case import TestCase
from support.dovecot import PASSWORD, Dovecot
from support.server import own, run, unprivileged
from support.wire import Client

LIST = {"dovecot": "dovecot-uidlist", "courier": courier.LIST}
STANDARD = "%08Xu%08Xv"
# Every form that uidl_format knows, and those that Dovecot's documentation names for migrations.
PATTERNS = [STANDARD, "%08Xv%08Xu", "%v.%u", "%v-%u", "%u", "%f", "%g", "UID%u-%v", "%Xu%%%Xv",
            "%05u.%03v", "%012Xu", "%4Xv%u", "%20f.%u", "%3g%u", "%060f", "%1u", "~!%u>"]
# Names of files, with what is odd about some; the tests name messages by their position.
NAMES = [
    b"new/1700000001.M1P1.host",
    b"new/1700000002.M2P1.host,S=24",
    b"cur/1700000003.M3P1.host:2,S",
    b"cur/1700000004.M4P1.host,S=24,W=27:2,RS",
    b"cur/two words:2,S",
    b"cur/caf\xe9:2,",
    b"cur/" + b"n" * 70 + b":2,",
    b"cur/" + b"n" * 71 + b":2,",
    b"cur/1700000009.M9P1.host;2,S",
    b"new/quotes'\"and+",
    b"cur/x-" + b"0" * 64 + b":2,S",
    b"cur/noon",
]


def is_legal(text):
    """RFC 1939, section 7."""
    return re.fullmatch(r"[!-~]{1,70}", text) is not None


def letter(subject):
    return f"Subject: {subject:06d}\n\nx\n".encode() + b"\n" * 5


def its_format(pattern):
    """A field of Dovecot's passwd file that sets this pattern for one user."""
    return "userdb_pop3_uidl_format=" + pattern.replace("%", "%%")


def ids_of(client):
    """subject -> unique-id."""
    ids = {}
    for line in client.lines("UIDL"):
        number, _, unique_id = line.partition(" ")
        subject = client.lines(f"TOP {number} 0")[0].partition(": ")[2]
        ids[int(subject)] = unique_id
    return ids


class Migration(TestCase):
    """Users with equal maildrops, one for each case: each server starts but once for all."""

    def setUp(self):
        self.folder = self.temporary()
        self.users = []

    def add(self, user, uidlist=None, format_name="dovecot"):
        """A maildrop with a message for each of NAMES; returns the user."""
        self.users.append(user)
        messages.make_maildir(self.home(user))
        for subject, name in enumerate(NAMES, 1):
            self.put(user, name, subject)
        if uidlist is not None:
            self.write_list(user, format_name, uidlist)
        return user

    def home(self, user):
        return os.path.join(self.folder, "mail", user)

    def path(self, user, name):
        return os.path.join(self.home(user), "Maildir", name)

    def write(self, path, data):
        with open(path, "wb") as file:
            file.write(data)
        own(path)

    def put(self, user, name, subject):
        self.write(os.path.join(os.fsencode(self.path(user, "")), name), letter(subject))

    def write_list(self, user, format_name, text):
        self.write(self.path(user, LIST[format_name]), os.fsencode(text))

    def read_list(self, user, format_name):
        with open(self.path(user, LIST[format_name]), "rb") as file:
            return file.read()

    # -- the servers

    def fetch(self, address, secret):
        """user -> subject -> unique-id."""
        found = {}
        for user in self.users:
            with Client(address) as client:
                client.login(user, secret)
                found[user] = ids_of(client)
                client.quit()
        return found

    def dovecot(self, settings="", fields=None):
        """What Dovecot says."""
        account = unprivileged() or pwd.getpwuid(os.geteuid())
        own(self.folder)
        server = Dovecot(self.folder, self.users, account, settings, fields)
        if not server.installed():
            self.fail("dovecot-pop3d is not installed")
        self.addCleanup(server.stop)
        server.start()
        found = self.fetch(("127.0.0.1", server.port), PASSWORD)
        server.stop()
        return found

    def forget(self):
        """So that Dovecot has nothing but its lists to go by."""
        for user in self.users:
            for name in os.listdir(self.path(user, "")):
                if name.startswith("dovecot.index"):
                    os.remove(self.path(user, name))

    def courier(self):
        """What Courier says."""
        found = {}
        for user in self.users:
            with courier.session(self.path(user, "")) as client:
                found[user] = ids_of(client)
                client.quit()
        return found

    def theirs(self, format_name):
        return self.dovecot() if format_name == "dovecot" else self.courier()

    def passwd(self):
        return "".join(f"{user}:{{PLAIN}}wonderland::::{self.home(user)}::\n"
                       for user in self.users)

    def serve(self, format_name, *arguments):
        own(self.folder)
        server = self.server("--uidl-format", format_name, *arguments, passwd=self.passwd(),
                             users=dict.fromkeys(self.users, "wonderland"), maildirs=False)
        server.expect_log("some unique-ids are not used")
        return server

    def ours(self, format_name, *arguments):
        server = self.serve(format_name, *arguments)
        found = self.fetch(server.address, "wonderland")
        server.stop()
        return found

    def assert_refused(self, server, user, where):
        """No login, and one line says why."""
        server.expect_log(rf'event=login user="{user}" .*result=(permanent|temporary)')
        client = self.client(server)
        client.ok(f"USER {user}")
        status = client.command("PASS wonderland")
        self.assertRegex(status, r"^-ERR \[SYS/(TEMP|PERM)\] ")
        client.close()
        self.assert_log(rf'user="{user}" file="?{where}"? text="no login', server)
        self.count()

    # -- judging

    def assert_all_legal_and_different(self, ids):
        self.assertEqual(len(ids), len(set(ids.values())), ids)
        for unique_id in ids.values():
            self.assertTrue(is_legal(unique_id), unique_id)

    def assert_kept(self, theirs, ours, order=None):
        """Each unique-id is theirs if it is legal and no message before has it, else another.
        order: the subjects as the list has them."""
        self.assertEqual(set(theirs), set(ours))
        self.assert_all_legal_and_different(ours)
        seen = set()
        for subject in order or sorted(theirs):
            unique_id = theirs[subject]
            if is_legal(unique_id) and unique_id not in seen:
                self.assertEqual(unique_id, ours[subject], NAMES[subject - 1:subject])
            else:
                self.assertNotIn(ours[subject], theirs.values())
            seen.add(unique_id)
            self.count()

    def listed(self, user):
        """Subjects in the order of Dovecot's list."""
        by_base = {name[4:].partition(b":")[0]: subject for subject, name in enumerate(NAMES, 1)}
        lines = self.read_list(user, "dovecot").splitlines()[1:]
        names = [line.partition(b":")[2].partition(b":")[0] for line in lines]
        return [by_base[name] for name in names if name in by_base]


A, B, C = "1700000001.M1P1.host", "1700000002.M2P1.host,S=24", "1700000003.M3P1.host"
GUID = "Ga1b2c3d4e5f60718293a4b5c6d7e8f90"
V3 = f"3 V1600000000 N9 {GUID}\n"


class FromDovecot(Migration):
    def test_unique_ids_of_dovecot_are_kept_whatever_its_format_was(self):
        users = {self.add(f"user{number}"): pattern for number, pattern in enumerate(PATTERNS)}
        theirs = self.dovecot(fields={user: its_format(pattern)
                                      for user, pattern in users.items()})
        for user, pattern in users.items():
            with self.subTest(pattern=pattern):
                self.users = [user]
                ours = self.ours("dovecot", "--dovecot-uidl-format", pattern)
                self.assert_kept(theirs[user], ours[user], self.listed(user))

    def test_unique_ids_that_dovecot_has_stored_win(self):
        user = self.add("alice")
        save = "pop3_save_uidl = yes\n"
        first = self.dovecot(save + "pop3_uidl_format = %f")[user]
        self.put(user, b"new/1800000001.M1P1.host", 101)
        second = self.dovecot(save + "pop3_uidl_format = %v.%u")[user]
        self.put(user, b"new/1800000002.M1P1.host", 102)
        self.forget()
        third = self.dovecot("pop3_uidl_format = OTHER%u")[user]
        self.assertEqual(first, {key: third[key] for key in first}, "Dovecot keeps its own")
        self.assertEqual(second[101], third[101])
        self.assertIn("OTHER", third[102])
        text = self.read_list(user, "dovecot")
        self.assertRegex(text, rb"\n\d+ ([^P:]* )?P :", "stored as the base name")
        self.assertRegex(text, rb"\n\d+ ([^P:]* )?P\d+\.\d+ :1800000001", "stored as it is")
        ours = self.ours("dovecot", "--dovecot-uidl-format", "OTHER%u")[user]
        self.assert_kept(third, ours, self.listed(user) + [101, 102])

    def test_lists_that_dovecot_accepts_are_read_as_it_reads_them(self):
        lists = {
            "version-1": f"1 1600000000 9\n2 {A}\n5 {B}:2,S\n8 {C}:2,RS\n",
            "stored": f"{V3}2 Pone :{A}\n5 Ptw:o :{B}\n8 P :{C}\n",
            "first-of-two": f"{V3}2 Pone Ptwo :{A}\n5 P Px :{B}\n8 :{C}\n",
            "other-fields": f"3 V1600000000 N9 {GUID} Px X1\n2 W27 S24 O7 :{A}\n5 Ggu Z :{B}\n",
            "order": f"3 N9 {GUID} V1600000000\n2 :{A}\n5 :{B}\n",
            "blanks": f"3 V1600000000  N9   {GUID}\n2   Pone   W27  :{A}\n5  :{B}\n",
            "zeros": f"3 V01600000000 N009 {GUID}\n002 :{A}\n0005 :{B}\n",
            "crlf": f"3 V1600000000 N9 {GUID}\r\n2 Pone :{A}\r\n5 :{B}\r\n",
            "low-next": f"3 V1600000000 N3 {GUID}\n2 :{A}\n5 :{B}\n8 :{C}\n",
            "highest": f"3 V4294967295 N9 {GUID}\n2 :{A}\n4294967000 :{B}\n",
            "twice": f"{V3}2 :{A}\n5 :{A}\n8 :{C}\n",
            "blank-in-stored": f"{V3}2 Pone two W27 :{A}\n5 Three Px :{B}\n8 lower :{C}\n",
            "two-digits": f"{V3}15 :{A}\n16 :{B}\n255 :{C}\n",
            "gone": f"{V3}2 :{A}\n5 :gone\n8 :{C}\n",
        }
        for what, text in lists.items():
            self.add(what, text)
            self.add(what + "-guid", text)
        plain = self.ours("dovecot")
        guid = self.ours("dovecot", "--dovecot-uidl-format", "%g.%Xu")
        theirs = self.dovecot(fields={user: its_format("%g.%Xu")
                                      for user in self.users if user.endswith("-guid")})
        for user in self.users:
            ours = guid[user] if user.endswith("-guid") else plain[user]
            self.assert_all_legal_and_different(ours)
            for subject, name in ((1, A), (2, B), (3, C)):
                if re.search(rf"[ :]{name}", lists[user.removesuffix("-guid")]):
                    self.assertEqual(theirs[user][subject], ours[subject], user)
                    self.count()

    def test_lists_that_dovecot_gives_up_end_the_login_here(self):
        lists = [f"2 1600000000 9\n2 {A}\n8 {C}\n", f"4 V1600000000 N9 {GUID}\n2 :{A}\n8 :{C}\n",
                 f"3 V0 N9 {GUID}\n2 :{A}\n8 :{C}\n", f"{V3}2 :{A}\nnonsense\n8 :{C}\n",
                 f"{V3}2 :{A}\n2 :{B}\n8 :{C}\n", f"{V3}2 :{A}\n1 :{B}\n8 :{C}\n",
                 f"{V3}2 :{A}\n5 :\n8 :{C}\n", f"1 1600000000 5\n2 {A}\n8 {C}\n"]
        for number, text in enumerate(lists):
            self.add(f"user{number}", text)
        server = self.serve("dovecot")
        for user in self.users:
            self.assert_refused(server, user, r"dovecot-uidlist:\d")
        server.stop()
        theirs = self.dovecot()
        for user, text in zip(self.users, lists):
            # What would happen if nobody looked.
            self.assertNotEqual(theirs[user][3], f"{8:08x}{1600000000:08x}", text)


class FromCourier(Migration):
    def test_unique_ids_of_courier_are_kept(self):
        user = self.add("alice")
        theirs = self.courier()[user]
        self.assertRegex(theirs[1], r"^UID\d+-\d+$")
        self.assert_kept(theirs, self.ours("courier")[user])
        self.assertEqual(theirs, self.courier()[user], "and Courier still has them")

    def test_lists_that_courier_accepts_are_read_as_it_reads_them(self):
        forms = {"version-3": (3, "{0}:1600000000:0"), "version-2": (2, "{0}:1600000000"),
                 "mixed": (3, "{0}:1600000000"), "no-validity": (3, "{0}:0:0"),
                 "by-name": (3, "0:0:0"), "by-name-too": (2, "0:7"),
                 "high": (3, "1844674407370955160{0}:18446744073709551615:1")}
        for what, (version, form) in forms.items():
            lines = [os.fsdecode(name[4:].partition(b":")[0]) + ":2,R 27 " + form.format(number % 6)
                     for number, name in enumerate(NAMES[:5] + NAMES[9:10], 1)]
            self.add(what, f"/{version} 99 1600000000\n" + "\n".join(lines) + "\n", "courier")
        ours = self.ours("courier")
        theirs = self.courier()
        for user in self.users:
            self.assert_all_legal_and_different(ours[user])
            listed = (1, 2, 3, 4, 5, 10)
            self.assertNotIn("UID99-1600000000", [theirs[user][subject] for subject in listed])
            self.assert_kept({subject: theirs[user][subject] for subject in listed},
                             {subject: ours[user][subject] for subject in listed})

    def test_versions_that_courier_ignores_end_the_login_here(self):
        for number, text in enumerate((f"/1 9\n{A}:2, 27 1\n", f"{A}:2, 27\n",
                                       f"/4 9 1\n{A}:2, 27 1:1:0\n")):
            self.add(f"user{number}", text, "courier")
        server = self.serve("courier")
        for user in self.users:
            self.assert_refused(server, user, "courierpop3dsizelist:1")


class Afterwards(Migration):
    """What holds for both once the other server is gone."""

    def deliver(self, user, subject):
        account = unprivileged()
        path = os.path.join(self.folder, "ours")
        self.write(path, self.passwd().encode())
        done = run("deliver", "--passwd", path, *(["--user", account.pw_name] if account else []),
                   user, stdin=letter(subject))
        self.assert_exit(done, 0)

    def test_new_mail_gets_our_unique_ids_and_none_twice(self):
        for format_name in LIST:
            user = format_name
            self.users = []
            self.add(user)
            theirs = self.theirs(format_name)[user]
            self.deliver(user, 201)
            # Two are named as unique-ids that a client knows, one of a message that then goes.
            self.put(user, b"new/" + theirs[1].encode(), 202)
            self.put(user, b"new/" + theirs[3].encode(), 203)
            ours = self.ours(format_name)[user]
            self.assert_all_legal_and_different(ours)
            self.assertEqual(theirs, {subject: ours[subject] for subject in theirs})
            for subject in (201, 202, 203):
                self.assertNotIn(ours[subject], theirs.values())
            self.assertRegex(ours[202], "^x-[0-9a-f]{64}$")
            self.delete(format_name, user, 3)
            after = self.ours(format_name)[user]
            del ours[3]
            self.assertEqual(ours, after)
            self.count(len(after))

    def delete(self, format_name, user, subject):
        server = self.serve(format_name)
        with self.client(server, user) as client:
            client.ok(f"DELE {list(ids_of(client)).index(subject) + 1}")
            self.assertRegex(client.quit(), r"^\+OK")
        server.stop()

    def test_check_tells_what_the_other_server_left(self):
        self.add("alice")
        account = unprivileged()
        user = ["--user", account.pw_name] if account else []
        passwd = os.path.join(self.folder, "ours")
        self.write(passwd, self.passwd().encode())
        for format_name, file_name in LIST.items():
            self.theirs(format_name)
            done = run("check", "--passwd", passwd, *user, "--uidl-format", format_name)
            self.assert_exit(done, 0, rf"alice: {file_name}: version 3, {len(NAMES)} unique-ids, "
                             rf"for {len(NAMES)} of {len(NAMES)} messages")
            self.count()

    def test_real_list_that_is_cut_anywhere_never_changes_unique_ids_unseen(self):
        user = self.add("alice")
        for format_name, file_name in LIST.items():
            theirs = self.theirs(format_name)[user]
            text = self.read_list(user, format_name)
            server = self.serve(format_name)
            for length in range(len(text) + 1):
                self.write(self.path(user, file_name), text[:length])
                if text[:length].endswith(b"\n"):
                    ids = self.fetch(server.address, "wonderland")[user]
                    self.assert_all_legal_and_different(ids)
                    listed = text[:length].count(b"\n") - 1
                    self.assertEqual(listed, sum(ids[key] == theirs[key] for key in ids))
                    self.count()
                else:
                    self.assert_refused(server, user, file_name + r"(:\d+)?")
            server.stop()
