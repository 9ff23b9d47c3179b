"""The table of records that a peer may send inside the encryption and that do not belong there, with
the one thing that happens after each.

What must happen is said by RFC 8446 (sections 5 and 6, for TLS 1.3) and RFC 5246 (sections 6.2 and
7.2, for TLS 1.2). GnuTLS decides, and where it does something else a comment says so."""

import collections

from support.tls_records import (ALERT, CHANGE_CIPHER_SPEC, CLIENT_HELLO, DATA, FATAL, FINISHED,
                                 HANDSHAKE, HEAD, HEARTBEAT, KEY_UPDATE, NEW_SESSION_TICKET,
                                 PLAINTEXT_MAX, TAG, WARNING, message, record)

# ---- What happens ----

# alerts: what the server says before it closes, as (level, description). reason: of the line in
# the log. then: what the test does before that: nothing; it goes on, and is answered (in place of
# the Finished, by that); it goes on, which is too late (what came was kept till then); it ends.
Outcome = collections.namedtuple("Outcome", "alerts reason then", defaults=("nothing",))


def fatal(description):
    return Outcome([(FATAL, description)], "tls")


GOES_ON = Outcome([], "dropped", "goes on")
WAITS = Outcome([], "dropped", "ends")
LATE = Outcome([(FATAL, 10)], "tls", "too late")
CLOSED = Outcome([], "tls")                          # an alert of the client is not answered
ENDED = Outcome([(WARNING, 0)], "dropped")           # close_notify for close_notify
GIVEN_UP = Outcome([(WARNING, 0)], "tls")            # the same before the handshake is over
NOT_AGAIN = Outcome([(WARNING, 100), (WARNING, 0)], "tls")  # no_renegotiation, close_notify
UNEXPECTED = fatal(10)
BAD_MAC = fatal(20)
OVERFLOW = fatal(22)
ILLEGAL = fatal(47)
DECODE = fatal(50)
DECRYPT = fatal(51)
VERSION = fatal(70)
INTERNAL = fatal(80)

class Case:
    """What is sent: from a RecordTalk `send` makes the octets of the record or records. And what
    happens: in a session of TLS 1.2 and of 1.3, and if they come in place of the client's Finished
    of 1.2 and of 1.3. None: the version has no such thing."""

    def __init__(self, name, send, open12=UNEXPECTED, open13=UNEXPECTED, shaking12=UNEXPECTED,
                 shaking13=UNEXPECTED):
        self.name = name
        self.send = send
        self.opened = {"TLS1.2": open12, "TLS1.3": open13}
        self.shaking = {"TLS1.2": shaking12, "TLS1.3": shaking13}

    def outcome(self, moment, version):
        return (self.shaking if moment == "shaking" else self.opened)[version]


# ---- How to make them ----

def sealed(kind, *contents, **options):
    """A record of this type for each of the contents."""
    return lambda talk: b"".join(talk.out.seal(kind, content, **options) for content in contents)


def inner(plaintext):
    return lambda talk: talk.out.seal_inner(plaintext)


def clear(kind, body):
    return lambda talk: record(kind, body)


def handshake(kind, body=b"", length=None):
    return sealed(HANDSHAKE, message(kind, body, length))


def half_then_data(content):
    return lambda talk: (talk.out.seal(HANDSHAKE, message(KEY_UPDATE, b"\0")[:3])
                         + talk.out.seal(DATA, content))


def key_updates(times, request=0):
    def send(talk):
        octets = b""
        for _ in range(times):
            octets += talk.out.seal(HANDSHAKE, message(KEY_UPDATE, bytes((request,))))
            talk.out.update()
        return octets
    return send


def update_then_data(talk):
    """Data under the key that has been said to be over."""
    return talk.out.seal(HANDSHAKE, message(KEY_UPDATE, b"\0")) + talk.out.seal(DATA, b"")


def two_updates(talk):
    octets = talk.out.seal(HANDSHAKE, 2 * message(KEY_UPDATE, b"\0"))
    talk.out.update()
    talk.out.update()
    return octets


def flipped(at):
    """A record one bit of which has been changed."""
    def send(talk):
        octets = bytearray(talk.out.seal(DATA, b"RSET\r\n"))
        octets[at] ^= 1
        return bytes(octets)
    return send


def twice(talk):
    return 2 * talk.out.seal(DATA, b"")


def numbered(ahead):
    return lambda talk: talk.out.seal(DATA, b"RSET\r\n", number=max(0, talk.out.number + ahead))


