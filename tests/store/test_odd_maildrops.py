"""Odd things in maildrops, there from the beginning or put there while a session runs: nothing is
waited for, nothing outside is ever opened, and what is not the message is neither sent nor deleted.
"""

import os
import re
import shutil
import stat
import time

from odd_case import IN_USE, NOT_REMOVED, OddCase, sent, text
from support import messages
from support.server import own
from support.strace import Trace

INDEX = "pop3-emitter.index"
OPENED = re.compile(r"\b(openat2?|open|creat|open_by_handle_at)\((?P<what>.*)\) += (?P<result>.*)")
SKIPPED = 'level=warning event=store user="alice" file=.* text="skipped: not a regular file" ' \
          "count=%d$"
GONE = 'level=warning event=store file=%s text="cannot open the message" ' \
       'error="No such file or directory"$'
REPLACED = 'level=error event=store file=%s text="another file has its place: it is not deleted"$'
SECRET = b"Subject: secret\n\nnot yours\n"


def plant_odd_things(case, server, folder):
    """One of each kind in a folder of the maildrop; how many are skipped."""
    box = server.box()
    put = lambda name: os.path.join(box, folder, name)  # noqa: E731
    outside = os.path.join(server.folder, "outside")
    server.write(outside, SECRET)
    os.chmod(outside, 0o644)
    links = {"passwd": "/etc/passwd", "outside": outside, "dangling": "/nowhere",
             "itself": "1000000009.itself.x", "inside": os.path.join(box, "cur/1000000002.two.x"),
             "zero": "/dev/zero", "folder": "/etc"}
    for name, target in links.items():
        os.symlink(target, put(f"1000000009.{name}.x"))
    os.mkfifo(put("1000000010.fifo.x"))
    os.mkfifo(put("1000000010.fifo.x,S=10,W=11"))
    case.put_socket(put("1000000011.socket.x"))
    os.mkdir(put("1000000012.folder.x"))
    os.mkdir(put("1000000012.cur"))
    with open(put("1000000012.folder.x/1000000013.inside.x"), "wb") as file:
        file.write(SECRET)
    count = len(links) + 5
    if os.geteuid() == 0:
        os.mknod(put("1000000014.zero.x"), stat.S_IFCHR | 0o666, os.makedev(1, 5))
        os.mknod(put("1000000014.tty.x"), stat.S_IFCHR | 0o666, os.makedev(5, 0))
        os.mknod(put("1000000015.loop.x"), stat.S_IFBLK | 0o666, os.makedev(7, 0))
        count += 3
    own(os.path.join(box, folder))
    return count


def plant_neighbours(server):
    """What other programs keep beside new/ and cur/."""
    box = server.box()
    for folder in (".Sent", ".Trash", ".Sent.2001", "Archive", "new.old", "cur.bak"):
        for part in ("new", "cur", "tmp"):
            os.makedirs(os.path.join(box, folder, part))
        server.write(os.path.join(box, folder, "new", "1000000001.one.x"), SECRET)
        server.write(os.path.join(box, folder, "cur", "1000000002.two.x:2,S"), SECRET)
    for name in ("dovecot-uidlist", "dovecot.index", "dovecot.index.log", "dovecot-keywords",
                 "dovecot-uidvalidity.5", "courierpop3dsizelist", "courierimapuiddb", "maildirsize",
                 "subscriptions", "maildirfolder", "1000000001.stray.x"):
        server.write(os.path.join(box, name), SECRET)
    server.write(os.path.join(box, "tmp", "1000000001.half.x"), SECRET)
    own(box)


def tree(path, but):
    """name -> what it is, below a folder, but for some names."""
    found = {}
    for folder, folders, names in os.walk(path):
        for name in folders + names:
            status = os.lstat(os.path.join(folder, name))
            found[os.path.relpath(os.path.join(folder, name), path)] = (
                status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_nlink)
    return {name: what for name, what in found.items() if name not in but}


# What a session that deletes message 1 changes: the folder's time, too.
CHANGED = (INDEX, "new", "new/1000000001.one.x")


