"""The files that the header tools opened, or tried to, in a log of `strace -f -e trace=execve,open,openat,openat2,creat`.

usage: opened_files.py LOG TOOL...: prints their names, once each. Left out is what a tool opens for --version, which is
what the loader needs on this system. strace writes bytes that are not printable as \\\\NNN."""

import re
import sys

LINE = re.compile(r'^(\d+) +(execve|open|openat|openat2|creat)\((?:([A-Z_]+|\d+), )?"((?:[^"\\]|\\.)*)", (.*)$')

tracing, loaded, opened = {}, set(), set()
with open(sys.argv[1], errors="surrogateescape") as log:
    for line in log:
        if "openat(" in line and not LINE.match(line):
            sys.exit(f"not understood: {line}")
        found = LINE.match(line)
        if not found:
            continue
        process, call, directory, name, rest = found.groups()
        if call == "execve":
            if rest.endswith("= 0"):
                tool = name.rsplit("/", 1)[-1] in sys.argv[2:]
                tracing[process] = None if not tool else loaded if '"--version"' in rest else opened
        elif tracing.get(process) is not None:
            # No name is relative to a descriptor, but to the current directory.
            assert directory in (None, "AT_FDCWD"), line
            tracing[process].add(name)
sys.stdout.writelines(f"{name}\n" for name in sorted(opened - loaded))
