"""The other side of shim.c: says which system calls are to fail, and reads which were made."""

import collections
import ctypes
import errno
import mmap
import os

CALLS = ("", "openat", "openat2", "newfstatat", "statx", "getdents64", "read", "pread64", "preadv2",
         "lseek", "write", "fsync", "flock", "close", "mkdir", "mkdirat", "linkat", "rename",
         "renameat", "renameat2", "unlinkat", "rmdir", "sendto")
SEND = "sendto"

# What a file system or kernel may be without.
LACKS = {"tmpfile": 1, "noreplace": 2, "nowait": 4, "cached": 8, "directory locks": 16}
BARE = sum(LACKS.values())

PATH_SIZE = 256
RECORDS_MAX = 4096
DENIED = 1
LACKING = 2
ALWAYS = 1 << 31


class _Record(ctypes.Structure):
    _fields_ = [("row", ctypes.c_uint32), ("result", ctypes.c_int32), ("flags", ctypes.c_uint32),
                ("path", ctypes.c_char * (PATH_SIZE - 12))]


class _Control(ctypes.Structure):
    _fields_ = [("active", ctypes.c_uint32), ("row", ctypes.c_uint32), ("first", ctypes.c_uint32),
                ("times", ctypes.c_uint32), ("fault", ctypes.c_int32), ("lacks", ctypes.c_uint32),
                ("below", ctypes.c_char * PATH_SIZE * 2), ("seen", ctypes.c_uint32),
                ("hits", ctypes.c_uint32), ("count", ctypes.c_uint32),
                ("records", _Record * RECORDS_MAX)]


Record = collections.namedtuple("Record", "call result denied lacking path")


class Fault(collections.namedtuple("Fault", "call number what times")):
    """The number-th of these calls, and so many from it on, fail with `what`, the name of an errno
    value; or, as a number, transfer so many octets at most."""

    def code(self):
        return -self.what if isinstance(self.what, int) else getattr(errno, self.what)

    def is_plain(self):
        """What every program has to expect of any call: nobody must notice."""
        return isinstance(self.what, int) or self.what == "EINTR"

    def __str__(self):
        what = f"short ({self.what})" if isinstance(self.what, int) else self.what
        often = {1: "", ALWAYS: " and all after"}.get(self.times, f" and {self.times - 1} after")
        return f"{self.call} #{self.number}{often}: {what}"


class Shim:
    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.truncate(ctypes.sizeof(_Control))
        os.chmod(path, 0o666)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), ctypes.sizeof(_Control))
        self.control = _Control.from_buffer(self.memory)

    def environment(self, library):
        return {"LD_PRELOAD": library, "POP3_SHIM": self.path}

    def arm(self, below, fault=None, lacks=0):
        """From now on: records, and the fault."""
        c = self.control
        c.active = 0
        for slot in range(2):
            c.below[slot].value = below[slot].encode() if slot < len(below) else b""
        c.row, c.first, c.times, c.fault = 0, 0, 0, 0
        if fault:
            c.row, c.first, c.times = CALLS.index(fault.call), fault.number, fault.times
            c.fault = fault.code()
        c.lacks, c.seen, c.hits, c.count = lacks, 0, 0, 0
        c.active = 1

    def disarm(self):
        """The records since arm(), and how often the fault happened."""
        self.control.active = 0
        assert self.control.count <= RECORDS_MAX
        return [Record(CALLS[r.row], r.result, bool(r.flags & DENIED), bool(r.flags & LACKING),
                       r.path.decode("utf-8", "surrogateescape"))
                for r in self.control.records[:self.control.count]], self.control.hits

    def close(self):
        self.control = None
        self.memory.close()
