"""What the protocol tests stand on: a maildrop filled anew, a server known to be quiet."""

import os
import time

from support.wire import Client


def refill(server, data, **options):
    """Puts these messages, and no others, into alice's maildrop; returns their names."""
    for folder in ("new", "cur"):
        for name in os.listdir(os.path.join(server.box(), folder)):
            os.unlink(os.path.join(server.box(), folder, name))
    return [os.path.basename(path) for path in server.plant(data, **options)]


class Endings:
    """Counts the sessions that have ended, by the log: only then is a maildrop free again and
    nothing more done to it. A connection that is closed may leave work behind for a moment."""

    def __init__(self, server):
        self.server = server
        self.offset = 0
        self.count = 0

    def seen(self):
        with open(self.server.log_path, "rb") as file:
            file.seek(self.offset)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self.offset += whole
        self.count += data[:whole].count(b" event=closed ")
        return self.count


def baseline(server):
    """Descriptors of a server without sessions that has had one: what it opens once is open. A
    closed connection may take a moment, so the least number seen for a while counts."""
    with Client(server.address) as client:
        client.login()
        client.quit()
    server.wait_for_log(r"event=closed\b")
    least = server.descriptors()
    for _ in range(30):
        time.sleep(0.01)
        least = min(least, server.descriptors())
    return least
