"""The fault matrix: each system call of the store and of deliveries fails in turn, with each error.
Plain faults (EINTR, short transfers) nobody notices; after others what was answered is true, what
was not to be deleted is there, and all works again at once."""

import collections
import os
import random
import time

import matrix_trace
from matrix_check import Judge
from matrix_places import place_of
from matrix_run import PASSWORD, Boxes, Host
from matrix_scenarios import SCENARIOS, TEXTS, make_four
from matrix_shim import ALWAYS, SEND, Fault, Shim
from support import messages
from support.case import TestCase
from support.server import ROOT, Server, own

CASES = int(os.environ.get("POP3_MATRIX_CASES", "400"))  # of all; 0 = all of them
STRACE_CASES = int(os.environ.get("POP3_MATRIX_STRACE", "10"))
SEED = int(os.environ.get("POP3_MATRIX_SEED", str(time.time_ns() % 1000000)))
CASES_MIN = 1500
USERS = 12000
USERS_NESTED = 2000
WITNESS = "witness"

ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EACCES", "EROFS", "ENOENT", "EMFILE", "ENFILE", "ENOMEM",
          "EINTR", "ESTALE")
LASTING = ("EIO", "ENOSPC", "EMFILE", "ESTALE")
# Octets at most, how often.
SHORT = {"read": ((1, 1), (999, ALWAYS)), "pread64": ((1, 1), (999, ALWAYS)),
         "preadv2": ((1, 1), (999, ALWAYS)), "write": ((1, 1), (999, ALWAYS)),
         "getdents64": ((1, 1), (1, ALWAYS))}
SHOWN_MAX = 100
TEXT_MAX = 200
SAME_PLACE_TRIES = 10
RECORDINGS = 3

SERVERS = {
    "plain": (),
    "apart": ("--mark-seen", "yes", "--index-dir", "{folder}/indexes"),
    "dovecot": ("--uidl-format", "dovecot"),
}

Case = collections.namedtuple("Case", "scenario fault")


def faults_at(call, number, is_first):
    """All that can happen to one call; is_first: there is none before it in such a place."""
    for error in ERRORS:
        yield Fault(call, number, error, 1)
    yield Fault(call, number, "EINTR", 3)
    for octets, times in SHORT.get(call, ()):
        yield Fault(call, number, octets, times)
    for error in LASTING if is_first and call != "close" else ():
        yield Fault(call, number, error, ALWAYS)


def grouped(wrong):
    """Complaints, each with all the faults that led to it."""
    faults = collections.defaultdict(list)
    for case, text in wrong:
        faults[case.scenario.name, text[:TEXT_MAX]].append(str(case.fault))
    lines = [f"{scenario}: {text}\n    {', '.join(found)}"
             for (scenario, text), found in faults.items()]
    return "\n".join(lines[:SHOWN_MAX])


class Ground:
    """The servers, and the boxes of their users."""

    def __init__(self, test, shimmed=True):
        self.test = test
        self.shimmed = shimmed
        self.hosts = {}
        self.boxes = {}

    def library(self):
        return os.path.join(ROOT, os.environ.get("BUILD", "build"), "store-shim.so")

    def host(self, name):
        if name not in self.hosts:
            self.hosts[name] = self.start(name)
        return self.hosts[name]

    def start(self, name):
        test = self.test
        folder = test.temporary(in_memory=True)
        names = [f"u{number:05d}" for number in range(USERS)]
        nested = [f"n{number:05d}" for number in range(USERS_NESTED)]
        arguments = [word.format(folder=folder) for word in SERVERS[name]]
        shim = Shim(os.path.join(folder, "shim")) if self.shimmed else None
        env = shim.environment(self.library()) if shim else None
        mail = os.path.join(folder, "mail")
        entries = "".join(f"{user}:{{PLAIN}}{PASSWORD}::::{mail}/{user}::\n"
                          for user in [WITNESS] + names)
        entries += "".join(f"{user}:{{PLAIN}}{PASSWORD}::::{mail}/{user}/{user}::\n"
                           for user in nested)
        server = Server(folder, "--store-workers", "1", *arguments, env=env, maildirs=False,
                        users={WITNESS: PASSWORD}, passwd=entries)
        with open(server.passwd_path + ".nested", "w", encoding="ascii") as file:
            file.writelines(f"{user}:{{PLAIN}}{PASSWORD}::::::\n" for user in nested)
        os.mkdir(os.path.join(folder, "indexes"))
        own(folder)
        server.expect_log(r"level=(warning|error) event=(store|error|login) ")
        messages.make_maildir(server.home(WITNESS))
        server.plant([TEXTS["a"]], WITNESS)
        test.addCleanup(test.judge, server)
        server.start()
        self.boxes[name] = Boxes(server.mail, names, nested)
        host = Host(server, self.library(), shim)
        host.indexes = os.path.join(folder, "indexes") if name == "apart" else None
        host.watch(WITNESS, messages.stuffed(TEXTS["a"]))
        test.addCleanup(host.close)
        return host

    def place(self, scenario):
        return self.host(scenario.server), self.boxes_of(scenario).take(scenario)

    def boxes_of(self, scenario):
        self.host(scenario.server)
        return self.boxes[scenario.server]


