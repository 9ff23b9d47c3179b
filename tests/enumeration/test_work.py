"""Nobody learns from the time of an answer who exists. Here without delays and penalties, so that the
work itself is compared: it is the same for whoever cannot log in."""

import os

from attempts import CramMd5, ITERATIONS, OauthBearer, Pass, Plain, ScramAttempt, hashed, scram_hashed
from statistics_of import ENOUGH
from timing import CHEAP, EACH, OTHER, Timed, TimedScram, TimedWhole, TimingCase

# In the short form fewer of those that cost a tenth of a second, or some hundredths.
FEW = EACH if EACH >= ENOUGH else max(8, EACH // 10)
SOME = EACH if EACH >= ENOUGH else max(20, EACH // 5)
TEMPORARY = "-ERR [SYS/TEMP] try again later"
STANDARD = "$y$j9T$saltsaltsaltsalt$"  # of crypt_gensalt(3)

OFF = ("--failure-delay", "0", "--address-failures", "0", "--user-failures", "0",
       "--login-timeout", "3600")


class Work(TimingCase):
    def test_failed_logins_take_the_same_work_whoever_the_user_is(self):
        usual = hashed(CHEAP)
        classes = {"wrong": usual, "unknown": None, "disabled": "!" + usual,
                   "other-method": hashed(OTHER), "plain": "{PLAIN}right"}
        server = self.serve({**classes, "one-more": usual}, *OFF)
        for timed in (Timed(Pass()), Timed(Plain())):
            self.compare(server, timed, classes, EACH)

    def test_standard_hashes_take_the_same_work_whoever_the_user_is(self):
        usual = hashed(STANDARD)
        classes = {"wrong": usual, "unknown": None, "disabled": "!" + usual}
        self.compare(self.serve(classes, *OFF), Timed(Pass()), classes, FEW)

    def test_digests_take_the_same_work_whoever_the_user_is(self):
        classes = {"wrong": "{PLAIN}right", "unknown": None, "disabled": "!{PLAIN}right",
                   "other-method": hashed(CHEAP)}
        server = self.serve(classes, "--apop", "yes", *OFF)
        self.compare(server, TimedWhole(CramMd5()), classes, EACH)

    def verifying(self, code, *arguments):
        """Users of a program that always exits with this code, and others."""
        program = os.path.join(self.temporary(), "program")
        with open(program, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\nexit {code}\n")
        os.chmod(program, 0o755)
        usual = hashed(STANDARD)
        classes = {"wrong": "{VERIFY}", "unknown": None, "disabled": "!{VERIFY}",
                   "other-method": usual, "plain": "{PLAIN}right"}
        server = self.serve(classes, "--verify-command", program, *arguments, *OFF)
        server.expect_log("event=verify_failed ")
        return server, classes

    def test_a_program_is_asked_whoever_the_user_is(self):
        server, classes = self.verifying(1)
        for timed in (Timed(Pass()), TimedWhole(OauthBearer())):
            self.compare(server, timed, classes, FEW if timed.name == "PASS" else SOME)

    def test_a_program_that_is_out_of_order_tells_nothing_either(self):
        server, classes = self.verifying(111)
        self.compare(server, Timed(Pass(), TEMPORARY), classes, FEW)

    def test_scram_takes_the_same_work_whoever_the_user_is(self):
        usual = scram_hashed(ITERATIONS)
        classes = {"wrong": usual, "unknown": None, "disabled": "!" + usual,
                   "other-method": "{PLAIN}right"}
        server = self.serve({**classes, "one-more": usual}, *OFF)
        self.compare(server, TimedScram(ScramAttempt()), classes, SOME)
