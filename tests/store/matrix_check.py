"""Judges a case from what was seen from outside: replies, directory, order of the system calls. It
knows the RFC and the promises of the documents, and nothing of how the server keeps them."""

import functools
import os
import re

from matrix_places import SPARE, is_message, place_of
from matrix_scenarios import DELIVERED, TEXTS
from support import messages

TEMPFAIL = 75


# ---- What there is

# Some of the texts are long, and all come again thousands of times.
repaired = functools.lru_cache(messages.repaired)
stuffed = functools.lru_cache(messages.stuffed)
top = functools.lru_cache(messages.top)


def base_name(name):
    return name.split(":2,")[0]


class Message:
    """sizes: what LIST may say. A claim in the name is believed until the message is sent, if the
    file's length is the claimed one; and a file that grows makes no login read its folder again."""

    def __init__(self, folder, name, data, uids):
        self.path = (folder, name)
        self.base = base_name(name)
        self.data = data
        letter = name.split(".")[1]
        self.uid = uids.get(letter, self.base)
        self.sizes = {len(repaired(data)),
                      len(repaired(TEXTS.get(letter, data)))}
        claim = re.search(r",S=(\d+),W=(\d+)", self.base)
        if claim and int(claim.group(1)) == len(data):
            self.sizes.add(int(claim.group(2)))

    def __repr__(self):
        return self.base


def delivery_time(name):
    match = re.match(r"(\d+)\.(?:M(\d+))?", name)
    return int(match.group(1)), int(match.group(2) or 0), name


def in_order(contents, uids):
    """The messages of a directory in the order of their delivery."""
    return [Message(folder, name, data, uids)
            for (folder, name), data in sorted(contents.items(),
                                               key=lambda item: delivery_time(item[0][1]))]


# ---- One case

