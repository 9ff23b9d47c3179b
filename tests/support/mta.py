"""Debian's SMTP servers, unpacked below the build directory (scripts/packages.sh) and started with
the recipes of etc/recipes as they are, but for the port.

Their packages conflict with each other and with whatever sends this machine's mail, and their paths
are compiled in. So each runs in a mount namespace of its own, where the folders of PRIVATE are the
test's, and in a process namespace, with which all ends that it has started. The pop3-emitter that
serves what it delivered is started in the same mount namespace. Nothing of the machine is changed.
It takes root."""

import contextlib
import glob
import os
import shutil
import signal
import subprocess

from support.process import ServerError, ServerProcess, free_port
from support.server import ROOT, Server, binary, unprivileged
from support.wire import GUARD

BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"), "mta")
RECIPES = os.path.join(ROOT, "etc", "recipes")
DOMAIN = "example.org"
# Folders that every Debian has.
PRIVATE = ("/etc", "/run", "/srv", "/usr/libexec", "/usr/local", "/var/lib", "/var/spool")
# What programs need of the real /etc.
KEPT = ("ld.so.cache", "nsswitch.conf", "hosts", "host.conf", "services", "protocols", "localtime")
# Accounts of the namespace; vmail is the one that may own maildrops in tests.
NOBODY, DAEMON, QUEUE = 65531, 65532, 65533
ENTER = """
root=$1
for path in $2; do
	mount --bind "$root$path" "$path"
done
shift 2
ulimit -n 1024 # Postfix closes each that could be open
exec "$@" >&2
"""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Mta(ServerProcess):
    """daemon, queue: names of the two accounts that the package's installation would make.
    deferred: what the log says of a delivery that is put off."""

    daemon = queue = deferred = None

    def __init__(self, folder):
        super().__init__(folder)
        self.root = os.path.join(folder, "root")
        self.unpacked = os.path.join(BUILD, self.name)
        for path in PRIVATE:
            os.makedirs(self.root + path)
        self.make_etc()
        os.makedirs(self.root + "/usr/local/bin")
        shutil.copy(binary(), self.root + "/usr/local/bin/pop3-emitter")

    def make_etc(self):
        for name in KEPT:
            if os.path.exists("/etc/" + name):
                shutil.copy("/etc/" + name, self.root + "/etc/" + name)
        self.vmail = unprivileged()
        accounts = (("root", 0, 0), ("vmail", self.vmail.pw_uid, self.vmail.pw_gid),
                    ("nobody", NOBODY, NOBODY), (self.daemon, DAEMON, DAEMON),
                    (self.queue, QUEUE, QUEUE))
        self.write("/etc/passwd", "".join(f"{name}:x:{uid}:{gid}::/srv/mail:/usr/sbin/nologin\n"
                                          for name, uid, gid in accounts))
        self.write("/etc/group", "".join(f"{name}:x:{gid}:\n" for name, _, gid in accounts))
        self.write("/etc/mailname", f"mail.{DOMAIN}\n")

    def write(self, path, text):
        """A file of the namespace."""
        path = self.root + path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def make_home(self, path):
        """A folder of the namespace that belongs to vmail."""
        os.makedirs(self.root + path)
        os.chown(self.root + path, self.vmail.pw_uid, self.vmail.pw_gid)

    def program(self):
        """The program and its arguments, in the foreground."""
        raise NotImplementedError

    def command(self):
        words = self.program()
        if not os.access(words[0], os.X_OK):
            raise AssertionError(f"{words[0]} is missing: scripts/test unpacks it")
        return ["env", "-i", "PATH=" + PATH, self.libraries(),
                "unshare", "--mount", "--propagation", "private", "--pid", "--fork",
                "--mount-proc", "sh", "-euc", ENTER, "enter", self.root, " ".join(PRIVATE), *words]

    def first(self):
        """The process id, as seen from here, of the namespace's first process."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path, encoding="ascii") as file:
            return int(file.read().split()[0])

    def libraries(self):
        """For env(1): where those of the unpacked packages are."""
        return "LD_LIBRARY_PATH=" + ":".join(glob.glob(os.path.join(self.unpacked, "usr/lib/*")))

    def inside(self, *words):
        """The command line that runs another one in the mount namespace."""
        return ["env", "-i", "PATH=" + PATH, "nsenter", f"--mount=/proc/{self.first()}/ns/mnt",
                *words]

    def run(self, *words):
        done = subprocess.run(self.inside(*words), capture_output=True, timeout=GUARD, check=False)
        if done.returncode != 0:
            raise ServerError(f"{words}: {done}")

    def stop(self):
        """unshare heeds no signal and ends with its child, the namespace's first process, whose
        end is that of all others there. They need no time to put things in order."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(self.first(), signal.SIGKILL)
        super().stop()

    def wait_ready(self):
        self.wait_greeting(b"220")

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def retry(self):
        """Has the queue tried now."""
        raise NotImplementedError


