"""VMDK: its descriptor, the extents that it names, and its parents.

qemu opens whatever a descriptor names. So it is given one written here, of links to files that may be opened; and it leaves
out without a word the extents that it does not know, so these are refused, or given as files of zeros.
VMware's Virtual Disk Format 5.0; sectors are of 512 bytes.
"""

import os
import re

from named_files import Refused, quoted

SECTOR = 512
# As much as qemu reads of one.
LONGEST_DESCRIPTOR = 1 << 20
MOST_EXTENTS = 4096
MOST_SECTORS = 1 << 54
# Extents with tables of their own: how they begin, and where their number of sectors is and how long it is.
SPARSE = {
    "SPARSE": (b"KDMV", 12, 8, "twoGbMaxExtentSparse"),
    "VMFSSPARSE": (b"COWD", 12, 4, "vmfsSparse"),
    "SESPARSE": (bytes.fromhex("bebafeca00000000"), 16, 8, "seSparse"),
}
FLAT = ("FLAT", "VMFS")
EXTENT = re.compile(r'^(RW|RDONLY|NOACCESS)\s+(\d{1,19})\s+([A-Z]+)(?:\s+"([^"]*)"(?:\s+(\d{1,19}))?)?(?:\s.*)?$', re.I)


def number(part, offset, count):
    return int.from_bytes(part.bytes(offset, count), "little")


def descriptor_of(part):
    """The descriptor's text, and whether its extents are other files: they are not where the tables follow it."""
    start, count = 0, min(part.length, LONGEST_DESCRIPTOR + 1)
    embedded = part.bytes(0, 4) == b"KDMV"
    if embedded:
        start, count = number(part, 28, 8) * SECTOR, number(part, 36, 8) * SECTOR
        if start == 0:
            count = 0
        if start + count > part.length:
            raise Refused(3, "%s: its descriptor ends at byte %d: found %d bytes" % (part.path, start + count, part.length))
    if count > LONGEST_DESCRIPTOR:
        raise Refused(4, "%s: found a descriptor of %d bytes, expected at most %d" % (part.path, count, LONGEST_DESCRIPTOR))
    text = part.bytes(start, count).split(b"\0")[0]
    return text.decode("utf-8", "surrogateescape"), not embedded or number(part, 12, 8) == 0


def value_of(text, key):
    found = re.search(r'^[ \t]*%s[ \t]*=[ \t]*"?([^"\r\n]*)' % key, text, re.M | re.I)
    return found.group(1).strip() if found else None


def layer(part, files, places, parent_of):
    """The node of the VMDK in PART. PARENT_OF gives that of the file whose path it is called with. Into PLACES goes which bytes
    of the guest are in which file: first, last and the part."""
    if part.bytes(0, 4) == b"COWD":
        raise Refused(4, "%s: is one extent of a VMDK: export the small .vmdk that names it" % part.path)
    text, names_extents = descriptor_of(part)
    if re.search(r"^[ \t]*(encryption|ddb\.encryption|ddb\.keysafe)", text, re.M | re.I):
        raise Refused(4, "%s: is encrypted" % part.path)
    parent, parent_id = None, (value_of(text, "parentCID") or "ffffffff").lower()
    if parent_id != "ffffffff":
        path = files.named(value_of(text, "parentFileNameHint") or "", part.path)
        other = files.open(path)
        found = (value_of(descriptor_of(other)[0], "CID") or "none").lower()
        if found.lstrip("0") != parent_id.lstrip("0"):
            raise Refused(3, "%s: its parent %s has the CID %s, expected %s" % (part.path, path, quoted(found), quoted(parent_id)))
        parent = parent_of(path)
    if not names_extents:
        whole(part, text)
        places.append((0, number(part, 12, 8) * SECTOR, part))
        return {"driver": "vmdk", "file": part.node(), "backing": parent}
    if part.offset or part.link is None:
        raise Refused(4, "%s: its data lies in other files of the archive: unpack it with tar and export that" % part.path)
    lines, sectors = [], 0
    for line in text.splitlines():
        if re.match(r"\s*(RW|RDONLY|NOACCESS)\b", line, re.I):
            kind, count, data, said = extent(line.strip(), part, files, len(lines))
            if data is not None:
                places.append((sectors * SECTOR, (sectors + count) * SECTOR, data))
            sectors += count
            lines.append((kind, said))
            if len(lines) > MOST_EXTENTS:
                raise Refused(4, "%s: found more than %d extents" % (part.path, MOST_EXTENTS))
    if not lines:
        raise Refused(3, "%s: found no extents" % part.path)
    types = {kind for kind, _ in lines}
    create_type = next((SPARSE[kind][3] for kind in SPARSE if kind in types), "twoGbMaxExtentFlat")
    name = "descriptor%d.vmdk" % len(files.opened)
    identity = value_of(text, "CID") or ""
    with open(os.path.join(files.work, name), "w", encoding="ascii") as out:
        out.write('# Disk DescriptorFile\nversion=1\nCID=%s\nparentCID=%s\ncreateType="%s"\n\n# Extent description\n%s\n' % (
            identity if re.match(r"^[0-9a-fA-F]{1,8}$", identity) else "fffffffe", parent_id if parent else "ffffffff",
            create_type, "\n".join(line for _, line in lines)))
    file = {"driver": "file", "filename": os.path.join(files.work, name), "read-only": True}
    return {"driver": "vmdk", "file": file, "backing": parent}