class Judge:
    """`complaints` is what is wrong with the case, in words."""

    def __init__(self, case, box, outcome, indexes):
        self.scenario = case.scenario
        self.fault = case.fault
        self.box = box
        self.indexes = indexes
        self.outcome = outcome
        self.complaints = []
        denied = [record for record in outcome.records if record.denied]
        self.places = {self.place(record) for record in denied}
        self.denied = [record.path for record in denied]

    def place(self, record):
        return place_of(record.path, self.box, self.indexes)

    def expect(self, condition, *words):
        if not condition:
            self.complaints.append(" ".join(map(str, words)))

    # -- what may come of the fault

    def must_succeed(self):
        """Plain faults, those of what only serves speed, and a close(2) of what was not written."""
        fault = self.fault
        if fault is None or fault.is_plain() or self.places <= SPARE:
            return True
        if fault.call in ("openat2", "preadv2"):
            return True  # there is another way to the same end
        return fault.call == "close" and "file in tmp/" not in self.places

    def check_refusal(self, reply):
        """-ERR: only where it may be, with the right code of RFC 2449 and 3206."""
        self.expect(not self.must_succeed(), self.scenario.armed, "was refused:", reply.status)
        code = re.match(r"-ERR \[([A-Z/-]+)\]", reply.status)
        if self.fault.what in ("EACCES", "EROFS"):
            allowed = ("SYS/PERM", "SYS/TEMP")
        else:
            allowed = ("SYS/TEMP",)
        if self.fault.what == "ENOENT" and self.scenario.armed.startswith(("RETR", "TOP")):
            return
        if self.scenario.armed == "QUIT":
            return
        self.expect(code and code.group(1) in allowed, "wrong code:", reply.status)

    # -- login

    def may_be_missing(self, message):
        """Not allowed to be opened, so its size is not known; or not there when it was opened."""
        fault = self.fault
        if fault is None or not all(map(is_message, self.places)):
            return False
        path = os.path.join(self.box.maildir, *message.path)
        if fault.what == "EACCES":
            return path in self.denied
        return fault.what == "ENOENT" and fault.times > 1 and path in self.denied

    def check_list(self, replies, expected, what):
        """STAT, LIST and UIDL say what there is."""
        lines = {word: replies.get(word) for word in ("STAT", "LIST", "UIDL")}
        if not all(reply and reply.ok() and not reply.cut for reply in lines.values()):
            self.expect(False, what, "no list:", lines)
            return
        sizes = [int(line.split()[1]) for line in lines["LIST"].body.decode().splitlines()]
        self.expect(lines["STAT"].status == f"+OK {len(expected)} {sum(sizes)}", what,
                    lines["STAT"].status, "instead of", len(expected), sum(sizes))
        self.expect(len(sizes) == len(expected) and
                    all(size in message.sizes for size, message in zip(sizes, expected)),
                    what, "LIST", sizes, "instead of", [message.sizes for message in expected])
        wanted = "".join(f"{number} {message.uid}\r\n"
                         for number, message in enumerate(expected, 1))
        self.expect(lines["UIDL"].body == wanted.encode(), what, "UIDL", lines["UIDL"].body,
                    "instead of", wanted)

    def check_login(self):
        reply = self.outcome.replies.get("PASS")
        present = in_order(self.outcome.present, self.scenario.uids)
        if reply is None:
            self.expect(False, "no answer to PASS")
        elif not reply.ok():
            self.check_refusal(reply)
        else:
            listed = self.outcome.replies.get("UIDL")
            seen = (listed.body or b"").decode().split() if listed else []
            expected = [message for message in present
                        if message.uid in seen or not self.may_be_missing(message)]
            self.expect(expected or not present, "+OK with 0 messages")
            self.check_list(self.outcome.replies, expected, "login:")

    # -- messages

    @staticmethod
    def wire_form(message, command):
        if command.startswith("TOP"):
            data = top(message.data, int(command.split()[2]))
        else:
            data = message.data
        return stuffed(data)

    def check_message(self):
        command = self.scenario.armed
        reply = self.outcome.armed(self.scenario)
        message = in_order(self.outcome.present, self.scenario.uids)[int(command.split()[1]) - 1]
        wanted = self.wire_form(message, command)
        if reply is None:
            self.expect(False, "no answer to", command)
        elif not reply.ok():
            self.check_refusal(reply)
        elif reply.cut:
            self.expect(not self.must_succeed(), command, "was cut")
            self.expect(wanted.startswith(reply.body), command, "sent something else")
        else:
            self.expect(reply.body == wanted, command, "sent", len(reply.body), "octets, not",
                        len(wanted))
        if reply is not None and not reply.cut:
            quit_reply = self.outcome.replies.get("QUIT")
            self.expect(quit_reply and quit_reply.ok(), "QUIT after it:", quit_reply)
        self.expect(self.box.contents() == self.outcome.present, "the maildrop has changed")

    # -- QUIT

    def check_commit(self):
        reply = self.outcome.replies.get("QUIT")
        present = in_order(self.outcome.present, self.scenario.uids)
        marked = {int(command.split()[1]) for command in self.scenario.commands
                  if command.startswith("DELE")}
        left = {base_name(name): data for (_, name), data in self.box.contents().items()}
        for number, message in enumerate(present, 1):
            if number not in marked:
                self.expect(left.get(message.base) == message.data, message, "is lost or changed")
        remaining = [message for number, message in enumerate(present, 1)
                     if number in marked and message.base in left]
        if reply is None:
            self.expect(False, "no answer to QUIT")
        elif reply.ok():
            self.expect(not remaining, "+OK, and still there:", remaining)
            self.check_synced(reply.status)
        else:
            self.check_refusal(reply)
            for message in remaining:
                self.expect(left[message.base] == message.data, message, "is changed")

    def check_synced(self, reply):
        """After the last deletion from a folder, and before the reply, it was synced."""
        unsynced = set()
        for record in self.outcome.records:
            folder = os.path.dirname(record.path)
            if record.call == "unlinkat" and record.result == 0 and is_message(self.place(record)):
                unsynced.add(folder)
            elif record.call == "fsync" and record.result == 0:
                unsynced.discard(record.path)
            elif record.call == "sendto" and record.path.startswith(reply):
                break
        self.expect(not unsynced, "+OK, and not synced:", unsynced)

    # -- deliveries

    def check_delivery(self):
        code = self.outcome.code
        before, after = self.outcome.present, self.box.contents()
        arrived = [key for key in after if key not in before]
        self.expect(all(after.get(key) == data for key, data in before.items()), "mail is lost")
        self.expect(all(after[key] == DELIVERED and key[0] == "new" for key in arrived),
                    "in part delivered:", arrived)
        self.expect(code in (0, TEMPFAIL), "exit code", code, self.outcome.said)
        self.expect(code == 0 or not self.must_succeed(), "exit code", code, self.outcome.said)
        self.expect(code == 0 or self.outcome.said, "it failed without a word")
        if code == 0:
            self.expect(len(arrived) == 1, "exit code 0,", len(arrived), "messages")
            self.check_durable(self.outcome.records)
        else:
            self.expect(len(arrived) <= 1, len(arrived), "messages")

    def check_durable(self, records):
        """All that was written and named was synced in the end, and contents before names."""
        dirty, unnamed = set(), set()
        for record in records:
            folder = os.path.dirname(record.path)
            place = self.place(record)
            if record.call == "write" and place == "file in tmp/" and record.result > 0:
                dirty.add(record.path)
            elif record.call in ("rename", "renameat2", "linkat") and record.result == 0:
                self.expect(not dirty, "named before it was synced")
                unnamed.add(folder)
            elif record.call in ("mkdir", "mkdirat") and record.result == 0:
                if place != "tmp/":
                    unnamed.add(folder)
            elif record.call == "fsync" and record.result == 0:
                dirty.discard(record.path)
                unnamed.discard(record.path)
        self.expect(not unnamed, "not synced:", unnamed)

    # -- all

    def check_strays(self):
        strays = self.box.strays()
        if self.fault and self.fault.call in ("unlinkat", "rmdir"):
            strays = {name for name in strays if not name.startswith("tmp/")} - \
                {"pop3-emitter.index.new", "pop3-emitter.probe", "Maildir.making"}
        self.expect(not strays, "left behind:", strays)

    def check(self):
        if self.scenario.is_delivery():
            self.check_delivery()
        elif self.scenario.armed == "QUIT":
            self.check_commit()
        elif self.scenario.armed.startswith(("RETR", "TOP")):
            self.check_message()
        else:
            self.check_login()
        self.check_strays()
        self.expect(not self.outcome.witness, self.outcome.witness)

    def check_next(self, replies):
        """A session after it, in which nothing fails. A home that is not there yet has none."""
        if not os.path.isdir(self.box.top):
            self.expect(self.scenario.nested, "the home is gone")
            return
        present = in_order(self.box.contents(), self.scenario.uids)
        reply = replies.get("PASS")
        if reply is None or not reply.ok():
            self.expect(False, "the next login:", reply)
            return
        self.check_list(replies, present, "the next login:")
        fetched = "RETR 1" in replies
        for number, message in enumerate(present, 1) if fetched else ():
            got = replies.get(f"RETR {number}")
            self.expect(got and got.ok() and got.body == stuffed(message.data),
                        "the next login: RETR", number)
        self.expect(replies["QUIT"] and replies["QUIT"].ok(), "the next login: QUIT")
