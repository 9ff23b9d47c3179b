"""Disks that are odd: full ones, and such that cannot be written to."""

import os
import subprocess


class Disk:
    """An ordinary one: the one that the folder is on. What is put there comes between make() and
    spoil()."""

    mounted = False
    failure = None  # what whoever writes is told
    deletes = True
    renews = True   # does what a deleted message leaves suffice to write the index?

    def __init__(self, folder):
        self.folder = folder

    def make(self):
        pass

    def spoil(self):
        """Makes it odd; again after something was deleted."""

    def remove(self):
        pass


class Mounted(Disk):
    mounted = True
    options = ""

    def make(self):
        self.mount("-t", "tmpfs", "-o", self.options, "tmpfs")

    def mount(self, *options):
        subprocess.run(["mount", *options, self.folder], check=True)

    def remove(self):
        subprocess.run(["umount", "-l", self.folder], check=False)


class FullDisk(Mounted):
    options = "size=2m"
    failure = "No space left on device"
    renews = False

    def spoil(self):
        try:
            with open(os.path.join(self.folder, "filler"), "ab", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
        except OSError:
            pass


class DiskWithoutInodes(Mounted):
    options = "size=16m,nr_inodes=500"
    failure = "No space left on device"
    fillers = 0

    def spoil(self):
        try:
            while True:
                self.fillers += 1
                os.mkdir(os.path.join(self.folder, f"filler{self.fillers}"))
        except OSError:
            pass


class ReadOnlyDisk(Mounted):
    options = "size=16m"
    failure = "Read-only file system"
    deletes = False
    renews = False

    def spoil(self):
        self.mount("-o", "remount,ro")


class ReadOnlyView(ReadOnlyDisk):
    """Read-only as seen from here, while others may write to the same disk elsewhere."""

    def make(self):
        self.mount("--bind", self.folder)

    def spoil(self):
        self.mount("-o", "remount,bind,ro")
