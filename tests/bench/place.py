"""Where the maildrops lie, as whom they are read, and how many descriptors there are.

The bench wants a disk file system: on tmpfs a server that reads ahead shows nothing, and fsync
costs nothing. As root it makes one, in an image file on a disk: how long a file takes to make or
unlink depends on the journal, the mount options and the history of a file system, and a hundred
thousand files are gone with the image at once. It is mounted in a mount namespace of the bench and
the file has no name any more, so nothing of it outlives the bench, whatever ends it. With BENCH_DIR
the maildrops lie in that folder instead.
"""

import contextlib
import os
import pwd
import resource
import shutil
import subprocess
import tempfile

from servers import BenchError
from support import disk

DESCRIPTORS = 20000
SPACE = 1_500_000_000
MESSAGE_SPACE = 12_000  # of a message of the large maildrop, in both trees
FILES = 100_000
MESSAGE_FILES = 3
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


@contextlib.contextmanager
def acting_as(user):
    """What is written meanwhile belongs to that user. Not for a process with threads."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def mount_own(folder, octets, files):
    """Mounts a new ext4 of that size on the folder, with the options that are usual."""
    image = folder + ".image"
    try:
        disk.make_image(image, octets, files)
        disk.own_mounts()
        disk.mount_image(image, folder)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(image)


def make_folder(build, messages):
    """A folder that the mail user can enter, with room for a large maildrop of so many messages
    beside the others; remove_folder() ends it."""
    parent = choose_parent(build)
    space = SPACE + messages * MESSAGE_SPACE
    if shutil.disk_usage(parent).free < space:
        raise BenchError(f"{parent}: less than {space // 1_000_000} MB free; set BENCH_DIR")
    folder = tempfile.mkdtemp(prefix="pop3-bench-", dir=parent)
    if os.geteuid() == 0 and not os.environ.get("BENCH_DIR"):
        try:
            mount_own(folder, space, FILES + messages * MESSAGE_FILES)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"no file system of our own: {error}", flush=True)
    os.chmod(folder, 0o755)
    return folder


def remove_folder(folder):
    if os.path.ismount(folder):
        subprocess.run(["umount", "--lazy", folder], check=False)
    shutil.rmtree(folder, ignore_errors=True)


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
