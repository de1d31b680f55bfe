"""What qemu is told of an image: a block node with an explicit driver for each layer, so that it looks for nothing itself.

Checked here is what qemu reads as zeros where it should not: data behind the end of a file. VHDX, VDI and Parallels images
name no other files, or qemu refuses those that do; the others are looked into for what they name.
"""

import os

import vmdk
from named_files import Refused

DEEPEST_CHAIN = 64


class Table:
    """The disk images of formats.table and what they may be compressed with, and their magics. LINES: FORMAT|KIND|NAME|READER|OFFSET:HEX..."""

    def __init__(self, lines):
        self.magics, self.readers = [], {}
        for line in lines.splitlines():
            fields = line.split("|")
            if fields[1] == "compressed":
                self.readers[fields[0]] = fields[3]
            for magic in fields[4].split():
                if "?" in magic:
                    continue
                offset, digits = magic.split(":")
                self.magics.append(("vpc" if fields[0] == "vhd" else fields[0], int(offset), bytes.fromhex(digits)))

    def driver_of(self, part):
        """qemu's driver for PART; None where nothing is known. Of what stands at its beginning the first line counts."""
        found = [(driver, offset < 0) for driver, offset, magic in self.magics if part.bytes(offset, len(magic)) == magic]
        drivers = [next((driver for driver, ends in found if ends == end), None) for end in (False, True)]
        if None not in drivers and drivers[0] != drivers[1]:
            raise Refused(4, "%s: looks like %s and like %s" % (part.path, drivers[0], drivers[1]))
        return drivers[0] or drivers[1]

    def is_one(self, part, driver):
        """Whether PART has a magic of that driver."""
        return any(part.bytes(offset, len(magic)) == magic for name, offset, magic in self.magics if name == driver)


class Chain:
    """The nodes of one disk, and `size`, what its header says of its bytes (or None)."""

    def __init__(self, files, table, backing_format):
        self.files, self.table, self.backing_format = files, table, backing_format
        # For each image of the chain, the topmost first: which bytes of the guest are in which file.
        self.places = []
        self.size = None
        self.replays = False

    def node(self, part, driver):
        self.places.append([])
        if len(self.places) > DEEPEST_CHAIN:
            raise Refused(4, "%s: found more than %d images one over another" % (part.path, DEEPEST_CHAIN))
        if driver is None:
            raise Refused(4, "%s: its format is not known" % part.path)
        if driver in self.table.readers:
            raise Refused(4, "%s: is compressed, as %s decompresses: unpack it first, and export that" % (part.path, self.table.readers[driver]))
        if not hasattr(self, driver):
            raise Refused(4, "%s: its format is %s, which cannot be exported" % (part.path, driver))
        places = self.places[-1]
        node = getattr(self, driver)(part)
        if not places and driver != "vhdx":
            places.append((0, 1 << 63, part))
        node["read-only"] = True
        return node

    def vmdk(self, part):
        return vmdk.layer(part, self.files, self.places[-1], lambda path: self.node(self.files.open(path), "vmdk"))

    def vdi(self, part):
        kind, data, each, used = (little(part, at, 4) for at in (76, 344, 376, 388))
        if kind not in (1, 2) or any(part.bytes(424, 16)):
            raise Refused(4, "%s: is the difference to another VDI: merge it, with VBoxManage clonemedium, say" % part.path)
        at_least(part, data + each * used)
        self.size = little(part, 368, 8)
        return {"driver": "vdi", "file": part.node()}

    def vhdx(self, part):
        # Not empty where changes were written to the log alone; qemu replays it, and only into what it may write to.
        self.replays = any(part.bytes(at, 4) == b"head" and any(part.bytes(at + 48, 16)) for at in (65536, 131072))
        return {"driver": "vhdx", "file": part.node()}

    def parallels(self, part):
        # It does not say itself that it holds the changes since a snapshot only.
        try:
            with open(os.path.join(os.path.dirname(os.path.abspath(part.path)), "DiskDescriptor.xml"), "rb") as descriptor:
                if descriptor.read(1 << 20).count(b"<Image>") > 1:
                    raise Refused(4, "%s: is one image of several, as DiskDescriptor.xml beside it says: merge its snapshots" % part.path)
        except OSError:
            pass
        return {"driver": "parallels", "file": part.node()}

    def qed(self, part):
        features, at, count = little(part, 16, 8), little(part, 56, 4), little(part, 60, 4)
        self.size = little(part, 48, 8)
        node = {"driver": "qed", "file": part.node(), "backing": None}
        if features & 1:
            name = part.bytes(at, count) if count <= 1023 else b""
            path = self.files.named(os.fsdecode(name), part.path)
            size = self.size
            node["backing"] = self.backing(self.files.open(path), "raw" if features & 4 else self.backing_format)
            self.size = size
        return node

    def backing(self, part, said):
        if said == "raw":
            return {"driver": "raw", "file": part.node(), "read-only": True}
        driver = self.table.driver_of(part)
        if driver is None:
            raise Refused(4, "%s: the image over it does not say its format: if it is a raw disk, say --backing-format raw" % part.path)
        return self.node(part, driver)

    # Those below are read by other programs, but for the ones inside an archive.

    def qcow2(self, part):
        big = lambda at, count: int.from_bytes(part.bytes(at, count), "big")
        if big(8, 8) or big(4, 4) > 2 and big(72, 8) & 4:
            raise Refused(4, "%s: names another file: unpack it, and export that" % part.path)
        if big(32, 4):
            raise Refused(4, "%s: is encrypted" % part.path)
        self.size = big(24, 8) // 512 * 512
        return {"driver": "qcow2", "file": part.node(), "backing": None}

    def vpc(self, part):
        footer = part.bytes(-512, 512)
        if footer[:8] != b"conectix":
            raise Refused(3, "%s: has no footer" % part.path)
        if int.from_bytes(footer[60:64], "big") not in (2, 3):
            raise Refused(4, "%s: is the difference to another VHD: unpack it, and export that" % part.path)
        self.size = int.from_bytes(footer[48:56], "big")
        return {"driver": "vpc", "file": part.node()}


def file_of(places, depth, at):
    """The file in which the byte AT of the guest is, in the image at that DEPTH of the chain; None where that is not known."""
    return next((part for first, last, part in (places[depth] if depth < len(places) else []) if first <= at < last), None)


def little(part, offset, count):
    return int.from_bytes(part.bytes(offset, count), "little")


def at_least(part, count):
    if part.length < count:
        raise Refused(3, "%s: ends before its data does: found %d bytes, expected at least %d" % (part.path, part.length, count))
