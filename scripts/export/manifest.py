"""The manifest of an OVF: a file with the sums of the others, beside it or in the same OVA (DMTF DSP0243, section 7).

usage: manifest.py WORK     ends with status 3 if a file of which WORK/sums says a sum has another one

Whether somebody exchanged the files and their sums, only the signature of an OVA can tell, which is not read.
"""

import hashlib
import json
import os
import posixpath
import re
import sys

from named_files import Part, Refused, answer, check_unchanged, quoted

LONGEST = 1 << 20
PIECE = 1 << 20
# openssl writes SHA2-256, others SHA256.
LINE = re.compile(r"^SHA(?:2-|-)?(1|256|384|512)\s*\((.+)\)\s*=\s*([0-9A-Fa-f]+)$")


class Sums:
    """What the manifest PART lists."""

    def __init__(self, part):
        self.path, self.sums = part.path, {}
        if part.length > LONGEST:
            raise Refused(4, "%s: found a manifest of %d bytes, expected at most %d" % (part.path, part.length, LONGEST))
        for line in part.bytes(0, part.length).decode("utf-8-sig", "replace").splitlines():
            found = LINE.match(line.strip())
            if found:
                self.add(*found.groups())
            elif line.strip():
                raise Refused(4, "%s: found %s, expected SHA256(NAME)= and a checksum; --no-verify does without"
                              % (part.path, quoted(line.strip())))

    def add(self, bits, name, digits):
        sums = self.sums.setdefault(posixpath.normpath(name.strip()), {})
        if sums.setdefault(bits, digits.lower()) != digits.lower():
            raise Refused(3, "%s: has two checksums for %s" % (self.path, quoted(name)))

    def has(self, name):
        """Whether the file NAME is listed."""
        return posixpath.normpath(name) in self.sums

    def of(self, part, name):
        """What `compare_all` compares of PART, the file NAME: nothing if it is not listed."""
        sums = sorted(self.sums.get(posixpath.normpath(name), {}).items())
        return [[part.path, part.link, part.offset, part.length, bits, digits, self.path] for bits, digits in sums]


def compare(path, part, bits, digits, by):
    """Reads all of PART, whose sum must be DIGITS."""
    found, position = hashlib.new("sha" + bits), 0
    while position < part.length:
        piece = part.bytes(position, PIECE)
        if not piece:
            raise Refused(1, "%s: changed while it was read; try again" % path)
        found.update(piece)
        position += len(piece)
    if found.hexdigest() != digits:
        raise Refused(3, "%s: found the SHA-%s %s, expected %s according to %s" % (path, bits, found.hexdigest(), digits, by))


def compare_all(sums):
    """Compares what `Sums.of` yielded."""
    for path, link, offset, length, bits, digits, by in sums:
        with open(link, "rb") as file:
            compare(path, Part(path, file.fileno(), offset, length, link), bits, digits, by)


def main(work):
    if not os.path.exists(os.path.join(work, "sums")):
        return
    with open(os.path.join(work, "sums"), encoding="utf-8", errors="surrogateescape") as kept:
        sums = json.load(kept)
    try:
        compare_all(sums)
    except Refused:
        check_unchanged(os.path.join(work, "files"))
        raise


if __name__ == "__main__":
    answer(main, sys.argv[1:])