def with_head(kind, version):
    """A good record but for what stands before it in the clear."""
    def send(talk):
        return bytes((kind,)) + version + talk.out.seal(DATA, b"")[3:]
    return send


# ---- The table ----

# RFC 8446 section 5 and RFC 5246 section 6: an unknown type is answered by unexpected_message.
FOREIGN = [Case(f"type {kind}, {len(body)} octets", sealed(kind, body))
           for kind in (1, 19, 25, 63, 64, 127, 128, 254, 255)
           for body in (b"", b"\0", b"RSET\r\n", bytes(300))]

# In TLS 1.3 zeros are padding, so a content that ends in them has another type, or none.
FOREIGN += [
    Case("type 0, empty", sealed(0, b""), open13=BAD_MAC, shaking13=BAD_MAC),
    Case("type 0, zeros", sealed(0, bytes(300)), open13=BAD_MAC, shaking13=BAD_MAC),
    Case("type 0, text", sealed(0, b"RSET\r\n")),
]

# RFC 8446 section 5: encrypted, it is always unexpected; RFC 5246 section 7.1: only in a handshake.
# Of the empty ones RFC 5246 section 6.2.1 says that nobody may send them and not what happens then:
# GnuTLS passes over those of the types that it knows.
CHANGES = [
    Case("change_cipher_spec", sealed(CHANGE_CIPHER_SPEC, b"\1")),
    Case("change_cipher_spec of 2", sealed(CHANGE_CIPHER_SPEC, b"\2")),
    Case("change_cipher_spec of two octets", sealed(CHANGE_CIPHER_SPEC, b"\1\1")),
    Case("empty change_cipher_spec", sealed(CHANGE_CIPHER_SPEC, b""), open12=GOES_ON,
         shaking12=GOES_ON),
    # RFC 8446 section D.4: before the Finished it is dropped.
    Case("change_cipher_spec in the clear", clear(CHANGE_CIPHER_SPEC, b"\1"), open12=BAD_MAC,
         shaking12=BAD_MAC, shaking13=GOES_ON),
]

# RFC 8446 section 6: whatever its level, an alert but close_notify is an error. RFC 5246 section
# 7.2.2: a warning may be passed over. GnuTLS passes over one of a level that is neither, too.
KNOWN_ALERTS = (10, 20, 21, 22, 30, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 60, 70, 71, 80, 86,
                90, 100, 109, 110, 111, 112, 113, 114, 115, 116, 120)
ALERTS = [Case("close_notify", sealed(ALERT, b"\1\0"), ENDED, ENDED, GIVEN_UP, GIVEN_UP),
          Case("close_notify, fatal", sealed(ALERT, b"\2\0"), CLOSED, CLOSED, CLOSED, CLOSED),
          Case("close_notify, level 3", sealed(ALERT, b"\3\0"), ENDED, ENDED, GIVEN_UP, GIVEN_UP)]
for number in KNOWN_ALERTS + (200, 255):
    # no_renegotiation makes GnuTLS end the handshake, but not before the next record.
    ALERTS += [Case(f"alert {number}, warning", sealed(ALERT, bytes((1, number))), GOES_ON, CLOSED,
                    LATE if number == 100 else GOES_ON, CLOSED),
               Case(f"alert {number}, fatal", sealed(ALERT, bytes((2, number))), CLOSED, CLOSED,
                    CLOSED, CLOSED)]
ALERTS += [
    Case("alert, level 0", sealed(ALERT, b"\0\x5a"), GOES_ON, CLOSED, GOES_ON, CLOSED),
    Case("alert, level 3", sealed(ALERT, b"\3\x32"), GOES_ON, CLOSED, GOES_ON, CLOSED),
    # 32 in a session and no more; in a handshake GnuTLS itself ends after some twenty.
    Case("16 warnings", sealed(ALERT, *[b"\1\x5a"] * 16), GOES_ON, CLOSED, GOES_ON, CLOSED),
    Case("32 warnings", sealed(ALERT, *[b"\1\x5a"] * 32), GOES_ON, CLOSED, INTERNAL, CLOSED),
    Case("33 warnings", sealed(ALERT, *[b"\1\x5a"] * 33), UNEXPECTED, CLOSED, INTERNAL, CLOSED),
    Case("empty alert", sealed(ALERT, b""), open12=GOES_ON, shaking12=GOES_ON),
    Case("alert of one octet", sealed(ALERT, b"\2")),
    # RFC 8446 section 5.1: one alert a record. GnuTLS looks at the first, which in TLS 1.3 is an end.
    Case("alert of three octets", sealed(ALERT, b"\2\x32\0"), CLOSED, CLOSED, CLOSED, CLOSED),
    Case("two warnings in a record", sealed(ALERT, b"\1\x5a\1\x5a"), GOES_ON, CLOSED, GOES_ON,
         CLOSED),
    Case("a warning and a fatal alert in a record", sealed(ALERT, b"\1\x5a\2\x32"), GOES_ON, CLOSED,
         GOES_ON, CLOSED),
    Case("a fatal alert and a warning in a record", sealed(ALERT, b"\2\x32\1\x5a"), CLOSED, CLOSED,
         CLOSED, CLOSED),
]

