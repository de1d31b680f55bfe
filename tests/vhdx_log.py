"""Puts a change of a VHDX into its log alone, as a host leaves it that loses power.

usage: vhdx_log.py IMAGE OLD NEW
The first 4 KiB of bytes OLD (in hexadecimal) are to become bytes NEW. [MS-VHDX] 2.3: the log.
"""

import struct
import sys
import uuid

SECTOR = 4096


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def summed(data):
    """DATA with its checksum, which stands at byte 4."""
    data[4:8] = bytes(4)
    data[4:8] = struct.pack("<I", crc32c(data))
    return data


path, old, new = sys.argv[1], bytes([int(sys.argv[2], 16)]), bytes([int(sys.argv[3], 16)])
with open(path, "r+b") as file:
    image = file.read()
    target = image.index(old * SECTOR, 1 << 20)
    target = (target + SECTOR - 1) // SECTOR * SECTOR
    guid, sequence = uuid.uuid4().bytes_le, 0x100000001
    log_length, log_offset = struct.unpack_from("<IQ", image, 65536 + 68)

    sector = new * SECTOR
    descriptor = b"desc" + sector[-4:] + sector[:8] + struct.pack("<QQ", target, sequence)
    header = struct.pack("<4sIIIQII16sQQ", b"loge", 0, 2 * SECTOR, 0, sequence, 1, 0, guid, len(image), len(image))
    data = b"data" + struct.pack("<I", sequence >> 32) + sector[8:-4] + struct.pack("<I", sequence & 0xFFFFFFFF)
    entry = summed(bytearray((header + descriptor).ljust(SECTOR, b"\0") + data))
    file.seek(log_offset)
    file.write(entry.ljust(log_length, b"\0"))

    for offset in (65536, 131072):
        head = bytearray(image[offset:offset + SECTOR])
        head[48:64] = guid
        file.seek(offset)
        file.write(summed(head))
