"""The structures of a VHD as bytes, for the tests and measurements that make images by hand."""

import struct

FOOTER_CHECKSUM, HEADER_CHECKSUM = 64, 36
DYNAMIC, DIFFERENCING = 3, 4


def seal(structure, field):
    """The structure with the right checksum at offset `field`: the complement of the sum of its bytes."""
    bare = structure[:field] + bytes(4) + structure[field + 4:]
    return bare[:field] + struct.pack(">I", ~sum(bare) & 0xFFFFFFFF) + bare[field + 4:]


def sealed_at(image, at, length, field):
    """The image with the right checksum in the structure of `length` bytes at offset `at`."""
    return image[:at] + seal(image[at:at + length], field) + image[at + length:]


def footer(size, kind, unique_id, creator=(b"test", 0)):
    """512 bytes: of a disk of `size` bytes whose header follows the copy of the footer."""
    fields = struct.pack(">8sIIQI4sI4sQQHBBII16s", b"conectix", 2, 0x10000, 512, 0, *creator, bytes(4), size, size,
                         65535, 16, 255, kind, 0, unique_id)
    return seal(fields.ljust(512, b"\0"), FOOTER_CHECKSUM)


def header(table, blocks, block_size, parent_id=bytes(16), parent_name="", locator=b""):
    """1024 bytes: of a disk whose BAT has `blocks` entries at offset `table`; `locator` is the first locator entry."""
    fields = struct.pack(">8sQQIIII16s", b"cxsparse", 2**64 - 1, table, 0x10000, blocks, block_size, 0, parent_id)
    named = fields.ljust(64, b"\0") + parent_name.encode("utf-16-be")
    return seal((named.ljust(576, b"\0") + locator).ljust(1024, b"\0"), HEADER_CHECKSUM)


def mac_locator(space, length, place):
    """The entry of a locator MacX whose URL of `length` bytes lies at offset `place`, in `space` bytes or sectors."""
    return struct.pack(">4sIIIQ", b"MacX", space, length, 0, place)