class OddThings(OddCase):
    def plant_two(self, server):
        self.put(server, "new/1000000001.one.x", text("one"))
        self.put(server, "cur/1000000002.two.x:2,S", text("two"))

    def whole_session(self, server):
        """All commands that touch the store, and another user's session beside them."""
        client = self.client(server, login="alice")
        other = self.client(server, login="bob")
        self.assertEqual("+OK 2 56", client.ok("STAT"))
        self.assertEqual(["1 28", "2 28"], client.lines("LIST"))
        self.assertEqual(2, len(client.lines("UIDL")))
        self.assertEqual(sent("one"), client.multiline("RETR 1")[1])
        self.assertEqual(sent("two"), client.multiline("RETR 2")[1])
        self.assertEqual(b"Subject: two\r\n\r\n", client.multiline("TOP 2 0")[1])
        client.ok("DELE 1")
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual("+OK 0 0", other.ok("STAT"))
        self.assertEqual("+OK bye", other.quit())

    def test_odd_things_are_skipped_with_one_line_and_stay(self):
        for folder in ("new", "cur"):
            with self.subTest(folder=folder):
                server = self.server()
                self.plant_two(server)
                count = plant_odd_things(self, server, folder)
                before = tree(server.box(), CHANGED)
                self.whole_session(server)
                self.assert_problems(server, SKIPPED % count)
                self.assertEqual(before, tree(server.box(), CHANGED))

    def test_folders_and_files_of_others_are_not_touched(self):
        server = self.server()
        self.plant_two(server)
        plant_neighbours(server)
        before = tree(server.box(), CHANGED)
        self.whole_session(server)
        self.assert_problems(server)
        self.assertEqual(before, tree(server.box(), CHANGED))

    def opened(self, server, trace):
        """(arguments, path of the descriptor or None) of each call that opens, while traced."""
        for line in trace.lines():
            call = OPENED.search(line)
            if call and server.mail in line:
                path = re.search(r"<(.*)>", call.group("result"))
                yield call.group("what"), path and path.group(1)

    def test_nothing_outside_and_nothing_odd_is_ever_opened(self):
        server = self.server()
        self.plant_two(server)
        plant_neighbours(server)
        count = plant_odd_things(self, server, "new") + plant_odd_things(self, server, "cur")
        box = server.box()
        time.sleep(0.1)  # the folders' times are in the past then: they are read once
        with Trace(server, os.path.join(server.folder, "trace")) as trace:
            for _ in range(2):
                client = self.client(server, login="alice")
                client.lines("LIST")
                self.assertEqual(sent("one"), client.multiline("RETR 1")[1])
                self.assertEqual(sent("two"), client.multiline("RETR 2")[1])
                client.quit()
            client = self.client(server, login="alice")
            os.rename(os.path.join(box, "cur/1000000002.two.x:2,S"),
                      os.path.join(box, "cur/1000000002.two.x:2,FRS"))
            self.assertEqual(sent("two"), client.multiline("RETR 2")[1])
            client.ok("DELE 1")
            client.ok("DELE 2")
            self.assertEqual("+OK bye", client.quit())
        self.assert_problems(server, SKIPPED % count)
        opened = list(self.opened(server, trace))
        self.assertGreater(len(opened), 20)
        self.count(len(opened))
        allowed = re.compile(re.escape(box) + r"(/|/new|/cur|/#\d+ \(deleted\)|/#\d+|/" + INDEX
                             + r"(\.new)?|/(new|cur)/100000000[12]\.(one|two)\.x[^/]*)?")
        for what, path in opened:
            with self.subTest(what=what):
                self.assertNotRegex(what, r"fifo|socket|folder\.x|zero|tty|loop|passwd|outside")
                if path is not None:
                    self.assertRegex(path, r"\A" + allowed.pattern + r"\Z")
                if what.startswith("AT_FDCWD"):
                    self.assertIn(f'"{box}"', what)
                    self.assertIn("O_DIRECTORY", what)
                elif "O_TMPFILE" not in what:
                    self.assertIn("O_NOFOLLOW", what)
        for call in ("readlink", "getdents64"):
            for line in trace.lines(call + r"\("):
                self.assertNotRegex(line, r"/\.Sent|/Archive|/new\.old|/tmp>|folder\.x")

    def test_names_of_one_file_are_messages_of_their_own(self):
        server = self.server()
        one = self.put(server, "new/1000000001.one.x", text("one"))
        os.link(one, os.path.join(server.box(), "cur/1000000002.other.x:2,S"))
        os.link(one, os.path.join(server.folder, "backup"))
        client = self.client(server, login="alice")
        self.assertEqual(["1 28", "2 28"], client.lines("LIST"))
        self.assertEqual(["1 1000000001.one.x", "2 1000000002.other.x"], client.lines("UIDL"))
        self.assertEqual(sent("one"), client.multiline("RETR 1")[1])
        self.assertEqual(sent("one"), client.multiline("RETR 2")[1])
        client.ok("DELE 1")
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual(["1000000002.other.x:2,S"], messages.files(server.box()))
        client = self.client(server, login="alice")
        self.assertEqual(["1 1000000002.other.x"], client.lines("UIDL"))
        client.ok("DELE 1")
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual([], messages.files(server.box()))
        self.assertTrue(os.path.exists(os.path.join(server.folder, "backup")))

    def test_file_under_one_base_name_in_both_folders_is_one_message(self):
        server = self.server()
        one = self.put(server, "new/1000000001.one.x", text("one"))
        os.link(one, os.path.join(server.box(), "cur/1000000001.one.x:2,S"))
        client = self.client(server, login="alice")
        self.assertEqual(["1 28"], client.lines("LIST"))
        self.assertEqual(["1 1000000001.one.x"], client.lines("UIDL"))
        self.assertEqual(sent("one"), client.multiline("RETR 1")[1])
        client.ok("DELE 1")
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual([], messages.files(server.box()))

    def test_maildir_may_be_a_link_to_another_place(self):
        server = self.server()
        self.plant_two(server)
        os.rename(server.box(), os.path.join(server.folder, "elsewhere"))
        os.symlink("../../elsewhere", server.box())
        self.whole_session(server)
        self.assertEqual(["1000000002.two.x:2,S"], messages.files(server.box()))
        self.assertTrue(os.path.islink(server.box()))

    def test_odd_things_in_the_place_of_the_index_harm_nothing(self):
        outside = os.path.join(self.temporary(), "outside")
        for name in (INDEX, INDEX + ".new", "pop3-emitter.probe"):
            for kind, make in (("link", lambda path: os.symlink(outside, path)),
                               ("loop", lambda path: os.symlink(os.path.basename(path), path)),
                               ("FIFO", os.mkfifo),
                               ("socket", self.put_socket)):
                with self.subTest(name=name, kind=kind):
                    server = self.server()
                    self.plant_two(server)
                    server.write(outside, SECRET)
                    make(os.path.join(server.box(), name))
                    own(server.box())
                    self.whole_session(server)
                    self.assert_problems(server, *["text=\"it is "] * (name == INDEX))
                    # Another has its place; the next login is quiet.
                    self.client(server, login="alice").quit()
                    self.assertTrue(os.path.isfile(os.path.join(server.box(), INDEX)))
                    with open(outside, "rb") as file:
                        self.assertEqual(SECRET, file.read())

    def test_fifo_in_the_place_of_another_servers_list_refuses_the_login(self):
        for file in ("dovecot-uidlist", "courierpop3dsizelist"):
            with self.subTest(file=file):
                server = self.server("--uidl-format", "courier" if "courier" in file else "dovecot")
                self.plant_two(server)
                os.mkfifo(os.path.join(server.box(), file))
                own(server.box())
                answer, client = self.attempt(server)
                self.assertTrue(answer.startswith("-ERR [SYS/PERM] "), answer)
                client.quit()
                self.assert_problems(server, "the list is not a regular file")


