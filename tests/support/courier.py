"""Debian's Courier, unpacked below the build directory (scripts/packages.sh), since its packages
conflict with Dovecot's. Its courierpop3d is what runs after the login: it serves one Maildir to one
client on its standard input and output."""

import contextlib
import glob
import os
import socket
import subprocess

from support.server import ROOT, own
from support.wire import GUARD, Client

FOLDER = os.path.join(ROOT, os.environ.get("BUILD", "build"), "courier")
PROGRAM = os.path.join(FOLDER, "usr/lib/courier/courier/courierpop3d")
LIST = "courierpop3dsizelist"


def environment(maildir):
    """What courierpop3login would hand on."""
    libraries = [os.path.join(FOLDER, "usr/lib"),
                 *glob.glob(os.path.join(FOLDER, "usr/lib/*-linux-gnu*"))]
    return {"LD_LIBRARY_PATH": ":".join(libraries), "AUTHENTICATED": "alice", "HOME": maildir,
            "MAILDIR": maildir, "TCPREMOTEIP": "127.0.0.1", "TCPREMOTEPORT": "0"}


@contextlib.contextmanager
def session(maildir):
    """A client that is logged in at Courier; what Courier then wrote belongs to the mail user."""
    if not os.access(PROGRAM, os.X_OK):
        raise AssertionError(f"{PROGRAM} is missing: scripts/test unpacks it")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(listener.getsockname(), greet=False)
        peer, _ = listener.accept()
    with peer:
        process = subprocess.Popen([PROGRAM], stdin=peer, stdout=peer, stderr=subprocess.PIPE,
                                   env=environment(maildir), cwd=maildir)
    try:
        with client:
            client.greeting = client.line()
            yield client
    finally:
        _, log = process.communicate(timeout=GUARD)
        own(maildir)
    if process.returncode != 0:
        raise AssertionError(f"courierpop3d ended with {process.returncode}: {log}")
