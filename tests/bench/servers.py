"""The servers of the bench: started on a free port of 127.0.0.1, stopped by process id.

Both real servers read mail as the same unprivileged user and take the same plain passwords.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.dovecot import PASSWORD, Dovecot
from support.process import ServerError, ServerProcess, free_port, undisturbed

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


class Secured:
    """A server that also has a port where TLS comes first."""

    tls_port = None

    def secure(self):
        """What makes the load generator go there."""
        return {"port": self.tls_port, "tls": 1}


class TlsServer(Secured, PollServer):
    """What a server reaches that does little more than call GnuTLS."""

    name = "GnuTLS server"

    def __init__(self, folder, program, pair):
        super().__init__(folder, program)
        self.pair = pair

    def command(self):
        return [self.program, *self.pair]

    def wait_ready(self):
        super().wait_ready()
        self.tls_port = self.port


class SecureDovecot(Secured, Dovecot):
    """The same Dovecot with TLS."""

    def __init__(self, folder, names, user, pair):
        self.tls_port = free_port()
        super().__init__(folder, names, user, settings=f"""\
ssl = yes
ssl_cert = <{pair[0]}
ssl_key = <{pair[1]}
service pop3-login {{
  inet_listener pop3s {{
    address = 127.0.0.1
    port = {self.tls_port}
    ssl = yes
  }}
}}
""")


class Emitter(Secured, ServerProcess):
    """pop3-emitter serve, with the limits raised and everything else as shipped."""

    name = "pop3-emitter"

    def __init__(self, folder, boxes, user, program, pair=None, secret="{PLAIN}" + PASSWORD,
                 settings=""):
        """pair: certificate and key, if there is to be TLS. secret: of all users, as the passwd file
        has it. settings: lines for the configuration."""
        super().__init__(folder)
        self.pair = pair
        self.secret = secret
        self.settings = settings
        self.boxes = boxes
        self.user = user
        self.program = program
        self.config = os.path.join(folder, "pop3-emitter.conf")

    def prepare(self):
        passwd = os.path.join(self.folder, "passwd")
        with open(passwd, "w", encoding="ascii") as file:
            for name in all_names(self.boxes):
                home = os.path.join(self.folder, "mail", name)
                file.write(f"{name}:{self.secret}::::{home}::\n")
        os.chmod(passwd, 0o600)
        if os.geteuid() == 0:
            os.chown(passwd, self.user.pw_uid, self.user.pw_gid)
        with open(self.config, "w", encoding="ascii") as file:
            file.write("listen = 127.0.0.1:0\n"
                       f"passwd = {passwd}\n"
                       "max_connections = 12000\n"
                       "idle_timeout = 3600\n" + self.settings)
            if self.pair:
                file.write("listen_tls = 127.0.0.1:0\n"
                           f"cert = {self.pair[0]}\nkey = {self.pair[1]}\n")
            if os.geteuid() == 0:
                file.write(f"user = {self.user.pw_name}\n")

    def command(self):
        return [self.program, "serve", "-c", self.config]

    def wait_ready(self):
        super().wait_ready()
        if self.pair:
            self.tls_port = int(self.process.stdout.readline().decode().rpartition(":")[2])