def whole(part, text):
    """Refuses one extent of several: taken alone it would be a piece of the disk."""
    sectors = [int(found) for found in re.findall(r"^[ \t]*(?:RW|RDONLY)[ \t]+(\d{1,19})[ \t]", text, re.M | re.I)]
    if len(sectors) != 1 or sectors[0] > number(part, 12, 8):
        raise Refused(4, "%s: is one extent of a VMDK: export the small .vmdk that names it" % part.path)


def extent(line, part, files, count):
    """The type and sectors of the extent in LINE, its file (None for zeros), and the line that says the same to qemu."""
    found = EXTENT.match(line)
    if not found:
        raise Refused(3, "%s: found the extent %s, expected an access, sectors, a type and a name" % (part.path, quoted(line)))
    access, sectors, kind, name, offset = found.groups()
    sectors, kind, offset = int(sectors), kind.upper(), int(offset or 0)
    if access.upper() == "NOACCESS" or kind not in FLAT and kind not in SPARSE and kind != "ZERO":
        raise Refused(4, "%s: found an extent %s %s, which cannot be read" % (part.path, access, quoted(kind)))
    if sectors == 0 or sectors > MOST_SECTORS or offset > MOST_SECTORS:
        raise Refused(3, "%s: found an extent of %d sectors at %d" % (part.path, sectors, offset))
    if kind == "ZERO":
        link = "zeros%d" % count
        with open(os.path.join(files.work, link), "wb") as zeros:
            zeros.truncate(sectors * SECTOR)
        return "FLAT", sectors, None, 'RW %d FLAT "%s" 0' % (sectors, link)
    if name is None:
        raise Refused(3, "%s: found an extent without a name: %s" % (part.path, quoted(line)))
    path = files.named(name, part.path)
    data = files.open(path)
    link = os.path.basename(data.link)
    if kind in FLAT:
        expected = (offset + sectors) * SECTOR
        if data.length < expected:
            raise Refused(3, "%s: found %d bytes, expected at least %d, as %s says" % (path, data.length, expected, part.path))
        return "FLAT", sectors, data, 'RW %d FLAT "%s" %d' % (sectors, link, offset)
    magic, at, width, _ = SPARSE[kind]
    # qemu takes the size from the extent: another one than that of the descriptor would move what follows.
    if data.bytes(0, len(magic)) != magic or number(data, at, width) != sectors:
        raise Refused(3, "%s: is not the extent of %d sectors that %s names" % (path, sectors, part.path))
    return kind, sectors, data, 'RW %d %s "%s"' % (sectors, kind, link)
