"""What a session shows and deletes while others change its maildrop, one change at a time."""

import os

from support import messages
from support.case import TestCase
from support.wire import Gone

LARGE = 20 << 20  # more than the sockets hold
SEVERAL = [b"Subject: %d\n\n%s\n" % (number, b"x" * number) for number in range(1, 6)]


def text(number):
    """SEVERAL[number - 1] as sent."""
    return messages.repaired(SEVERAL[number - 1])


class Change(TestCase):
    def listed(self, client):
        return client.ok("STAT"), client.lines("LIST"), client.lines("UIDL")

    def move(self, path, folder, info):
        base = os.path.basename(path).partition(":")[0]
        moved = os.path.join(os.path.dirname(os.path.dirname(path)), folder, base + info)
        os.rename(path, moved)
        return moved

    def test_numbers_and_sizes_stay_whatever_others_do(self):
        server = self.server()
        paths = server.plant(SEVERAL)
        client = self.client(server, login="alice")
        before = self.listed(client)
        self.assertEqual(["1 17", "2 18", "3 19", "4 20", "5 21"], before[1])
        server.plant([b"Subject: early\n\n"], first=-5)
        server.plant([b"Subject: late\n\n"], first=9)
        self.move(paths[1], "cur", ":2,FS")
        os.unlink(paths[2])
        self.move(self.move(paths[3], "cur", ":2,S"), "new", "")
        self.assertEqual(before, self.listed(client))
        for number in (1, 2, 4, 5):
            self.assertEqual(text(number), client.multiline(f"RETR {number}")[1])
            self.assertEqual(text(number), client.multiline(f"TOP {number} 9")[1])
        server.expect_log("cannot open the message")
        for command in ("RETR 3", "TOP 3 1"):
            self.assertRegex(client.command(command), "^-ERR")
        self.assertEqual(before, self.listed(client))
        for number in (1, 2, 3):
            client.ok(f"DELE {number}")
        self.assertEqual(["4 20", "5 21"], client.lines("LIST"))
        self.assertEqual("+OK bye", client.quit())
        client = self.client(server, login="alice")
        self.assertEqual(["1 18", "2 20", "3 21", "4 17"], client.lines("LIST"))
        client.quit()

    def test_message_that_is_shortened_while_it_is_sent_closes_the_connection(self):
        server = self.server()
        path, other = server.plant([b"Subject: x\n\n" + b"y" * LARGE + b"\n", SEVERAL[0]])
        client = self.client(server, receive_buffer=4096)
        client.login()
        client.ok("DELE 2")
        self.assertEqual(f"+OK {LARGE + 16} octets", client.ok("RETR 1"))
        os.truncate(path, LARGE // 2)
        with self.assertRaisesRegex(Gone, "closed inside"):
            client.body()
        self.assertLess(len(client.transcript), LARGE)
        self.assertTrue(client.transcript.endswith(b"yyyy"), "no end that looks like one")
        self.assert_log("message 1: its file ended early", server)
        self.assertTrue(os.path.exists(other), "a session that ends so deletes nothing")
        self.wait_until(lambda: "reason=error" in server.log_text())
        client = self.client(server, login="alice")
        client.quit()

    def test_file_that_is_put_beside_a_message_is_not_shown_or_deleted_for_it(self):
        server = self.server()
        path, = server.plant([SEVERAL[0]])
        client = self.client(server, login="alice")
        self.move(path, "cur", ":2,RS")
        server.write(path, SEVERAL[4])
        self.assertEqual(text(1), client.multiline("RETR 1")[1])
        client.ok("DELE 1")
        self.assertEqual("+OK bye", client.quit())
        with open(path, "rb") as file:
            self.assertEqual(SEVERAL[4], file.read())

    def test_two_files_with_one_base_name_stay_apart_when_they_change_places(self):
        for marked in (1, 2):
            server = self.server()
            path, = server.plant([SEVERAL[0]])
            twin = path.replace("/new/", "/cur/") + ":2,S"
            server.write(twin, SEVERAL[4])
            client = self.client(server, login="alice")
            ids = [line.split()[1] for line in client.lines("UIDL")]
            self.assertEqual(2, len(set(ids)))
            self.assertNotIn(os.path.basename(path), ids)
            shown = client.multiline(f"RETR {marked}")[1]
            left = text(5) if shown == text(1) else text(1)
            aside = path.replace("/new/", "/tmp/")
            for old, new in ((path, aside), (twin, path), (aside, twin)):
                os.rename(old, new)
            self.assertEqual(shown, client.multiline(f"RETR {marked}")[1])
            client.ok(f"DELE {marked}")
            self.assertEqual("+OK bye", client.quit())
            client = self.client(server, login="alice")
            self.assertEqual(left, client.multiline("RETR 1")[1])
            client.quit()
            self.count()
