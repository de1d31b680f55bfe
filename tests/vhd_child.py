"""A differencing VHD without a block of its own, for tests of how parents are found.

usage: vhd_child.py IMAGE NAME [PARENT]: writes IMAGE over the parent that it calls NAME, as printf has it. With PARENT, a
VHD or raw file of at most 256 MiB, of its size and with its id; without, of 1 MiB and over a raw file."""

import os
import struct
import subprocess
import sys


def seal(structure, field):
    return structure[:field] + struct.pack(">I", ~sum(structure) & 0xFFFFFFFF) + structure[field + 4:]


image, name = sys.argv[1], subprocess.run(["printf", sys.argv[2]], stdout=subprocess.PIPE, check=True).stdout
size, parent_id = 1 << 20, bytes(16)
if len(sys.argv) > 3:
    with open(sys.argv[3], "rb") as file:
        parent = file.read(512)
    if parent[:8] == b"conectix":
        size, parent_id = struct.unpack_from(">Q", parent, 48)[0], parent[68:84]
    else:
        size = os.stat(sys.argv[3]).st_size

footer = struct.pack(">8sIIQI4sI4sQQHBBII16s", b"conectix", 2, 0x10000, 512, 0, b"test", 0, bytes(4), size, size,
                     65535, 16, 255, 4, 0, b"child of a raw 1")
footer = seal(footer.ljust(512, b"\0"), 64)
header = struct.pack(">8sQQIIII16s", b"cxsparse", 2**64 - 1, 1536, 0x10000, -(-size // (1 << 21)), 1 << 21, 0, parent_id)
header = header.ljust(576, b"\0") + struct.pack(">4sIIIQ", b"MacX", len(name), len(name), 0, 2048)
header = seal(header.ljust(1024, b"\0"), 36)
with open(image, "wb") as file:
    file.write(footer + header + b"\xff" * 512 + name.ljust((len(name) + 511) // 512 * 512, b"\0") + footer)
