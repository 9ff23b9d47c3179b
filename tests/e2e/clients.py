"""The POP3 clients people use, behind one small interface, each with its rewriting switched off.

Every client gets a HOME of its own. fetch() returns the messages in the order of their delivery,
as the client handed them over. A client that is not installed makes its tests fail. How it reaches
the server and logs in is its Access."""

import contextlib
import os
import poplib
import re
import ssl
import subprocess
from dataclasses import dataclass

from support.wire import GUARD

# A delivery agent for the clients that want one: stores what it is given under the next number.
DELIVER = """#!/bin/sh
set -eu
box=$1
set -- "$box"/*
[ -e "$1" ] || shift
case $# in ?) n=000$# ;; ??) n=00$# ;; *) n=0$# ;; esac
exec cat > "$box/$n"
"""


@dataclass
class Access:
    """How a client reaches the server: TLS by `ca` alone, with `certificate` (paths of a pair) as
    its own; mechanism: USER, APOP, or one of SASL, None = what the client takes by itself."""

    address: tuple
    way: str = "plain"      # or stls or implicit
    mechanism: str = None
    ca: str = None
    certificate: tuple = ()


class Client:
    """One client program, one account. `secret` and `user` are those of the planted maildrop."""

    name = None
    deletes_one = False     # it can delete a single message, not only what it fetched

    def __init__(self, home, server, user="alice", secret="wonderland", access=None):
        self.home, self.user, self.secret = home, user, secret
        self.access = access or Access(server.address)
        self.host, self.port = self.access.address
        self.box = os.path.join(home, "delivered")
        os.makedirs(self.box, exist_ok=True)
        self.deliver = self.write("deliver", DELIVER, 0o700)

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.home, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def run(self, *command, allowed=(0,), stdin=None):
        """Runs the client to its end; any exit code outside `allowed` is an error."""
        env = {"HOME": self.home, "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8",
               "USER": self.user, "LOGNAME": self.user}
        done = subprocess.run(command, cwd=self.home, env=env, capture_output=True, input=stdin,
                              timeout=GUARD * 2, check=False)
        if done.returncode not in allowed:
            raise AssertionError(f"{command[0]} ended with {done.returncode}\n"
                                 + (done.stdout[-2000:] + done.stderr[-2000:]).decode("latin-1"))
        return done.stdout + done.stderr

    def take_delivered(self):
        """What the delivery agent got since the last call."""
        messages = []
        for name in sorted(os.listdir(self.box)):
            path = os.path.join(self.box, name)
            with open(path, "rb") as file:
                messages.append(file.read())
            os.unlink(path)
        return messages

    # A subclass has: fetch(count, delete=False) -> messages, totals() -> (messages, octets),
    # ids(count) -> unique-ids in order, and delete(msgno) where deletes_one is true.


class Curl(Client):
    name = "curl"
    deletes_one = True

    def login_flags(self):
        mechanism = self.access.mechanism
        # For EXTERNAL it wants to have no password.
        secret = "" if mechanism == "EXTERNAL" else self.secret
        flags = ["-u", f"{self.user}:{secret}"]
        if mechanism:
            name = {"USER": "+LOGIN", "APOP": "+APOP"}.get(mechanism, mechanism)
            flags += ["--login-options", "AUTH=" + name]
        return flags

    def tls_flags(self):
        if self.access.way == "plain":
            return []
        flags = ["--cacert", self.access.ca]
        flags += ["--ssl-reqd"] if self.access.way == "stls" else []
        for name, path in zip(("--cert", "--key"), self.access.certificate):
            flags += [name, path]
        return flags

    def curl(self, *arguments):
        return self.run("curl", "-sS", "-q", *self.login_flags(), *self.tls_flags(), *arguments)

    def url(self, path=""):
        scheme = "pop3s" if self.access.way == "implicit" else "pop3"
        return f"{scheme}://{self.host}:{self.port}/{path}"

    def fetch(self, count, delete=False):
        words = []
        for number in range(1, count + 1):
            words += ["-o", os.path.join(self.box, f"{number:04d}"), self.url(number)]
        if count:
            self.curl(*words)
        # curl makes no file for a message of no octets.
        for number in range(1, count + 1):
            with open(os.path.join(self.box, f"{number:04d}"), "ab"):
                pass
        if delete:
            for number in range(count, 0, -1):
                self.delete(number)
        return self.take_delivered()

    def totals(self):
        lines = self.curl(self.url()).split()
        return len(lines) // 2, sum(map(int, lines[1::2]))

    def ids(self, count):
        lines = self.curl("-X", "UIDL", self.url()).decode().splitlines()
        return [line.split()[1] for line in lines]

    def delete(self, msgno):
        self.curl("-I", "-X", "DELE", self.url(msgno))


