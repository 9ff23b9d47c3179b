"""strace(1) on a server that runs: what it asks of the kernel, and calls that are made to fail."""

import re
import subprocess


class Trace:
    """Traces while a `with` block runs; `calls` is for strace's -e trace, `inject` for its -e inject.
    Descriptors are shown with their paths."""

    def __init__(self, server, path, calls="%file,getdents64,fstat,pread64", inject=None):
        self.server = server
        self.path = path
        self.options = ["-e", "trace=" + calls]
        self.options += ["-e", "inject=" + inject] if inject else []

    def __enter__(self):
        self.process = subprocess.Popen(
            ["strace", "-f", "-y", "-o", self.path, *self.options, "-p", str(self.server.pid)],
            stderr=subprocess.PIPE)
        assert b"attached" in self.process.stderr.readline()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()

    def lines(self, pattern=""):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            return [line for line in file if re.search(pattern, line)]