class Meanwhile(OddCase):
    """What others do to a maildrop while a session is open."""

    def session(self, *names):
        """A server, a client that is logged in, and the paths of messages one, two, …"""
        server = self.server()
        paths = [self.put(server, name, text(str(i))) for i, name in enumerate(names, 1)]
        return server, self.client(server, login="alice"), paths

    def test_message_replaced_by_something_odd_is_neither_sent_nor_deleted(self):
        kinds = [("link outside", lambda path: os.symlink("/etc/passwd", path)),
                 ("link to a message", lambda path: os.symlink("1000000002.x", path)),
                 ("FIFO", os.mkfifo), ("folder", os.mkdir), ("socket", self.put_socket)]
        if os.geteuid() == 0:
            kinds += [("device", lambda path: os.mknod(path, stat.S_IFCHR | 0o666,
                                                       os.makedev(1, 5)))]
        for kind, make in kinds:
            with self.subTest(kind=kind):
                server, client, paths = self.session("new/1000000001.x", "new/1000000002.x")
                os.unlink(paths[0])
                make(paths[0])
                os.lchown(paths[0], os.stat(paths[1]).st_uid, -1)
                self.assertEqual("-ERR no such message", client.command("RETR 1"))
                self.assertEqual("-ERR no such message", client.command("TOP 1 0"))
                self.assert_problems(server, *[GONE % "new/1000000001.x"] * 2)
                self.assertEqual(sent("2"), client.multiline("RETR 2")[1])
                client.ok("DELE 1")
                client.ok("DELE 2")
                self.assertEqual(NOT_REMOVED, client.quit())
                self.assert_problems(server, REPLACED % "new/1000000001.x")
                self.assertEqual(["1000000001.x"], messages.files(server.box()))

    def test_message_that_vanished_is_refused_and_counts_as_deleted_at_quit(self):
        server, client, paths = self.session("new/1000000001.x", "cur/1000000002.x:2,S")
        os.unlink(paths[0])
        self.assertEqual("-ERR no such message", client.command("RETR 1"))
        self.assert_problems(server, GONE % "new/1000000001.x")
        self.assertEqual(sent("2"), client.multiline("RETR 2")[1])
        client.ok("DELE 1")
        client.ok("DELE 2")
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual([], messages.files(server.box()))

    def test_message_whose_flags_changed_is_found_again(self):
        for name in ("new/1000000001.x", "cur/1000000001.x:2,S"):
            for new in ("cur/1000000001.x:2,RS", "cur/1000000001.x;2,F", "cur/1000000001.x!1,x",
                        "new/1000000001.x:2,", "cur/1000000001.x"):
                with self.subTest(name=name, new=new):
                    server, client, paths = self.session(name)
                    os.rename(paths[0], os.path.join(server.box(), new))
                    self.assertEqual(sent("1"), client.multiline("RETR 1")[1])
                    client.ok("DELE 1")
                    self.assertEqual("+OK bye", client.quit())
                    self.assertEqual([], messages.files(server.box()))

    def test_other_file_of_the_same_name_is_not_deleted(self):
        server, client, paths = self.session("new/1000000001.x")
        # Written aside first, so that it cannot get the inode of the one it replaces.
        self.put(server, "tmp/other", text("other"))
        os.rename(os.path.join(server.box(), "tmp/other"), paths[0])
        client.ok("DELE 1")
        self.assertEqual(NOT_REMOVED, client.quit())
        self.assert_problems(server, REPLACED % "new/1000000001.x")
        with open(paths[0], "rb") as file:
            self.assertEqual(text("other"), file.read())

    def test_message_that_is_closed_meanwhile_is_refused_and_deleted(self):
        server, client, paths = self.session("new/1000000001.x", "new/1000000002.x")
        os.chmod(paths[0], 0)
        self.assertTrue(client.command("RETR 1").startswith("-ERR [SYS/PERM] "))
        self.assert_problems(server, 'file=new/1000000001.x text="cannot open the message" '
                                     'error="Permission denied"$')
        self.assertEqual(sent("2"), client.multiline("RETR 2")[1])
        client.ok("DELE 1")
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual(["1000000002.x"], messages.files(server.box()))

    def test_message_that_can_be_read_again_is_listed(self):
        server = self.server()
        self.put(server, "new/1000000001.x", text("1"))
        path = self.put(server, "new/1000000002.x", text("2"))
        os.chmod(path, 0)
        for _ in range(3):
            client = self.client(server, login="alice")
            self.assertEqual(["1 26"], client.lines("LIST"))
            client.quit()
            self.assert_problems(server, 'file=new/1000000002.x text="skipped: unreadable, size '
                                         'unknown" error="Permission denied" count=1$')
        os.chmod(path, 0o600)
        client = self.client(server, login="alice")
        self.assertEqual(["1 26", "2 26"], client.lines("LIST"))
        self.assertEqual(sent("2"), client.multiline("RETR 2")[1])
        client.quit()

    def test_folder_that_is_moved_away_is_a_temporary_failure_and_loses_nothing(self):
        for part in ("new", "cur"):
            with self.subTest(part=part):
                server, client, _ = self.session(f"{part}/1000000001.x")
                box = server.box()
                os.rename(os.path.join(box, part), os.path.join(box, "away"))
                self.assertTrue(client.command("RETR 1").startswith("-ERR [SYS/TEMP] "))
                self.assert_problems(server, 'text="cannot open the message"')
                client.ok("DELE 1")
                self.assertEqual(NOT_REMOVED, client.quit())
                self.assert_problems(server, 'text="no message is deleted" '
                                             'error="No such file or directory" count=1$')
                os.rename(os.path.join(box, "away"), os.path.join(box, part))
                client = self.client(server, login="alice")
                self.assertEqual(sent("1"), client.multiline("RETR 1")[1])
                client.quit()

    def test_link_in_the_place_of_a_folder_leads_to_no_other_mail(self):
        for part in ("new", "cur"):
            with self.subTest(part=part):
                server, client, _ = self.session(f"{part}/1000000001.x")
                theirs = self.put(server, "new/1000000001.x", SECRET, user="bob")
                box = server.box()
                os.rename(os.path.join(box, part), os.path.join(box, "away"))
                os.symlink(os.path.dirname(theirs), os.path.join(box, part))
                self.assertTrue(client.command("RETR 1").startswith("-ERR [SYS/PERM] "))
                self.assert_problems(server, 'text="cannot open the message" '
                                             'error="Not a directory"$')
                client.ok("DELE 1")
                self.assertEqual(NOT_REMOVED, client.quit())
                self.assert_problems(server, 'text="no message is deleted" '
                                             'error="Not a directory" count=1$')
                self.assertTrue(os.path.exists(theirs))

    def test_maildrop_that_is_moved_is_served_where_it_is(self):
        """The session holds the folder, whatever its name comes to be."""
        server, client, _ = self.session("new/1000000001.x", "cur/1000000002.x:2,S")
        box = server.box()
        os.rename(box, box + ".moved")
        messages.make_maildir(server.home())
        own(server.home())
        theirs = self.put(server, "new/1000000001.x", text("of another"))
        self.assertEqual(sent("1"), client.multiline("RETR 1")[1])
        client.ok("DELE 1")
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual(["1000000002.x:2,S"], messages.files(box + ".moved"))
        self.assertTrue(os.path.exists(theirs))

    def test_maildrop_that_is_removed_is_a_temporary_failure(self):
        server, client, _ = self.session("new/1000000001.x")
        shutil.rmtree(server.box())
        self.assertTrue(client.command("RETR 1").startswith("-ERR [SYS/TEMP] "))
        self.assert_problems(server, 'text="cannot open the message"')
        client.ok("DELE 1")
        self.assertEqual(NOT_REMOVED, client.quit())
        self.assert_problems(server, 'text="no message is deleted"')
        client = self.client(server, login="alice")
        self.assertEqual("+OK 0 0", client.ok("STAT"))
        client.quit()

    def test_folders_that_refuse_deletion_make_quit_say_so(self):
        for part in ("new", "cur"):
            with self.subTest(part=part):
                server, client, paths = self.session("new/1000000001.x", "cur/1000000002.x")
                path = os.path.join(server.box(), part)
                os.chmod(path, 0o500)
                client.ok("DELE 1")
                client.ok("DELE 2")
                self.assertEqual(NOT_REMOVED, client.quit())
                os.chmod(path, 0o700)
                kept = os.path.basename(paths[part == "cur"])
                self.assert_problems(server, f'file={part}/{kept} text="the message is not '
                                             'deleted" error="Permission denied"$')
                self.assertEqual([kept], messages.files(server.box()))

    def test_second_session_gets_in_use_until_the_first_is_over(self):
        server, first, _ = self.session("new/1000000001.x")
        answer, second = self.attempt(server)
        self.assertEqual(IN_USE, answer)
        self.assertEqual("+OK bye", first.quit())
        second.ok("USER alice")
        self.assertEqual("+OK maildrop ready", second.ok("PASS wonderland"))
        second.quit()
        self.assert_problems(server)

    def test_others_are_served_while_one_maildrop_is_broken(self):
        server = self.server()
        shutil.rmtree(server.home("alice"))
        self.put(server, "new/1000000001.x", text("1"), user="bob")
        answer, broken = self.attempt(server)
        self.assertTrue(answer.startswith("-ERR [SYS/TEMP] "), answer)
        client = self.client(server, login="bob")
        self.assertEqual(sent("1"), client.multiline("RETR 1")[1])
        client.quit()
        broken.quit()
        self.assert_problems(server, "the home is missing or unusable")
