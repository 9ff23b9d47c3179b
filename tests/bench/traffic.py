"""Many deliveries a second into one maildrop, each of which says when it is durable.

    traffic.py MAILDIR UID GID RATE SECONDS PROGRAM CONFIG USER

Message n is due n / RATE seconds after the start; one that is late is made up for. Every tenth is
delivered by `pop3-emitter deliver`. As a process takes longer to start than a message to deliver,
the others are written here, by the protocol that every Maildir writer follows: a file in tmp/,
synced, renamed into new/, which is synced. A line of stdout says of each: number, time.

Every message carries its number and a digest of itself.
"""

import hashlib
import os
import queue
import random
import subprocess
import sys
import threading
import time

WRITERS = 8         # at once, so that a slow disk does not lower the rate
BY_PROGRAM = 10     # one in so many
LINES = 40          # at most, of a message's body


def body(number):
    """Lines of a body, without their ends: the same for a number on every run."""
    rng = random.Random(number)
    lines = []
    for _ in range(rng.randint(1, LINES)):
        line = "." * rng.randint(0, 2) if rng.random() < 0.1 else ""
        lines.append((line + "x" * rng.randint(0, 70)).encode())
    return lines


def digest(number, lines):
    return hashlib.sha256(b"\n".join([b"%d" % number, *lines])).hexdigest().encode()


def message(number):
    """A message, its lines ended by LF."""
    lines = body(number)
    head = [b"X-Number: %d" % number, b"X-Digest: " + digest(number, lines), b""]
    return b"\n".join(head + lines) + b"\n"


def number_of(lines):
    """The number of a message that was received in those lines; None: it is not as it was sent."""
    border = lines.index(b"") if b"" in lines else 0
    head = dict(line.split(b": ", 1) for line in lines[:border] if b": " in line)
    text = head.get(b"X-Number", b"")
    if not text.isdigit() or head.get(b"X-Digest") != digest(int(text), lines[border + 1:]):
        return None
    return int(text)


class Writer:
    """Delivers numbers from a queue, by several threads."""

    def __init__(self, maildir, uid, gid, command):
        self.maildir = maildir
        self.owner = (uid, gid)
        self.command = command
        self.new = os.open(os.path.join(maildir, "new"), os.O_RDONLY | os.O_DIRECTORY)
        self.numbers = queue.Queue()
        self.printing = threading.Lock()
        self.failure = None

    def write(self, number):
        name = f"{time.time():.0f}.M{number}P{os.getpid()}.traffic"
        temporary = os.path.join(self.maildir, "tmp", name)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        if os.geteuid() == 0:
            os.fchown(descriptor, *self.owner)
        os.write(descriptor, message(number))
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename(temporary, os.path.join(self.maildir, "new", name))
        os.fsync(self.new)

    def deliver(self, number):
        if number % BY_PROGRAM == 0:
            subprocess.run(self.command, input=message(number), check=True)
        else:
            self.write(number)
        with self.printing:
            print(number, time.monotonic(), flush=True)

    def work(self):
        try:
            for number in iter(self.numbers.get, None):
                self.deliver(number)
        except (OSError, subprocess.SubprocessError) as error:
            self.failure = error

    def run(self, rate, seconds):
        threads = [threading.Thread(target=self.work) for _ in range(WRITERS)]
        for thread in threads:
            thread.start()
        start = time.monotonic()
        for number in range(int(rate * seconds)):
            time.sleep(max(0, start + number / rate - time.monotonic()))
            self.numbers.put(number)
        for _ in threads:
            self.numbers.put(None)
        for thread in threads:
            thread.join()


def main():
    maildir, uid, gid, rate, seconds, program, config, user = sys.argv[1:]
    command = [program, "deliver", "-c", config, user]
    writer = Writer(maildir, int(uid), int(gid), command)
    writer.run(float(rate), float(seconds))
    if writer.failure:
        print(f"traffic: {writer.failure}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