class Postfix(Mta):
    name = "postfix"
    daemon, queue = "postfix", "postdrop"
    deferred = r"status=deferred"
    folders = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
               "maildrop", "private", "public", "saved", "trace", "pid")

    def prepare(self):
        self.port = free_port()
        with open(self.unpacked + "/usr/share/postfix/master.cf.dist", encoding="utf-8") as file:
            services = file.read()
        replaced = replace(services, "\nsmtp      inet", f"\n127.0.0.1:{self.port} inet")
        self.write("/etc/postfix/master.cf", replaced + recipe("postfix-master.cf"))
        self.write("/etc/postfix/main.cf", self.settings() + recipe("postfix-main.cf"))
        # Postfix waits until a file that it reads is older than now.
        os.utime(self.root + "/etc/postfix/main.cf", (0, 0))
        spool = self.root + "/var/spool/postfix"
        for name in self.folders:
            os.makedirs(os.path.join(spool, name), 0o700)
            if name != "pid":
                os.chown(os.path.join(spool, name), DAEMON, DAEMON)
        os.mkdir(self.root + "/var/lib/postfix")
        os.chown(self.root + "/var/lib/postfix", DAEMON, DAEMON)

    def settings(self):
        """Where it lies; what an administrator sets beside the recipe; haste."""
        library = self.unpacked + "/usr/lib/postfix"
        return f"""\
compatibility_level = 3.6
daemon_directory = {library}/sbin
command_directory = {self.unpacked}/usr/sbin
shlib_directory = {library}
meta_directory = /etc/postfix
import_environment = LD_LIBRARY_PATH LANG=C
maillog_file = /dev/stdout
inet_protocols = ipv4
myhostname = mail.{DOMAIN}
mydestination =
alias_maps =
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
"""

    def program(self):
        return [self.unpacked + "/usr/lib/postfix/sbin/master", "-i"]

    def retry(self):
        # It does so each second, but not with a message whose last attempt was still ending then.
        self.run("env", self.libraries(), self.unpacked + "/usr/sbin/postqueue", "-f")


class OpenSmtpd(Mta):
    name = "opensmtpd"
    daemon, queue = "opensmtpd", "opensmtpq"
    deferred = r"result=TempFail"

    def prepare(self):
        self.port = free_port()
        self.write("/etc/smtpd.conf", replace(
            recipe("opensmtpd-smtpd.conf"), "listen on 0.0.0.0",
            f"listen on 127.0.0.1 port {self.port}"))
        shutil.copytree(self.unpacked + "/usr/libexec/opensmtpd",
                        self.root + "/usr/libexec/opensmtpd")
        os.makedirs(self.root + "/var/lib/opensmtpd/empty")
        os.makedirs(self.root + "/var/spool/smtpd", 0o711)

    def program(self):
        return [self.unpacked + "/usr/sbin/smtpd", "-d"]

    def retry(self):
        # The package's smtpctl is set-gid.
        self.run("setpriv", f"--regid={QUEUE}", "--clear-groups",
                 self.unpacked + "/usr/sbin/smtpctl", "schedule", "all")


class Pop3(Server):
    """pop3-emitter in the namespace of an Mta, with the recipe's configuration."""

    def __init__(self, folder, mta):
        super().__init__(folder, plain=True)
        self.mta = mta

    def command(self):
        return self.mta.inside("/usr/local/bin/pop3-emitter", "serve", "--listen", "127.0.0.1:0",
                               "--log", "stderr")


def replace(text, old, new):
    """With the one place of `old` changed: a recipe that has none is another one."""
    if text.count(old) != 1:
        raise AssertionError(f"{old!r} is {text.count(old)} times in\n{text}")
    return text.replace(old, new)


def recipe(name):
    with open(os.path.join(RECIPES, name), encoding="utf-8") as file:
        return file.read()


def addresses(passwd):
    """What the recipe's pop3-users makes of a passwd file."""
    done = subprocess.run([os.path.join(RECIPES, "pop3-users"), DOMAIN, passwd], check=True,
                          capture_output=True, text=True, timeout=GUARD)
    return done.stdout