# RFC 8446 section 4: out of its place each is unexpected. RFC 5246 section 7.4.1: a client hello asks
# for renegotiation, which is refused.
MESSAGES = [Case(f"handshake message {kind}, {len(body)} octets", handshake(kind, body))
            for kind, body in (
                (0, b""),                                # hello_request
                (2, bytes(40)),                          # server_hello
                (NEW_SESSION_TICKET, bytes(20)),
                (5, b""),                                # end_of_early_data
                (8, b"\0\0"),                            # encrypted_extensions
                (11, b"\0\0\0\0"), (11, b"\0\0\0"),      # certificate, without one
                (12, bytes(60)),                         # server_key_exchange
                (13, b"\0\0\0"),                         # certificate_request
                (14, b""),                               # server_hello_done
                (15, bytes(8)),                          # certificate_verify
                (16, bytes(33)),                         # client_key_exchange
                (22, bytes(8)),                          # certificate_status
                (23, b""), (67, b""), (99, b""), (254, bytes(32)))]
MESSAGES += [
    Case("client_hello", lambda talk: talk.out.seal(HANDSHAKE, talk.hello), open12=NOT_AGAIN),
    Case("client_hello of zeros", handshake(CLIENT_HELLO, bytes(40)), open12=NOT_AGAIN),
    Case("finished of 12 octets", handshake(FINISHED, bytes(12)), shaking12=DECRYPT, shaking13=DECODE),
    Case("finished of 32 octets", handshake(FINISHED, bytes(32)), shaking12=DECRYPT,
         shaking13=DECRYPT),
    # RFC 8446 section 5.1 lets no other record come between the parts of a message. An empty part and
    # one that is not the last are kept until the next record, and for 64 KiB.
    Case("empty handshake record", sealed(HANDSHAKE, b""), GOES_ON, LATE, GOES_ON),
    Case("half a message", sealed(HANDSHAKE, message(FINISHED, bytes(32))[:3]), UNEXPECTED, LATE,
         WAITS, WAITS),
    Case("half a message, then empty data", half_then_data(b""), UNEXPECTED, LATE, WAITS),
    Case("half a message, then data", half_then_data(b"RSET\r\n")),
    Case("a message that says 16 MiB", handshake(11, b"\0", 0xffffff), UNEXPECTED, LATE, WAITS,
         WAITS),
    Case("a finished that says 16 MiB", handshake(FINISHED, bytes(32), 0xffffff), UNEXPECTED, LATE,
         WAITS, WAITS),
    Case("a finished that says 64 KiB and one", handshake(FINISHED, bytes(32), 65537), UNEXPECTED,
         LATE, WAITS, WAITS),
    Case("80 KiB of one that says 16 MiB",
         sealed(HANDSHAKE, message(11, b"", 0xffffff), *[bytes(PLAINTEXT_MAX)] * 5), UNEXPECTED,
         DECODE, DECODE, DECODE),
]

# RFC 8446 section 4.6.3. Eight in a second and no more, which is GnuTLS's own bound; its alert is
# internal_error.
UPDATES = [
    Case("key_update", key_updates(1), None, GOES_ON, None),
    Case("key_update that asks for one", key_updates(1, 1), None, GOES_ON, None),
    Case("8 key_updates", key_updates(8), None, GOES_ON, None),
    Case("8 key_updates that ask", key_updates(8, 1), None, GOES_ON, None),
    Case("9 key_updates", key_updates(9), None, INTERNAL, None),
    Case("100 key_updates that ask", key_updates(100, 1), None, INTERNAL, None),
    # RFC 8446 section 5.1 wants unexpected_message: keys change at the border of a record. GnuTLS
    # takes the second, too.
    Case("two key_updates in a record", two_updates, None, GOES_ON, None),
    Case("key_update of TLS 1.3", handshake(KEY_UPDATE, b"\0"), UNEXPECTED, None, UNEXPECTED, None),
    Case("key_update of 2", handshake(KEY_UPDATE, b"\2"), None, ILLEGAL, None),
    Case("key_update of no octet", handshake(KEY_UPDATE, b""), None, DECODE, None),
    Case("key_update of two octets", handshake(KEY_UPDATE, b"\0\0"), None, DECODE, None),
    Case("key_update, then the old key", update_then_data, None, BAD_MAC, None),
]

