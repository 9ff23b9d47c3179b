"""A server whose mail lies on a disk that can lose its power: an ext4 in an image file.

What the image file holds is what has reached the disk. The file system writes nothing back of its
own accord for five minutes, and does not guess what a program might want to be safe, so that is
what fsync(2) asked for and little else. A copy of the file is the disk after a power cut; mounted,
it is the disk as the machine finds it when the power is back.
"""

import os
import subprocess

from promises import judge, on_disk, served
from support import disk
from support.server import Server
from support.wire import Client

OCTETS = 16 << 20
FILES = 4096
OPTIONS = ("commit=300", "noauto_da_alloc")
SECRET = "secret"
COPIES = 20  # of one moment, until nothing was written meanwhile
# A list of messages that the power cut has damaged is found out and made anew.
SPOILT = r"pop3-emitter\.index.* is (damaged|of no use)"


class Machine:
    """For the users named. env: of the server, and of what else shall write to the disk."""

    def __init__(self, folder, users, env=None):
        self.folder = folder
        self.image = os.path.join(folder, "image")
        mail = os.path.join(folder, "mail")
        os.mkdir(mail)
        disk.make_image(self.image, OCTETS, FILES)
        disk.mount_image(self.image, mail, *OPTIONS)
        self.server = Server(folder, "--mark-seen", "yes", "--log-level", "warning",
                             users={name: SECRET for name in users}, env=env)
        self.sync()

    def sync(self):
        """All that was written until now is on the disk, whoever wrote it."""
        subprocess.run(["sync", "-f", self.server.mail], check=True)

    def remove(self):
        """After the server has ended."""
        disk.unmount(self.server.mail)

    def writes(self):
        """(writes that the disk has done, those under way)"""
        device = os.stat(self.server.mail).st_dev
        with open(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat",
                  encoding="ascii") as file:
            fields = file.read().split()
        return fields[4], fields[8]

    def copy(self):
        """The disk as it is, in a new file: its path. Nothing may write to the file system."""
        path = os.path.join(self.folder, "copy")
        for _ in range(COPIES):
            before = self.writes()
            subprocess.run(["cp", "--sparse=auto", self.image, path], check=True)
            if before == self.writes() and before[1] == "0":
                return path
        raise AssertionError("the disk is never at rest")


class Recovery:
    """Another machine for the same users, that the copies are put into."""

    def __init__(self, folder, users):
        self.server = Server(folder, "--log-level", "warning",
                             users={name: SECRET for name in users})
        self.server.expect_log(SPOILT)

    def login(self, user, there):
        with Client(self.server.address) as client:
            client.login(user, SECRET)
            return served(client, there.values())

    def serves(self, found):
        """Problems of the first logins after the power cut."""
        self.server.start()
        try:
            return [problem for user, there in found.items() for problem in self.login(user, there)]
        finally:
            self.server.stop()

    def judge(self, path, promised):
        """What is wrong with a copy, which is removed: texts."""
        mail = self.server.mail
        try:
            disk.mount_image(path, mail)
            try:
                found = on_disk(mail, self.server.users)
                problems = judge(promised, found) + self.serves(found)
            finally:
                disk.unmount(mail)
            check = subprocess.run(["/sbin/e2fsck", "-fn", path], capture_output=True, text=True,
                                   check=False)
            return problems + ([check.stdout] if check.returncode != 0 else [])
        finally:
            os.unlink(path)
