"""The servers of the bench: started on a free port of 127.0.0.1, stopped by process id.

Both real servers read mail as the same unprivileged user and take the same plain passwords.
"""

import contextlib
import grp
import os
import shutil
import signal
import socket
import subprocess
import time

PASSWORD = "secret"
START_SECONDS = 20
STOP_SECONDS = 15


class BenchError(Exception):
    """A measurement that is void: not a slow server, a broken one."""


def free_port():
    """For Dovecot, which cannot choose one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def process_table():
    """pid -> (parent, start time)."""
    table = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="latin-1") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            table[int(name)] = (int(fields[1]), fields[19])
    return table


def descendants(root):
    """pid -> start time, of root and everything below it."""
    table = process_table()
    found = {}
    todo = [root]
    while todo:
        pid = todo.pop()
        if pid in table and pid not in found:
            found[pid] = table[pid][1]
            todo += [child for child, (parent, _) in table.items() if parent == pid]
    return found


@contextlib.contextmanager
def undisturbed():
    """Holds SIGINT, SIGTERM and SIGHUP back until the block is over: a signal between the start
    of a process and the note of its id would leave that process behind."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    late = []
    handlers = {number: signal.signal(number, lambda number, frame: late.append(number))
                for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if late:
        os.kill(os.getpid(), late[0])


class Server:
    """One server process and its children; the log goes to a file beside its mail."""

    name = "server"

    def __init__(self, folder, boxes, user):
        self.folder = folder
        self.boxes = boxes
        self.user = user
        self.process = None
        self.port = None
        self.log = os.path.join(folder, f"{self.name}.log")

    def command(self):
        raise NotImplementedError

    def prepare(self):
        """Writes what command() needs; called before each start."""

    def launch(self):
        """Starts the process; the time that it took to be reachable is not included."""
        with open(self.log, "ab") as log, undisturbed():
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True, cwd="/")

    def wait_ready(self):
        """Until the ready line: `listening pop3 127.0.0.1:PORT`."""
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening pop3 127.0.0.1:"):
            raise BenchError(f"{self.name} did not start: {line.strip()!r}\n{self.tail()}")
        self.port = int(line.rpartition(":")[2])

    def start(self):
        self.prepare()
        self.launch()
        self.wait_ready()
        return self

    def tail(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return "".join(file.readlines()[-10:])
        except OSError:
            return ""

    def processes(self):
        return descendants(self.process.pid)

    def stop(self):
        """Ends the process and, by their ids, all children that outlive it."""
        if self.process is None:
            return
        family = self.processes()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process = None
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and self.survivors(family):
            time.sleep(0.02)
        for pid in self.survivors(family):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    @staticmethod
    def survivors(family):
        table = process_table()
        return [pid for pid, start in family.items() if pid in table and table[pid][1] == start]


class PollServer(Server):
    """The upper bound: answers +OK to everything."""

    name = "poll server"

    def __init__(self, folder, boxes, user, program):
        super().__init__(folder, boxes, user)
        self.program = program

    def command(self):
        return [self.program]


class Emitter(Server):
    """pop3-emitter serve, with the limits raised and everything else as shipped."""

    name = "pop3-emitter"

    def __init__(self, folder, boxes, user, program):
        super().__init__(folder, boxes, user)
        self.program = program
        self.config = os.path.join(folder, "pop3-emitter.conf")

    def prepare(self):
        passwd = os.path.join(self.folder, "passwd")
        with open(passwd, "w", encoding="ascii") as file:
            for box in self.boxes.values():
                for name in box.names():
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


DOVECOT_CONFIG = """\
protocols = pop3
base_dir = {folder}/run
log_path = {folder}/dovecot.log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
mail_location = maildir:%h/Maildir
first_valid_uid = 1
first_valid_gid = 1
mail_fsync = never
mail_max_userip_connections = 0
pop3_no_flag_updates = yes
default_client_limit = 20000
default_process_limit = 6000
default_vsz_limit = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/passwd
}}
userdb {{
  driver = prefetch
}}
service anvil {{
  {chroot}
}}
service stats {{
  {chroot}
}}
service pop3-login {{
  {chroot}
  service_count = 0
  process_min_avail = {cores}
  process_limit = {cores}
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service pop3 {{
  service_count = 1000
  process_limit = 6000
}}
{own_users}
"""


class Dovecot(Server):
    """Debian's dovecot-pop3d in its fastest mode, all of it in the temporary directory."""

    name = "dovecot"

    # More or fewer login processes, waiting pop3 processes, no log and maildir_very_dirty_syncs
    # change its figures by less than two runs differ; several clients a pop3 process are slower.
    def __init__(self, folder, boxes, user):
        super().__init__(folder, boxes, user)
        self.config = os.path.join(folder, "dovecot.conf")

    @staticmethod
    def installed():
        program = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin")
        return program if program and os.path.exists("/usr/lib/dovecot/pop3") else None

    def prepare(self):
        root = os.geteuid() == 0
        own = f"default_internal_user = {self.user.pw_name}\n" \
              f"default_login_user = {self.user.pw_name}\n" \
              f"default_internal_group = {grp.getgrgid(self.user.pw_gid).gr_name}\n"
        self.port = free_port()
        with open(self.config, "w", encoding="ascii") as file:
            file.write(DOVECOT_CONFIG.format(
                folder=self.folder, port=self.port, cores=os.cpu_count(),
                chroot="" if root else "chroot =", own_users="" if root else own))
        with open(os.path.join(self.folder, "passwd"), "w", encoding="ascii") as file:
            for box in self.boxes.values():
                for name in box.names():
                    home = os.path.join(self.folder, "mail", name)
                    file.write(f"{name}:{{PLAIN}}{PASSWORD}:{self.user.pw_uid}:"
                               f"{self.user.pw_gid}::{home}::userdb_uid={self.user.pw_uid} "
                               f"userdb_gid={self.user.pw_gid} userdb_home={home}\n")

    def command(self):
        return [self.installed(), "-F", "-c", self.config]

    def wait_ready(self):
        """It prints nothing: until the port greets."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as peer:
                    if peer.recv(512).startswith(b"+OK"):
                        return
            except OSError:
                time.sleep(0.02)
        raise BenchError(f"dovecot did not start\n{self.tail()}")
