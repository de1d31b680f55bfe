"""A machine with one disk whose blocks are all there and all zero, as an archive that takes up little space: its blocks are
holes of the file. For tests and benchmarks of what reads headers alone.

usage: python3 sparse_archive.py BLOCKS ARCHIVE
"""
import subprocess
import sys

MIB = 1 << 20
# XXH64 of a block of zeros, by xxhsum.
CHECKSUM = b"87D2A1B6E1163EF1"


def header(name, size):
    """The header of a file, V7."""
    fields = name.encode().ljust(100, b"\0") + b"0000400\0" + 2 * b"0000000\0" + b"%011o\0" % size + b"00000000000\0"
    record = bytearray((fields + b" " * 8).ljust(512, b"\0"))
    record[148:156] = b"%07o\0" % sum(record)
    return bytes(record)


def write(path, blocks):
    """Writes the archive of `blocks` blocks to `path`."""
    ova = subprocess.run(["ova-xml", "--name", "vm", "--memory", "1G", "--vcpus", "1", "--firmware", "bios", "--disk",
                          f"Ref:000={blocks * MIB}"], check=True, stdout=subprocess.PIPE).stdout
    with open(path, "wb") as file:
        file.write(header("ova.xml", len(ova)) + ova.ljust(-(-len(ova) // 512) * 512, b"\0"))
        for number in range(blocks):
            file.write(header(f"Ref:000/{number:08}", MIB))
            file.seek(MIB, 1)
            file.write(header(f"Ref:000/{number:08}.xxhash", 16) + CHECKSUM.ljust(512, b"\0"))
        file.write(bytes(1024))


if __name__ == "__main__":
    write(sys.argv[2], int(sys.argv[1]))