class MatrixTest(TestCase):
    def setUp(self):
        self.ground = Ground(self)

    # -- cases

    def run_case(self, case):
        """(outcome, complaints)"""
        host, box = self.ground.place(case.scenario)
        outcome = host.run(box, case.scenario, case.fault)
        judge = Judge(case, box, outcome, host.indexes)
        judge.check()
        judge.expect(host.alive(), "the server is gone")
        if host.alive():
            if outcome.code:
                judge.check_next(host.whole_session(box, fetch=False))
            if case.scenario.is_delivery():
                self.deliver_again(host, box, case, outcome, judge)
            judge.check_next(host.whole_session(box))
        box.remove()
        return outcome, judge.complaints

    @staticmethod
    def deliver_again(host, box, case, outcome, judge):
        """The next delivery works, and what an earlier one left undone is done then."""
        again = host.run(box, case.scenario)
        judge.expect(again.code == 0, "the next delivery:", again.code, again.said)
        judge.check_durable([record for record in outcome.records
                             if record.call in ("mkdir", "mkdirat", "rename", "fsync")] + again.records)

    def recorded(self, scenario):
        """The calls of a scenario in which nothing fails: (call, number, place, lacking). How often
        a folder is looked at until its state has settled varies; the fewest calls always come."""
        runs = []
        for _ in range(RECORDINGS):
            host, box = self.ground.place(scenario)
            runs.append((host.run(box, scenario).records, box))
        records, box = min(runs, key=lambda run: len(run[0]))
        numbers = collections.Counter()
        for record in records:
            if record.call != SEND:
                numbers[record.call] += 1
                yield (record.call, numbers[record.call],
                       place_of(record.path, box, host.indexes), record.lacking)

    def all_cases(self):
        for scenario in SCENARIOS:
            seen = set()
            for call, number, place, lacking in self.recorded(scenario):
                if lacking:
                    continue
                yield from (Case(scenario, fault)
                            for fault in faults_at(call, number, (call, place) not in seen))
                seen.add((call, place))

    def chosen_cases(self):
        cases = list(self.all_cases())
        self.assertGreaterEqual(len(cases), CASES_MIN)
        if 0 < CASES < len(cases):
            return random.Random(SEED).sample(cases, CASES)
        return cases

    # -- tests

    def test_no_call_of_the_store_is_without_its_row(self):
        """What strace sees is what the shim sees. It is not there, unless it plays a bare file
        system, of which strace knows nothing."""
        plain = Ground(self, shimmed=False)
        for scenario in SCENARIOS:
            with self.subTest(scenario=scenario.name):
                host, box = (self.ground if scenario.lacks else plain).place(scenario)
                traced = matrix_trace.rows(host, box, scenario)
                rows = {(call, place) for call, _, place, lacking in self.recorded(scenario)
                        if not lacking}
                self.assertEqual(traced, rows)
                self.count(len(rows))

    def test_scenarios_without_faults_pass(self):
        for scenario in SCENARIOS:
            with self.subTest(scenario=scenario.name):
                _, complaints = self.run_case(Case(scenario, None))
                self.assertEqual(complaints, [])

    def test_every_failing_call_is_made_good_or_told(self):
        begun = time.monotonic()
        cases = self.chosen_cases()
        wrong, missed = [], 0
        for case in cases:
            outcome, complaints = self.run_case(case)
            if outcome.hits:
                self.count()
            else:
                missed += 1
            wrong += [(case, text) for text in complaints]
        print(f"fault matrix: {self.cases} cases, {missed} in which the call did not come, "
              f"{time.monotonic() - begun:.0f} s, seed {SEED}")
        if wrong:
            self.fail(f"{len(wrong)} complaints, seed {SEED}\n" + grouped(wrong))
        self.assertLessEqual(missed, len(cases) // 50)
        self.assertGreaterEqual(self.cases, min(len(cases), CASES_MIN) * 0.98)

    def test_strace_injects_with_the_same_outcome(self):
        plain = Ground(self, shimmed=False)
        cases = [case for case in self.all_cases() if can_be_injected(case)]
        cases = random.Random(SEED).sample(cases, STRACE_CASES)
        traces = {}
        for case in cases:
            with self.subTest(case=f"{case.scenario}: {case.fault}", seed=SEED):
                outcome, again, judge = self.run_in_both(plain, case, traces)
                self.assertEqual(judge.complaints, [])
                self.assertEqual(again.in_short(case.scenario), outcome.in_short(case.scenario))
                self.count()
        self.assertEqual(self.cases, STRACE_CASES)

    def run_in_both(self, plain, case, traces):
        """The outcomes with the shim and with strace, and the judge of the latter. How often a
        folder is looked at until its state has settled varies, so that the fault may come
        elsewhere: then again."""
        for _ in range(SAME_PLACE_TRIES):
            host, box = self.ground.place(case.scenario)
            first = host.run(box, case.scenario, case.fault)
            first_judge = Judge(case, box, first, host.indexes)
            second, second_judge = self.run_injected(plain, case, traces)
            if second and first_judge.places == second_judge.places != set():
                return first, second, second_judge
        self.fail("the fault does not come in the same place")

    @staticmethod
    def run_injected(plain, case, traces):
        """(outcome, judge), or none: the trace that tells where to inject lacks the call."""
        host, box = plain.place(case.scenario)
        if case.scenario not in traces:
            _, calls = matrix_trace.traced_run(host, box, case.scenario)
            traces[case.scenario] = (calls, box)
            host, box = plain.place(case.scenario)
        where = matrix_trace.position(*traces[case.scenario], host, case.fault)
        if where is None:
            del traces[case.scenario]
            return None, None
        outcome = matrix_trace.injected_run(host, box, case, where)
        judge = Judge(case, box, outcome, host.indexes)
        judge.check()
        judge.check_next(host.whole_session(box, fetch=False))
        return outcome, judge


def can_be_injected(case):
    """strace makes errors only, and knows no bare file system; a close(2) it leaves undone."""
    return not case.scenario.lacks and case.fault.times == 1 and \
        isinstance(case.fault.what, str) and case.fault.call != "close"
