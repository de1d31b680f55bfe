"""Damaged images for limits.bats: every field that decides something, set to what hurts most.

usage: hostile_images.py IMAGE...: for each sound VHD or QCOW2, writes IMAGE.NNN with one field changed."""

import struct
import sys

from vhd_bytes import FOOTER_CHECKSUM, HEADER_CHECKSUM, sealed_at

HUGE = [0, 1, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0x00FFFFFFFFFFFE00, 1 << 40]


def values(width):
    """Those that fit into a field of so many bytes."""
    return sorted({value & (1 << 8 * width) - 1 for value in HUGE})


def changed(image, at, width, value):
    return image[:at] + value.to_bytes(width, "big") + image[at + width:]


def qcow2(image):
    header = [(4, 4), (8, 8), (16, 4), (20, 4), (24, 8), (32, 4), (36, 4), (40, 8), (48, 8), (56, 4), (60, 4), (64, 8),
              (72, 8), (80, 8), (88, 8), (96, 4), (100, 4), (104, 1), (112, 4), (116, 4)]
    l1_table = struct.unpack_from(">Q", image, 40)[0]
    l2_table = struct.unpack_from(">Q", image, l1_table)[0] & 0x00FFFFFFFFFFFE00
    entries = [(table + 8 * number, 8) for table in (l1_table, l2_table) for number in range(3)]
    for at, width in header + entries:
        for value in values(width) + [1 << 62 | 0x3FFFFFFFFFFFFFFF] * (width == 8):
            yield changed(image, at, width, value)
    for exponent in (8, 14, 21, 22, 31, 32, 63, 64):
        yield changed(image, 20, 4, exponent)
    # All L2 tables are one, which is the L1 table; all L2 entries are compressed and lie in one place
    yield changed(image, l1_table, 8, l1_table)
    yield image[:l2_table] + struct.pack(">Q", 1 << 62 | l2_table) * 512 + image[l2_table + 4096:]
    for end in (0, 3, 4, 71, 72, 104, 511, 512, l1_table + 4, l2_table + 4, len(image) - 1):
        yield image[:end]


def vhd(image):
    tail = len(image) - 512
    if image[:8] == b"conectix":
        header = struct.unpack_from(">Q", image, 16)[0]
        table = struct.unpack_from(">Q", image, header + 16)[0]
        for at, width in [(0, 8), (8, 8), (16, 8), (24, 4), (28, 4), (32, 4)] + [
                (576 + 24 * locator + field, 4) for locator in (0, 1) for field in (0, 4, 8, 16, 20)]:
            for value in values(width):
                yield sealed_at(changed(image, header + at, width, value), header, 1024, HEADER_CHECKSUM)
        for at in (table, table + 4, table + 16):
            for value in values(4) + [1, 3, header // 512, table // 512, tail // 512]:
                yield changed(image, at, 4, value)
        yield image[:table] + bytes(64) + image[table + 64:]
    for at, width in [(8, 4), (12, 4), (16, 8), (40, 8), (48, 8), (56, 4), (60, 4), (85, 1)]:
        for value in values(width) + [2, 3, 4, 1024]:
            if value >> 8 * width == 0:
                damaged = sealed_at(changed(image, tail + at, width, value), tail, 512, FOOTER_CHECKSUM)
                yield damaged
                if image[:8] == b"conectix":
                    yield damaged[tail:] + damaged[512:]
    for end in (0, 1, 511, 512, 513, 1535, 1536, tail // 2, tail - 1, tail + 511):
        yield image[:end]


for name in sys.argv[1:]:
    with open(name, "rb") as file:
        sound = file.read()
    for number, damaged in enumerate((qcow2 if sound[:4] == b"QFI\xfb" else vhd)(sound)):
        with open(f"{name}.{number:03}", "wb") as file:
            file.write(damaged)