class Fetchmail(Client):
    name = "fetchmail"

    def tls(self):
        if self.access.way == "plain":
            return "sslproto ''"
        words = f'sslcertck sslcertfile "{self.access.ca}" sslcommonname "localhost" '
        return words + ("ssl" if self.access.way == "implicit" else "sslproto 'tls1.2+'")

    def rc(self, options):
        mechanism = self.access.mechanism
        protocol = "apop" if mechanism == "APOP" else "pop3"
        auth = "password" if mechanism in (None, "USER", "APOP") else mechanism.lower()
        return self.write(".fetchmailrc", f"""
set no bouncemail
set invisible
poll {self.host} protocol {protocol} port {self.port} auth {auth} uidl
  user "{self.user}" password "{self.secret}" is "{self.user}" here
  no rewrite no mimedecode no dropstatus no dropdelivered no stripcr
  {self.tls()}
  mda "{self.deliver} {self.box}" {options}
""")

    def fetchmail(self, *arguments, options="keep"):
        rc = self.rc(options)
        # 1 = there was no mail, which is what some tests wait for.
        # Its own lock: that of root is the whole machine's.
        return self.run("fetchmail", "-f", rc, "--pidfile", os.path.join(self.home, "pid"),
                        "--nodetach", "-d0", "--nosyslog", "--bad-header", "accept", *arguments,
                        allowed=(0, 1))

    def fetch(self, count, delete=False):
        # fetchall: also what .fetchids knows.
        self.fetchmail(options="fetchall " + ("no keep" if delete else "keep"))
        return self.take_delivered()

    def totals(self):
        text = self.fetchmail("--check").decode("latin-1")
        match = re.search(r"(\d+) messages?.*\((\d+) octets\)", text)
        return (int(match.group(1)), int(match.group(2))) if match else (0, 0)

    def ids(self, count):
        self.fetchmail()
        with open(os.path.join(self.home, ".fetchids"), encoding="ascii") as file:
            return [line.split()[1] for line in file]


class Mpop(Client):
    name = "mpop"

    def tls(self):
        if self.access.way == "plain":
            return "tls off\ntls_starttls off"
        lines = ["tls on", "tls_starttls " + ("on" if self.access.way == "stls" else "off"),
                 "tls_trust_file " + self.access.ca]
        lines += [f"{name} {path}" for name, path in zip(("tls_cert_file", "tls_key_file"),
                                                         self.access.certificate)]
        return "\n".join(lines)

    def mpop(self, *arguments):
        rc = self.write(".mpoprc", f"""
account default
host {self.host}
port {self.port}
{self.tls()}
auth {(self.access.mechanism or "user").lower()}
user {self.user}
password {self.secret}
received_header off
uidls_file {self.home}/uidls
delivery mda {self.deliver} {self.box}
""")
        return self.run("mpop", "-C", rc, "-Q", *arguments)

    def fetch(self, count, delete=False):
        self.mpop("--only-new=off", "--keep=" + ("off" if delete else "on"))
        return self.take_delivered()

    def totals(self):
        text = self.mpop("--status-only").decode("latin-1")
        match = re.search(r"total: (\d+) messages?", text)
        return (int(match.group(1)), None) if match else (0, None)

    def ids(self, count):
        self.mpop("--keep=on")
        with open(os.path.join(self.home, "uidls"), encoding="ascii") as file:
            return [line.strip() for line in file if not line.startswith(("#", " "))]


class Getmail(Client):
    name = "getmail"

    def login(self):
        """It does not know `auth`, and does not mind."""
        mechanism = self.access.mechanism
        return {None: "", "USER": "", "APOP": "use_apop = True"}.get(mechanism,
                                                                    f"auth = {mechanism}")

    def tls(self):
        return (f"ca_certs = {self.access.ca}\nssl_cert_hostname = localhost"
                if self.access.way == "implicit" else "")

    def getmail(self, delete=False, read_all=True):
        folder = os.path.join(self.home, "getmail")
        os.makedirs(folder, exist_ok=True)
        self.write("getmail/getmailrc", f"""
[retriever]
type = SimplePOP3{"SSL" if self.access.way == "implicit" else ""}Retriever
server = {self.host}
port = {self.port}
username = {self.user}
password = {self.secret}
{self.tls()}
{self.login()}
[destination]
type = MDA_external
path = {self.deliver}
arguments = ("{self.box}",)
unixfrom = false
allow_root_commands = true
[options]
verbose = 2
read_all = {read_all}
delete = {delete}
delivered_to = false
received = false
""")
        return self.run("getmail", "--getmaildir", folder).decode("latin-1")

    def fetch(self, count, delete=False):
        self.getmail(delete)
        # getmail always writes a Return-Path first, whatever it was told.
        return [re.sub(rb"\AReturn-Path: [^\n]*\n", b"", data) for data in self.take_delivered()]

    def totals(self):
        match = re.search(r"(\d+) messages \((\d+) bytes\) retrieved", self.getmail())
        self.take_delivered()
        return int(match.group(1)), int(match.group(2))

    def ids(self, count):
        self.getmail()
        found = []
        folder = os.path.join(self.home, "getmail")
        for name in os.listdir(folder):
            if name.startswith("oldmail-"):
                with open(os.path.join(folder, name), "rb") as file:
                    found += [entry.split(b"\0")[0].decode() for entry in file.read().splitlines()]
        return sorted(found)