# RFC 8446 section 5.1 and RFC 5246 section 6.2.1: empty application data is permitted. Of TLS 1.2 GnuTLS
# takes no more than 200 in a row; of 1.3 it takes any number, and we take 64 KiB of them.
DATAS = [
    Case("empty data", sealed(DATA, b""), GOES_ON, GOES_ON, GOES_ON),
    Case("1000 times empty data", sealed(DATA, *[b""] * 1000), INTERNAL, GOES_ON, INTERNAL),
    Case("4000 times empty data", sealed(DATA, *[b""] * 4000), INTERNAL, DECODE, INTERNAL),
    Case("80 KiB of padding", sealed(DATA, *[b""] * 5, padding=PLAINTEXT_MAX), None, DECODE, None),
]

# RFC 6520: not negotiated, so it is unexpected.
HEARTBEATS = [
    Case("heartbeat", sealed(HEARTBEAT, b"\1\0\1x" + bytes(16))),
    Case("heartbeat that says 16 KiB", sealed(HEARTBEAT, b"\1\x40\0" + bytes(16))),
    Case("heartbeat of three octets", sealed(HEARTBEAT, b"\1\0\0")),
    Case("empty heartbeat", sealed(HEARTBEAT, b""), open12=GOES_ON, shaking12=GOES_ON),
]

# RFC 8446 section 5.4: padding is permitted, and nothing but padding is unexpected. GnuTLS says
# bad_record_mac, which ends the connection as well.
PADDING = [
    Case("padded data", sealed(DATA, b"", padding=300), None, GOES_ON, None),
    Case("padding up to the limit", sealed(DATA, b"", padding=PLAINTEXT_MAX), None, GOES_ON, None),
    Case("padding beyond it", sealed(DATA, b"", padding=PLAINTEXT_MAX + 1), None, OVERFLOW, None,
         OVERFLOW),
    Case("nothing but padding", inner(bytes(100)), None, BAD_MAC, None, BAD_MAC),
    Case("16 KiB of padding", inner(bytes(PLAINTEXT_MAX + 1)), None, BAD_MAC, None, BAD_MAC),
    Case("nothing at all", inner(b""), None, BAD_MAC, None, BAD_MAC),
]

# RFC 8446 section 5.2 and RFC 5246 section 6.2: what is too long is record_overflow; what is no
# ciphertext of its number is bad_record_mac, also if it is too short to have a tag.
ALL_OVERFLOW = (OVERFLOW,) * 4
ALL_BAD_MAC = (BAD_MAC,) * 4
BROKEN = [
    Case("plaintext of 2^14 and one", sealed(DATA, b" " * (PLAINTEXT_MAX + 1)), *ALL_OVERFLOW),
    Case("plaintext of 2^14 and 300", sealed(DATA, b" " * (PLAINTEXT_MAX + 300)), *ALL_OVERFLOW),
    Case("a record of 18 KiB", clear(DATA, bytes(0x4900)), *ALL_OVERFLOW),
    Case("the head of one of 64 KiB", lambda talk: b"\x17\3\3\xff\xff", *ALL_OVERFLOW),
    Case("one bit of the tag", flipped(-1), *ALL_BAD_MAC),
    Case("one bit of the ciphertext", flipped(-TAG - 1), *ALL_BAD_MAC),
    Case("a replayed record", twice, BAD_MAC, BAD_MAC, BAD_MAC),
    Case("a number ahead", numbered(5), *ALL_BAD_MAC),
    Case("the type handshake before data", with_head(HANDSHAKE, b"\3\3"), BAD_MAC, GOES_ON, BAD_MAC),
    Case("version 2.0 before data", with_head(DATA, b"\2\0"), VERSION, VERSION, VERSION, VERSION),
    Case("version 3.4 before data", with_head(DATA, b"\3\4"), VERSION, VERSION, VERSION, VERSION),
]
BROKEN += [Case(f"a body of {length} octets", clear(DATA, bytes(length)), *ALL_BAD_MAC)
           for length in (0, 1, 8, TAG - 1, TAG, TAG + 1, TAG + 8)]

CASES = FOREIGN + CHANGES + ALERTS + MESSAGES + UPDATES + DATAS + HEARTBEATS + PADDING + BROKEN
