"""File names that no mail program would choose. Each message is listed, fetched and deleted under a
legal unique-id of its own, and a name can neither split nor forge a line of the log."""

import json
import os
import re

from odd_case import OddCase, sent, text
from support import messages

# The name in its folder, and the unique-id: a part of the name, or None where that is not legal.
NAMES = (
    ("new/1000000001.plain.x", "1000000001.plain.x"),
    ("new/1000000002.two\nlines.x", None),
    ("new/1000000003.forged.x\nlevel=error event=store", None),
    (os.fsdecode(b"new/1000000004.caf\xc3\xa9.x"), None),
    (os.fsdecode(b"new/1000000005.\xff\xfe\x80\x9b.x"), None),
    ("new/1000000006.\x1b[2J\x07\r.x", None),
    ('new/1000000007."quoted"\\n%s%n.x', '1000000007."quoted"\\n%s%n.x'),
    ("new/1000000008.with blanks .x ", None),
    ("new/" + "1000000009." + "n" * 244, None),
    (os.fsdecode(b"new/1000000010." + b"\xe2" * 244), None),
    ("new/" + "1000000011." + "s" * 59, "1000000011." + "s" * 59),
    ("new/" + "1000000012." + "t" * 60, None),
    ("cur/:2,S", None),
    ("cur/;1,x", None),
    ("cur/1000000013.semicolon.x;2,S", "1000000013.semicolon.x"),
    ("cur/1000000014.exclamation.x!2,RS", "1000000014.exclamation.x"),
    ("cur/1000000015.capitals.x:2,DFPRSTabcz", "1000000015.capitals.x"),
    ("cur/1000000016.twice.x:2,S:2,S", "1000000016.twice.x"),
    ("cur/1000000017.unknown.x:3,S", "1000000017.unknown.x:3,S"),
    ("cur/1000000018.experimental.x:1,1", "1000000018.experimental.x"),
    ("cur/1000000019.nothing.x:2,", "1000000019.nothing.x"),
    ("cur/99999999999999999999999999.late.x", "99999999999999999999999999.late.x"),
    ("new/-1", "-1"),
    ("new/,S=1,W=1", ",S=1,W=1"),
    ("new/1000000020,S=18446744073709551616,W=-1.x", "1000000020,S=18446744073709551616,W=-1.x"),
    ("new/x-" + "0123456789abcdef" * 4, None),
    ("new/~", "~"),
    ("new/new", "new"),
    ("new/pop3-emitter.index", "pop3-emitter.index"),
)

# What the log makes of a name: a directory is skipped and named.
LOGGED = (
    ("two\nlines", r'"new/two\x0alines"'),
    ("x\nlevel=error event=store", r'"new/x\x0alevel=error event=store"'),
    (os.fsdecode(b"caf\xc3\xa9"), r'"new/caf\xc3\xa9"'),
    (os.fsdecode(b"\xff\x9b"), r'"new/\xff\x9b"'),
    ("\x1b[2J\x07\r\t\x7f", r'"new/\x1b[2J\x07\x0d\x09\x7f"'),
    ('"text=\\', '"new/\\"text=\\\\"'),
    ("a b", '"new/a b"'),
    ("%s%n", '"new/%s%n"'),
    (os.fsdecode(b"\xe2" * 255), '"new/' + r"\xe2" * 255 + '"'),
)


