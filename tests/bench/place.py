"""Where the maildrops lie, as whom they are read, and how many descriptors there are.

The bench wants a disk file system: on tmpfs a server that reads ahead shows nothing.
"""

import os
import pwd
import resource
import shutil
import tempfile

from servers import BenchError

DESCRIPTORS = 20000
SPACE = 1_000_000_000
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs", "devtmpfs")


def file_system(path):
    """(type, mount point, source) of the mount that holds path."""
    path = os.path.realpath(path)
    found = ("unknown", "/", "unknown")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            point = left.split()[4].replace("\\040", " ")
            inside = path == point or path.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(found[1]):
                kind, source = right.split()[:2]
                found = (kind, point, source)
    return found


def mail_user():
    """The unprivileged user whose mail it is; both servers run as it."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        user = pwd.getpwnam(os.environ.get("BENCH_USER", "nobody"))
    except KeyError as error:
        raise BenchError(f"BENCH_USER: {error}") from None
    if user.pw_uid == 0:
        raise BenchError("BENCH_USER must not be root")
    return user


def choose_parent(build):
    """BENCH_DIR, or the first place on a disk."""
    asked = os.environ.get("BENCH_DIR")
    places = [asked] if asked else ["/var/tmp", os.path.dirname(os.path.abspath(build))]
    for place in places:
        kind = file_system(place)[0]
        if kind not in MEMORY_FILE_SYSTEMS or os.environ.get("BENCH_TMPFS") == "yes":
            return place
    raise BenchError(f"{', '.join(places)}: not on a disk; set BENCH_DIR, or BENCH_TMPFS=yes")


def make_folder(build):
    """A temporary folder that the mail user can enter; the caller removes it."""
    parent = choose_parent(build)
    if shutil.disk_usage(parent).free < SPACE:
        raise BenchError(f"{parent}: less than {SPACE // 1_000_000} MB free; set BENCH_DIR")
    folder = tempfile.mkdtemp(prefix="pop3-bench-", dir=parent)
    os.chmod(folder, 0o755)
    return folder


def raise_descriptors():
    """As many as the hard limit or root allows; says what that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(hard, DESCRIPTORS) if hard != resource.RLIM_INFINITY else DESCRIPTORS
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        return wanted
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard
