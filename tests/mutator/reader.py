"""A POP3 client that reads and deletes as people's clients do, and gives what it sees to the
ledger."""

import socket
import struct
import time

from support.wire import Client

IN_USE = "-ERR [IN-USE]"


def unstuffed(body):
    return (b"\r\n" + body).replace(b"\r\n.", b"\r\n")[2:]


class Reader:
    """turn: held from QUIT to the judgement, so that nobody judges while another's messages go."""

    def __init__(self, address, ledger, mutator, turn, rng):
        self.address = address
        self.ledger = ledger
        self.mutator = mutator
        self.turn = turn
        self.rng = rng
        self.counts = dict.fromkeys(("sessions", "in_use", "retrieved", "refused", "busy",
                                     "quits", "not_all_gone", "drops"), 0)

    def session(self):
        with Client(self.address) as client:
            before = self.login(client)
            if before is None:
                return
            self.counts["sessions"] += 1
            messages = self.list(client, before)
            self.retrieve(client, self.some(messages, 8))
            marked = self.mark(client, self.some(messages, 7))
            self.stay(client, messages, marked)
            self.end(client, marked)

    def some(self, messages, most):
        return self.rng.sample(messages, min(len(messages), self.rng.randint(1, most)))

    def login(self, client):
        """The contents that were there before; None if another reader is."""
        client.ok("USER alice")
        with self.ledger.lock:
            before = self.ledger.live()
        answer = client.command("PASS wonderland")
        if answer.startswith(IN_USE):
            self.counts["in_use"] += 1
            client.quit()
            time.sleep(self.rng.uniform(0.001, 0.01))
            return None
        if not answer.startswith("+OK"):
            raise AssertionError(answer)
        return before

    def list(self, client, before):
        client.send(b"STAT\r\nLIST\r\nUIDL\r\n")
        stat = client.line().decode().split()
        sizes, unique_ids = ({int(number): value for number, value in
                              (line.split() for line in self.rest(client))} for _ in range(2))
        sizes = {number: int(size) for number, size in sizes.items()}
        if stat[1:] != [str(len(sizes)), str(sum(sizes.values()))]:
            raise AssertionError(f"{stat} is not the sum of LIST")
        with self.turn:  # what the session before has deleted is known
            return self.ledger.shown(sizes, unique_ids, before)

    @staticmethod
    def rest(client):
        """The lines of a reply to a command that was sent already."""
        status = client.line()
        if not status.startswith(b"+OK"):
            raise AssertionError(status)
        return client.body().decode().splitlines()

    def retrieve(self, client, messages):
        """The numbers of the contents that came."""
        numbers = set()
        for message in messages:
            status = client.command(f"RETR {message.msgno}")
            if status.startswith("+OK"):
                self.counts["retrieved"] += 1
                numbers.add(self.ledger.retrieved(message, int(status.split()[1]),
                                                  unstuffed(client.body())))
            else:
                self.counts["busy" if "[SYS/TEMP]" in status else "refused"] += 1
                self.ledger.refused(message, status)
        return numbers

    def mark(self, client, messages):
        for message in messages:
            client.ok(f"DELE {message.msgno}")
        self.mutator.hot = [c for message in messages for c in message.contents]
        return messages

    def stay(self, client, messages, marked):
        """Others go on meanwhile; the numbers stay."""
        time.sleep(self.rng.choice((0, 0, 0.001, 0.005)))
        left = [(str(m.msgno), m.unique_id) for m in messages if m not in marked]
        if [tuple(line.split()) for line in client.lines("UIDL")] != left:
            raise AssertionError("the list has changed within a session")

    def end(self, client, marked):
        if self.rng.random() < 0.15:
            self.drop(client)
            with self.turn:
                self.ledger.judge(None, marked)
            return
        with self.turn:
            answer = client.quit()
            self.counts["quits"] += 1
            self.counts["not_all_gone"] += not answer.startswith("+OK")
            self.ledger.judge(answer, marked)

    def drop(self, client):
        """The peer is gone, with or without saying so."""
        self.counts["drops"] += 1
        if self.rng.random() < 0.5:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack("ii", 1, 0))
        client.close()

    def read_all(self):
        """The numbers of all that is left, by a session that changes nothing; None if another one
        is not over yet."""
        with Client(self.address) as client:
            before = self.login(client)
            if before is None:
                return None
            numbers = self.retrieve(client, self.list(client, before))
            client.quit()
            return numbers