class Poplib(Client):
    """Python's own module, in this process."""

    name = "poplib"
    deletes_one = True

    def connect(self):
        if self.access.way == "plain":
            return poplib.POP3(self.host, self.port, timeout=GUARD)
        context = ssl.create_default_context(cafile=self.access.ca)
        if self.access.way == "implicit":
            return poplib.POP3_SSL(self.host, self.port, timeout=GUARD, context=context)
        box = poplib.POP3(self.host, self.port, timeout=GUARD)
        try:
            box.stls(context)
        except OSError:
            box.close()
            raise
        return box

    def log_in(self, box):
        if self.access.mechanism in (None, "USER"):
            box.user(self.user)
            box.pass_(self.secret)
        elif self.access.mechanism == "APOP":
            box.apop(self.user, self.secret)
        else:
            # There is no such function, for which it is asked here.
            box.auth(self.access.mechanism)

    @contextlib.contextmanager
    def session(self):
        box = self.connect()
        try:
            self.log_in(box)
            yield box
            box.quit()
        finally:
            box.close()

    def fetch(self, count, delete=False):
        messages = []
        with self.session() as box:
            for number in range(1, box.stat()[0] + 1):
                messages.append(b"".join(line + b"\r\n" for line in box.retr(number)[1]))
                if delete:
                    box.dele(number)
        return messages

    def totals(self):
        with self.session() as box:
            sizes = [int(line.split()[1]) for line in box.list()[1]]
            assert box.stat() == (len(sizes), sum(sizes))
            return box.stat()

    def ids(self, count):
        with self.session() as box:
            return [line.split()[1].decode() for line in box.uidl()[1]]

    def delete(self, msgno):
        with self.session() as box:
            box.dele(msgno)


class NetPop3(Client):
    name = "Net::POP3"
    deletes_one = True

    SCRIPT = r"""
use strict; use warnings; use Net::POP3;
my ($host, $port, $user, $secret, $way, $mechanism, $ca, $cert, $key, $deed, $argument) = @ARGV;
binmode STDOUT;
my %tls = (SSL_ca_file => $ca, SSL_verifycn_name => 'localhost');
%tls = (%tls, SSL_cert_file => $cert, SSL_key_file => $key) if $cert;
my $pop = Net::POP3->new($host, Port => $port, Timeout => 60,
	$way eq 'implicit' ? (SSL => 1, %tls) : ()) or die "connect: $@";
$pop->starttls(%tls) or die "STLS: $@" if $way eq 'stls';
sub by_sasl {
	require Authen::SASL;
	# No authzid: EXTERNAL would send that of `user`.
	my $sasl = Authen::SASL->new(mechanism => $mechanism, callback => {
		user => $mechanism eq 'EXTERNAL' ? '' : $user, pass => $secret, authname => '' });
	return $pop->auth($sasl) || undef;
}
my $got = $mechanism eq 'USER' ? $pop->login($user, $secret)
	: $mechanism eq 'APOP' ? $pop->apop($user, $secret) : by_sasl();
defined $got or die 'login: ' . $pop->message;
my $list = $pop->list or die 'list: ' . $pop->message;
my @numbers = sort { $a <=> $b } keys %$list;
if ($deed eq 'list') { print "$_ $list->{$_}\n" for @numbers }
if ($deed eq 'uidl') { my $ids = $pop->uidl; print "$_ $ids->{$_}\n" for @numbers }
if ($deed eq 'delete') { $pop->delete($argument) or die 'delete: ' . $pop->message }
if ($deed =~ /^fetch/) {
	for my $number (@numbers) {
		open my $file, '>:raw', sprintf('%s/%04d', $argument, $number) or die "open: $!";
		print $file @{ $pop->get($number) // die 'get: ' . $pop->message };
		close $file or die "close: $!";
		if ($deed eq 'fetch-delete') { $pop->delete($number) or die 'delete: ' . $pop->message }
	}
}
$pop->quit or die 'quit: ' . $pop->message;
"""

    def perl(self, deed, argument=""):
        access = self.access
        cert, key = access.certificate or ("", "")
        return self.run("perl", "-e", self.SCRIPT, self.host, str(self.port), self.user,
                        self.secret, access.way, access.mechanism or "USER", access.ca or "",
                        cert, key, deed, str(argument)).decode()

    def fetch(self, count, delete=False):
        self.perl("fetch-delete" if delete else "fetch", self.box)
        return self.take_delivered()

    def totals(self):
        sizes = [int(line.split()[1]) for line in self.perl("list").splitlines()]
        return len(sizes), sum(sizes)

    def ids(self, count):
        return [line.split()[1] for line in self.perl("uidl").splitlines()]

    def delete(self, msgno):
        self.perl("delete", msgno)


CLIENTS = (Curl, Fetchmail, Mpop, Getmail, Poplib, NetPop3)
