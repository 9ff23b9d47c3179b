"""strace(1) on a server that runs: what it asks of the kernel, and calls that are made to fail."""

import glob
import os
import re
import subprocess


class Trace:
    """Traces while a `with` block runs; `calls` is for strace's -e trace, `inject` for its -e inject.
    Descriptors are shown with their paths. The lines of one thread are in order and whole."""

    def __init__(self, server, path, calls="%file,getdents64,fstat,pread64", inject=None):
        self.server = server
        self.path = path
        self.options = ["-e", "trace=" + calls]
        self.options += ["-e", "inject=" + inject] if inject else []

    def __enter__(self):
        for path in glob.glob(self.path + ".*"):
            os.unlink(path)
        self.process = subprocess.Popen(
            ["strace", "-ff", "-y", "-o", self.path, *self.options, "-p", str(self.server.pid)],
            stderr=subprocess.PIPE)
        assert b"attached" in self.process.stderr.readline()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()

    def lines(self, pattern=""):
        found = []
        for path in glob.glob(self.path + ".*"):
            with open(path, encoding="utf-8", errors="replace") as file:
                found += [line for line in file if re.search(pattern, line)]
        return found