class Names(OddCase):
    def list_all(self, client):
        """position of the name in NAMES -> unique-id, by fetching each message."""
        ids = dict(line.split(" ") for line in client.lines("UIDL"))
        sizes = dict(line.split(" ") for line in client.lines("LIST"))
        self.assertEqual(len(NAMES), len(ids))
        found = {}
        for msgno, unique_id in ids.items():
            self.assertRegex(unique_id, r"\A[\x21-\x7e]{1,70}\Z")
            status, body = client.multiline("RETR " + msgno)
            self.assertEqual(f"+OK {len(body)} octets", status)
            self.assertEqual(str(len(body)), sizes[msgno])
            position = int(re.match(rb"Subject: (\d+)\r\n", body).group(1))
            self.assertEqual(sent(str(position)), body)
            found[position] = unique_id
        self.assertEqual(list(range(len(NAMES))), sorted(found))
        self.assertEqual(len(NAMES), len(set(found.values())))
        return found

    def assert_ids(self, found):
        for position, (name, unique_id) in enumerate(NAMES):
            if unique_id is None:
                self.assertRegex(found[position], r"\Ax-[0-9a-f]{64}\Z", name)
                self.assertNotEqual(os.path.basename(name), found[position])
            else:
                self.assertEqual(unique_id, found[position])
            self.count()

    def test_odd_names_have_legal_unique_ids_that_stay(self):
        server = self.server()
        for position, (name, _) in enumerate(NAMES):
            self.put(server, name, text(str(position)))
        client = self.client(server, login="alice")
        found = self.list_all(client)
        self.assert_ids(found)
        client.quit()

        # From the index, and then with each in the other folder, without the index.
        client = self.client(server, login="alice")
        self.assertEqual(found, self.list_all(client))
        client.quit()
        os.unlink(os.path.join(server.box(), "pop3-emitter.index"))
        for name, _ in NAMES:
            folder, _, name = name.partition("/")
            other = "new" if folder == "cur" else "cur"
            os.rename(os.path.join(server.box(), folder, name),
                      os.path.join(server.box(), other, name))
        client = self.client(server, login="alice")
        self.assertEqual(found, self.list_all(client))
        client.quit()

    def test_messages_of_odd_names_are_deleted_and_no_others(self):
        server = self.server()
        for position, (name, _) in enumerate(NAMES):
            self.put(server, name, text(str(position)))
        client = self.client(server, login="alice")
        for msgno in range(1, len(NAMES), 2):
            client.ok(f"DELE {msgno}")
        self.assertEqual("+OK bye", client.quit())
        left = (len(NAMES) + 1) // 2
        self.assertEqual(left, len(messages.files(server.box())))
        client = self.client(server, login="alice")
        self.assertTrue(client.ok("STAT").startswith(f"+OK {left} "))
        for msgno in range(1, left + 1):
            client.ok(f"DELE {msgno}")
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual([], messages.files(server.box()))

    def test_names_that_begin_with_a_dot_are_no_messages(self):
        server = self.server()
        for name in (".", "..", ".hidden", "..x", ".:2,S", ".nfs000000000000000100000001"):
            if name.strip("."):
                self.put(server, "new/" + name, text("hidden"))
                self.put(server, "cur/" + name, text("hidden"))
        client = self.client(server, login="alice")
        self.assertEqual("+OK 0 0", client.ok("STAT"))
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual(8, len(messages.files(server.box())))

    def test_long_name_that_has_no_room_for_flags_stays_new(self):
        server = self.server("--mark-seen", "yes")
        name = "1000000001." + "n" * 244
        self.put(server, "new/" + name, text("long"))
        client = self.client(server, login="alice")
        self.assertEqual(sent("long"), client.multiline("RETR 1")[1])
        self.assertEqual("+OK bye", client.quit())
        self.assert_problems(server, f"file=new/{name} text=\"not marked as seen\" .* count=1$")
        self.assertEqual([name], os.listdir(os.path.join(server.box(), "new")))

    def test_names_are_escaped_in_the_log_and_stay_one_line(self):
        server = self.server()
        for name, shown in LOGGED:
            with self.subTest(name=name):
                path = os.path.join(server.box(), "new", name)
                os.mkdir(path)
                self.client(server, login="alice").quit()
                os.rmdir(path)
                self.assert_problems(server, r"^session=\d+ level=warning event=store "
                                     f'user="alice" file={re.escape(shown)} '
                                     'text="skipped: not a regular file" count=1$')

    def test_names_are_escaped_in_a_log_of_json(self):
        server = self.server("--log-format", "json")
        for name, _ in LOGGED:
            with self.subTest(name=name):
                path = os.path.join(server.box(), "new", name)
                os.mkdir(path)
                before = len(server.log_lines())
                self.client(server, login="alice").quit()
                os.rmdir(path)
                self.assert_problems(server, "not a regular file")
                lines = [json.loads(line) for line in server.log_lines()[before:]]
                files = [line["file"] for line in lines if "file" in line]
                self.assertEqual([b"new/" + os.fsencode(name)],
                                 [file.encode("latin-1") for file in files])
