"""The servers of the bench: started on a free port of 127.0.0.1, stopped by process id.

Both real servers read mail as the same unprivileged user and take the same plain passwords.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.dovecot import PASSWORD, Dovecot
from support.process import ServerError, ServerProcess, undisturbed

BenchError = ServerError  # a measurement that is void, whoever noticed it


def all_names(boxes):
    """The users of all mailboxes."""
    return [name for box in boxes.values() for name in box.names()]


class PollServer(ServerProcess):
    """The upper bound: answers +OK to everything."""

    name = "poll server"

    def __init__(self, folder, program):
        super().__init__(folder)
        self.program = program

    def command(self):
        return [self.program]


class Emitter(ServerProcess):
    """pop3-emitter serve, with the limits raised and everything else as shipped."""

    name = "pop3-emitter"

    def __init__(self, folder, boxes, user, program):
        super().__init__(folder)
        self.boxes = boxes
        self.user = user
        self.program = program
        self.config = os.path.join(folder, "pop3-emitter.conf")

    def prepare(self):
        passwd = os.path.join(self.folder, "passwd")
        with open(passwd, "w", encoding="ascii") as file:
            for name in all_names(self.boxes):
                home = os.path.join(self.folder, "mail", name)
                file.write(f"{name}:{{PLAIN}}{PASSWORD}::::{home}::\n")
        os.chmod(passwd, 0o600)
        if os.geteuid() == 0:
            os.chown(passwd, self.user.pw_uid, self.user.pw_gid)
        with open(self.config, "w", encoding="ascii") as file:
            file.write("listen = 127.0.0.1:0\n"
                       f"passwd = {passwd}\n"
                       "max_connections = 12000\n"
                       "idle_timeout = 3600\n")
            if os.geteuid() == 0:
                file.write(f"user = {self.user.pw_name}\n")

    def command(self):
        return [self.program, "serve", "-c", self.config]
