"""File systems of a test's own: ext4 in an image file, mounted where only we see it."""

import ctypes
import os
import subprocess

LOOP_CONTROL = "/dev/loop-control"


def why_not():
    """Why this machine cannot mount an image, None if it can."""
    if os.geteuid() != 0:
        return "needs root to mount an image"
    return None if os.path.exists(LOOP_CONTROL) else f"needs {LOOP_CONTROL} to mount an image"


def own_mounts():
    """From here on what is mounted is seen by this process and its children alone, and ends with
    them, whatever ends them. Before any thread is started: a thread has its own."""
    new_mounts = 0x20000  # CLONE_NEWNS
    if ctypes.CDLL(None, use_errno=True).unshare(new_mounts) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def make_image(path, octets, files):
    """A new file with an empty ext4 of that size."""
    with open(path, "xb") as file:
        file.truncate(octets)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", "-N", str(files),
                    "-E", "lazy_itable_init=0,lazy_journal_init=0", path], check=True)


def mount_image(path, folder, *options):
    subprocess.run(["mount", "-o", ",".join(("loop", *options)), path, folder], check=True)


def unmount(folder):
    subprocess.run(["umount", folder], check=True)
