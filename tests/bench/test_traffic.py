"""The traffic row: the accounts find what went wrong, and messages tell whether they are whole."""

import traffic
from ledger import Ledger
from support.case import TestCase


class Accounts(TestCase):
    """Messages 1 to 3 are durable at times 1 to 3, and have been fetched as a, b and c."""

    def setUp(self):
        self.ledger = Ledger()
        for number, name in ((1, b"a"), (2, b"b"), (3, b"c")):
            self.ledger.delivered(number, number)
            self.ledger.fetched(name, number)

    def check(self, *faults):
        self.assertEqual(sorted(self.ledger.faults.values()), sorted(faults))

    def test_all_is_well_while_everything_is_there(self):
        self.ledger.listed(10, [b"a", b"b", b"c"])
        self.check()

    def test_message_that_is_not_listed_is_lost_once(self):
        self.ledger.listed(10, [b"a", b"c"])
        self.ledger.listed(11, [b"a", b"c"])
        self.check("message 2 is lost")

    def test_message_delivered_after_the_login_need_not_be_listed(self):
        self.ledger.listed(2.5, [b"a", b"b"])
        self.check()

    def test_deleted_message_may_not_come_back(self):
        self.ledger.mark([b"b"])
        self.ledger.gone([b"b"], 10)
        self.ledger.listed(9, [b"a", b"b", b"c"])
        self.ledger.listed(11, [b"a", b"c"])
        self.check()
        self.ledger.listed(12, [b"a", b"b", b"c"])
        self.check("message 2 is back after its deletion")

    def test_message_whose_deletion_is_under_way_may_be_there_or_not(self):
        self.ledger.mark([b"b"])
        self.ledger.listed(10, [b"a", b"c"])
        self.ledger.listed(10, [b"a", b"b", b"c"])
        self.check()

    def test_message_is_doubled_by_name_or_by_content(self):
        self.ledger.listed(10, [b"a", b"b", b"c", b"b"])
        self.ledger.fetched(b"d", 3)
        self.check("message 2 is listed twice", "message 3 has two unique-ids")

    def test_other_message_under_a_known_name_is_found(self):
        self.ledger.delivered(4, 4)
        self.ledger.fetched(b"a", 4)
        self.check("message 4 came under the unique-id of 1")

    def test_changed_message_is_wrong_and_the_true_one_lost(self):
        self.ledger.delivered(4, 4)
        self.ledger.fetched(b"d", None)
        self.ledger.listed(10, [b"a", b"b", b"c", b"d"])
        self.check("message b'd' is not as it was delivered", "message 4 is lost")

    def test_message_is_deleted_and_delivered_once(self):
        self.ledger.gone([b"a"], 10)
        self.ledger.gone([b"a"], 11)
        self.ledger.delivered(2, 20)
        self.check("message 1 was deleted twice", "message 2 delivered twice")

    def test_names_that_nobody_fetched_are_unknown(self):
        self.assertEqual(self.ledger.unknown([b"a", b"d", b"c", b"e"]), [b"d", b"e"])


class Messages(TestCase):
    def received(self, number):
        return traffic.message(number).splitlines()

    def test_message_tells_its_number(self):
        for number in range(300):
            self.assertEqual(traffic.number_of(self.received(number)), number)
            self.count()

    def test_changed_message_tells_none(self):
        lines = self.received(7)
        other = self.received(8)
        border = lines.index(b"")
        for changed in (lines[:-1], lines + [b""], lines[1:], other[:1] + lines[1:],
                        lines[:border] + other[border:], other[:border] + lines[border:],
                        [b"X-Number: 7"], [b""], []):
            self.assertIsNone(traffic.number_of(changed))
            self.count()
