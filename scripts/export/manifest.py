"""The manifest of an OVF: a file with the sums of the others, beside it or in the same OVA (DMTF DSP0243, section 7).

A file that it does not list has no sum to compare. Whether somebody exchanged the files and their sums, only the signature of
an OVA can tell, which is not read.
"""

import hashlib
import json
import os
import posixpath
import re

from named_files import Part, Refused, quoted

LONGEST = 1 << 20
PIECE = 1 << 20
# openssl writes SHA2-256, others SHA256.
LINE = re.compile(r"^SHA(?:2-|-)?(1|256|384|512)\s*\((.+)\)\s*=\s*([0-9A-Fa-f]+)$")


class Sums:
    """What the manifest PART lists."""

    def __init__(self, part):
        self.sums = {}
        if part.length > LONGEST:
            raise Refused(4, "%s: found a manifest of %d bytes, expected at most %d" % (part.path, part.length, LONGEST))
        for line in part.bytes(0, part.length).decode("utf-8", "replace").splitlines():
            found = LINE.match(line.strip())
            if found:
                bits, name, digits = found.groups()
                self.sums[posixpath.normpath(name)] = (bits, digits.lower(), part.path)
            elif line.strip():
                raise Refused(4, "%s: found %s, expected SHA256(NAME)= and its sum; --no-verify compares no sums"
                              % (part.path, quoted(line.strip())))

    def wanted(self, name):
        """Bits of the SHA, hexadecimal digits, and who says so, for the file NAME; None if it is not listed."""
        return self.sums.get(posixpath.normpath(name))

    def compare(self, part, name):
        """Refuses PART, the file NAME, if its sum is another."""
        wanted = self.wanted(name)
        if wanted:
            compare(part, *wanted)


def compare(part, bits, digits, by):
    """Reads all of PART, whose sum must be DIGITS."""
    found, position = hashlib.new("sha" + bits), 0
    while position < part.length:
        piece = part.bytes(position, PIECE)
        if not piece:
            raise Refused(1, "%s: changed while it was read; try again" % part.path)
        found.update(piece)
        position += len(piece)
    if found.hexdigest() != digits:
        raise Refused(3, "%s: found the SHA-%s %s, expected %s: so says %s" % (part.path, bits, found.hexdigest(), digits, by))


def keep(path, part, wanted):
    """Writes to PATH what `compare_kept` compares."""
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as out:
        json.dump([part.path, part.link, part.offset, part.length, wanted], out)


def compare_kept(path):
    """Compares the sum that stands in PATH, if there is one."""
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="surrogateescape") as kept:
            name, link, offset, length, wanted = json.load(kept)
        with open(link, "rb") as file:
            compare(Part(name, file.fileno(), offset, length, link), *wanted)
