"""Nobody learns from the time of an answer who exists. Here without delays and penalties, so that the
work itself is compared: it is the same for whoever cannot log in."""

from attempts import CramMd5, ITERATIONS, Pass, Plain, ScramAttempt, hashed, scram_hashed
from timing import CHEAP, EACH, OTHER, Timed, TimedCram, TimedScram, TimingCase

FEW = max(8, EACH // 10)  # where one costs a tenth of a second
SOME = max(20, EACH // 5)
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
        self.compare(server, TimedCram(CramMd5()), classes, EACH)

    def test_scram_takes_the_same_work_whoever_the_user_is(self):
        usual = scram_hashed(ITERATIONS)
        classes = {"wrong": usual, "unknown": None, "disabled": "!" + usual,
                   "other-method": "{PLAIN}right"}
        server = self.serve({**classes, "one-more": usual}, *OFF)
        self.compare(server, TimedScram(ScramAttempt()), classes, SOME)
