"""The libraries as somebody else meets them: installed into a tree of its own, found by pkg-config
only."""

import os
import re
import subprocess

from support.server import ROOT

BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
WARNINGS = ("-Wall", "-Wextra", "-Werror")
C_COMPILERS = ("gcc", "clang")
CXX_COMPILERS = ("g++", "clang++")


def make(*arguments):
    """make in the project; it is no child of a make that may be running these tests."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DESTDIR", "PREFIX")}
    done = subprocess.run(["make", "-s", "-C", ROOT, "BUILD=" + BUILD, *arguments],
                          env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"make {' '.join(arguments)}:\n{done.stdout}{done.stderr}")


def files_below(folder):
    """Paths of all that is no directory, relative to folder."""
    return sorted(os.path.relpath(os.path.join(path, name), folder)
                  for path, _, names in os.walk(folder) for name in names)


def functions_exported(library):
    """What programs can link with, of a shared library."""
    text = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True,
                          check=True).stdout
    return {line.split()[2].split("@")[0] for line in text.splitlines()
            if line.split()[1] in "TDBRW"}


def functions_declared(header):
    with open(header, encoding="utf-8") as file:
        code = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    return set(re.findall(r"^[a-z][^;{}=]*?\b(pop3_\w+)\(", code, re.M))


class Tree:
    """An installation with DESTDIR, and compilers that know of one library (the name of its .pc
    file) by pkg-config alone."""

    def __init__(self, folder, prefix="/usr", package="pop3-emitter"):
        self.folder = folder
        self.package = package
        self.root = folder + prefix
        self.library_path = os.path.join(self.root, "lib")

    def pkg_config(self, *arguments):
        environment = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=self.folder,
                           PKG_CONFIG_PATH=os.path.join(self.library_path, "pkgconfig"))
        return subprocess.run(["pkg-config", *arguments, self.package], env=environment,
                              capture_output=True, text=True, check=True).stdout.split()

    def compile(self, compiler, source, program, *flags, static=False):
        words = self.pkg_config("--cflags", "--libs", *(["--static"] if static else []))
        done = subprocess.run([compiler, *WARNINGS, *flags, source, "-o", program, *words],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{compiler} {source}:\n{done.stderr}")
        return program

    def run_alone(self, folder, header, code):
        """Builds programs that include the header alone and end with the value of an expression,
        which must be 0, as C and as C++ of old and new standards. Returns how many."""
        cases = [(compiler, "c", standard) for compiler in C_COMPILERS
                 for standard in ("c99", "c17")]
        cases += [(compiler, "cc", standard) for compiler in CXX_COMPILERS
                  for standard in ("c++11", "c++20")]
        for compiler, suffix, standard in cases:
            source = os.path.join(folder, "alone." + suffix)
            with open(source, "w", encoding="utf-8") as file:
                file.write(f"#include <{header}>\nint main(void) {{ return {code}; }}\n")
            program = self.compile(compiler, source, os.path.join(folder, "alone"),
                                   "-std=" + standard, "-Wpedantic")
            subprocess.run([program], check=True,
                           env=dict(os.environ, LD_LIBRARY_PATH=self.library_path))
        return len(cases)
