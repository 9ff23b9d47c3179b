"""Debian's Dovecot, started privately: all it writes lies in one folder, its port is free, and its
mail is folder/mail/<name>/Maildir of each name, read as an unprivileged user."""

import grp
import os
import shutil

from support.process import ServerProcess, free_port

PASSWORD = "secret"


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
{settings}
"""


class Dovecot(ServerProcess):
    """In its fastest mode. settings: lines that are added to its configuration; fields: what is
    added to a user's entry in the passwd file, where userdb_KEY=VALUE is a setting for that one."""

    name = "dovecot"

    # More or fewer login processes, waiting pop3 processes, no log and maildir_very_dirty_syncs
    # change its figures by less than two runs differ; several clients a pop3 process are slower.
    def __init__(self, folder, names, user, settings="", fields=None):
        super().__init__(folder)
        self.names = names
        self.user = user
        self.settings = settings
        self.fields = fields or {}
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
                chroot="" if root else "chroot =", own_users="" if root else own,
                settings=self.settings))
        with open(os.path.join(self.folder, "passwd"), "w", encoding="ascii") as file:
            for name in self.names:
                home = os.path.join(self.folder, "mail", name)
                file.write(f"{name}:{{PLAIN}}{PASSWORD}:{self.user.pw_uid}:"
                           f"{self.user.pw_gid}::{home}::userdb_uid={self.user.pw_uid} "
                           f"userdb_gid={self.user.pw_gid} userdb_home={home} "
                           f"{self.fields.get(name, '')}\n")

    def command(self):
        return [self.installed(), "-F", "-c", self.config]

    def wait_ready(self):
        self.wait_greeting(b"+OK")
