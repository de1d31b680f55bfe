"""A differencing VHD without a block of its own, for tests of how parents are found.

usage: vhd_child.py IMAGE NAME [PARENT]: writes IMAGE over the parent that it calls NAME, as printf has it. With PARENT, a
VHD or raw file of at most 256 MiB, of its size and with its id; without, of 1 MiB and over a raw file."""

import os
import struct
import subprocess
import sys

import vhd_bytes
from vhd_bytes import DIFFERENCING

image, name = sys.argv[1], subprocess.run(["printf", sys.argv[2]], stdout=subprocess.PIPE, check=True).stdout
size, parent_id = 1 << 20, bytes(16)
if len(sys.argv) > 3:
    with open(sys.argv[3], "rb") as file:
        parent = file.read(512)
    if parent[:8] == b"conectix":
        size, parent_id = struct.unpack_from(">Q", parent, 48)[0], parent[68:84]
    else:
        size = os.stat(sys.argv[3]).st_size

footer = vhd_bytes.footer(size, DIFFERENCING, b"child of a raw 1")
locator = vhd_bytes.mac_locator(len(name), len(name), 2048)
header = vhd_bytes.header(1536, -(-size // (1 << 21)), 1 << 21, parent_id, locator=locator)
with open(image, "wb") as file:
    file.write(footer + header + b"\xff" * 512 + name.ljust((len(name) + 511) // 512 * 512, b"\0") + footer)
