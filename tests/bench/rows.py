"""The rows of the bench with their bars, in the order of the table."""

from report import Row

ROWS = [
    Row("logins_8", "logins, 8 at once", "/s", at_least=3, digits=0),
    Row("logins_64", "logins, 64 at once", "/s", at_least=3, digits=0),
    Row("retr_pipelined", "RETR 400 messages, pipelined", "MB/s", at_least=2, digits=0),
    Row("retr_one_by_one", "RETR 400 messages, one by one", "MB/s", at_least=2, digits=0),
    Row("retr_50_mb", "RETR one message of 50 MB", "MB/s", at_least=2, digits=0),
    Row("delayed_ack_stalls", "replies over 35 ms, delayed ACKs", "replies", at_most=0, digits=0),
    Row("noop_among_5000", "NOOP among 5,000 idle / among 10", "x", at_most=3, digits=2),
    Row("idle_session_memory", "idle session, private memory", "KiB", at_most=4, digits=2),
    Row("exec_to_greeting", "exec to first greeting", "ms", at_most=20),
    Row("idle_server_memory", "idle server, anonymous memory", "KiB", at_most=2048, digits=0),
    Row("large_first_login", "{n} messages, first login", "ms", share=1/2),
    Row("large_first_noop", "NOOP meanwhile / on the idle server, p99", "x", at_most=5, digits=2),
    Row("large_login", "{n} messages, unchanged: PASS + STAT", "ms", share=1/10),
    Row("large_list", "{n} messages, unchanged: LIST", "ms", share=1/2),
    Row("large_uidl", "{n} messages, unchanged: UIDL", "ms", share=1/4),
    Row("large_delivered", "{n} messages, one more: PASS + STAT", "ms", share=1/4),
    Row("large_delete", "{n} messages: DELE of {deleted} and QUIT, synced", "ms", share=1),
    Row("large_session_memory", "{n} messages, memory for each", "octets", at_most=24, digits=2),
    Row("tls_logins_8", "TLS 1.3: logins, 8 at once", "/s", at_least=3, digits=0),
    Row("tls_logins_64", "TLS 1.3: logins, 64 at once", "/s", at_least=3, digits=0),
    Row("tls_retr_pipelined", "TLS 1.3: RETR 400 messages, pipelined", "MB/s", at_least=2,
        digits=0),
    Row("tls_handshake_cpu", "CPU of a handshake / of a bare GnuTLS server's", "x", at_most=1.3,
        digits=2),
    Row("tls_not_resumed", "tickets offered and not taken", "%", at_most=5),
    Row("tls_refused_cpu", "CPU of a client of finite-field groups alone", "ms", at_most=0.1,
        digits=3),
    Row("tls_idle_session_memory", "idle session under TLS, private memory", "KiB", at_most=24,
        digits=2),
    Row("crypt_flood_noop", "NOOP beside {flood} clients with wrong passwords, p99", "ms",
        at_most=20),
    Row("crypt_flood_login", "login from another address meanwhile, slowest", "ms", at_most=3000,
        digits=0),
    Row("traffic", "{rate} deliveries a second, lost or doubled", "messages", at_most=0, digits=0,
        exact=True),
]

# What the name of a row begins with, and the mailboxes that it needs; the first that fits.
MAILBOXES = {"logins": "login", "retr_50": "big", "retr": "mixed", "delayed": "mixed",
             "noop": "empty", "idle": "idle", "exec": "idle", "large": "large",
             "tls_retr": "mixed", "tls_idle": "idle", "tls_": "login",
             "crypt_flood": "flood", "traffic": "traffic"}
