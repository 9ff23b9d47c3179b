"""Taking the time of failed logins, of several classes of users, in random order.

The machine has other things to do. Noise cannot make classes equal that are not, only hide what is far
smaller than itself; but it may fall on one of them by chance, so a measurement is made up to TRIES
times, and one without a difference is enough. A difference in the work is in all."""

import os
import random
import time

from statistics_of import differences, summary
from support.case import TestCase
from support.wire import Client

EACH = int(os.environ.get("POP3_ENUMERATION", "500"))  # attempts of each class
TRIES = 3
T_MAX = 4.5
MEDIAN_MAX = 0.001
A_CONNECTION = 50  # attempts on one connection
DENIED = "-ERR [AUTH] authentication failed"

CHEAP = "$6$rounds=1000$saltsaltsaltsalt$"
OTHER = "$2b$04$saltsaltsaltsaltsaltsu"


class Timed:
    """The time of each answer of an attempt that is worth it: those that judge."""

    def __init__(self, attempt, answer=DENIED):
        self.attempt = attempt
        self.name = attempt.name
        self.answer = answer

    def take(self, client, user):
        """name of the step -> seconds"""
        *before, last = self.attempt.lines(client, user)
        for line in before:
            client.command(line)
        return {"": self.time(client, last)}

    def time(self, client, line):
        begin = time.perf_counter()
        answer = client.command(line)
        end = time.perf_counter()
        if answer != self.answer:
            raise AssertionError(answer)
        return end - begin


class TimedWhole(Timed):
    """All of an attempt, where more than its last answer takes time."""

    def take(self, client, user):
        begin = time.perf_counter()
        self.attempt.tell(client, user)
        return {"": time.perf_counter() - begin}


class TimedScram(Timed):
    def take(self, client, user):
        begin = time.perf_counter()
        self.attempt.begin(client, user)
        middle = time.perf_counter()
        return {" first": middle - begin, " proof": self.time(client, self.attempt.last())}


class TimingCase(TestCase):
    """classes: name -> entry of the passwd file, None for a user who is in none."""

    def serve(self, classes, *arguments):
        passwd = "".join(f"{name}:{entry}\n" for name, entry in classes.items() if entry is not None)
        server = self.server(*arguments, users={}, passwd=passwd)
        server.expect_log("event=(login|login_refused) ")
        return server

    def measure(self, server, timed, classes, each):
        """step -> class -> times."""
        order = list(classes) * each
        random.shuffle(order)
        found = {}
        for at in range(0, len(order), A_CONNECTION):
            with Client(server.address) as client:
                timed.take(client, order[0])  # the first of a connection is slower
                for name in order[at:at + A_CONNECTION]:
                    for step, seconds in timed.take(client, name).items():
                        found.setdefault(step, {}).setdefault(name, []).append(seconds)
        self.count(len(order))
        return found

    def compare(self, server, timed, classes, each):
        for attempt in range(TRIES):
            found = self.measure(server, timed, classes, each)
            problems = [f"{timed.name}{step}: {text}" for step, times in found.items()
                        for text in differences(times, T_MAX, MEDIAN_MAX)]
            print(f"    try {attempt + 1}: {timed.name}: "
                  + "; ".join(f"{step} {summary(times)}" for step, times in found.items()),
                  flush=True)
            if not problems:
                break
        self.assertEqual(problems, [], timed.name)
        return found
