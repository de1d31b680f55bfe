"""Writes a block of a dynamic or differencing VHD, for tests: 2 MiB of one byte, all sectors of it present.

usage: vhd_block.py IMAGE BLOCK BYTE"""

import struct
import sys

image, block, byte = sys.argv[1], int(sys.argv[2]), bytes([int(sys.argv[3])])
with open(image, "r+b") as file:
    file.seek(-512, 2)
    place, footer = file.tell(), file.read(512)
    file.seek(512 + 16)
    (table,) = struct.unpack(">Q", file.read(8))
    file.seek(table + 4 * block)
    file.write(struct.pack(">I", place // 512))
    file.seek(place)
    file.write(b"\xff" * 512 + byte * (2 << 20) + footer)
