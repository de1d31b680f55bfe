"""An OVA, or the OVF in it: which machine it describes, and where its disks are.

The text is a stranger's: it is bounded, declares no entities, and what it says is only handed on as the values of options.
DMTF DSP0243; resource types are those of CIM_ResourceAllocationSettingData.
"""

import os
import posixpath
import re
import shlex
import tarfile
import xml.etree.ElementTree as ElementTree
from xml.parsers import expat

import manifest
from named_files import Refused, quoted

LONGEST_DESCRIPTION = 4 << 20
MOST_MEMBERS = 10000
MOST_ITEMS = 1000
PROCESSOR, MEMORY, CONTROLLERS, NETWORK, DISK = "3", "4", ("5", "6", "20"), "10", "17"


def local(name):
    return name.split("}")[-1]


def parse(text, path):
    """The root, without name spaces."""
    builder, parser = ElementTree.TreeBuilder(), expat.ParserCreate(None, "}")

    def refuse(*_):
        raise Refused(4, "%s: declares a document type, which no OVF needs" % path)

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    depth = [0]

    def start(name, attributes):
        depth[0] += 1
        if depth[0] > 100:
            raise Refused(4, "%s: found more than 100 elements one in another" % path)
        builder.start(local(name), {local(key): value for key, value in attributes.items()})

    def end(name):
        depth[0] -= 1
        builder.end(local(name))

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    try:
        parser.Parse(text, True)
        return builder.close()
    except (expat.ExpatError, AssertionError, LookupError, ValueError) as error:
        raise Refused(3, "%s: is not sound XML: %s" % (path, error))


def said(element, name):
    """The text of the child NAME, on one line; nothing where there is none."""
    child = element.find(name)
    return " ".join((child.text or "").split()) if child is not None else ""


def whole(text, what, path):
    if not re.match(r"^[0-9]{1,18}$", text):
        raise Refused(3, "%s: found %s for %s, expected a number" % (path, quoted(text), what))
    return int(text)


def unit(text, path):
    """Bytes in a unit of allocation, such as byte * 2^20."""
    words = {"": 1, "byte": 1, "bytes": 1, "kilobytes": 1 << 10, "kb": 1 << 10, "megabytes": 1 << 20, "mb": 1 << 20,
             "gigabytes": 1 << 30, "gb": 1 << 30}
    found = re.match(r"^byte\*(2|10)\^([0-9]{1,2})$", "".join(text.lower().split()))
    if found and int(found.group(2)) < 64:
        return int(found.group(1)) ** int(found.group(2))
    if text.lower() in words:
        return words[text.lower()]
    raise Refused(4, "%s: found the unit %s" % (path, quoted(text)))


class Machine:
    """What an OVF describes. With TRUSTED no sum of its manifest is compared."""

    def __init__(self, part, files, trusted):
        self.path, self.archive, self.files, self.members, self.folder = part.path, part, files, None, ""
        self.description = self.find_description()
        if self.description.length > LONGEST_DESCRIPTION:
            raise Refused(4, "%s: found an OVF of %d bytes, expected at most %d" % (self.path, self.description.length, LONGEST_DESCRIPTION))
        listed = None if trusted else self.find_manifest()
        self.sums = manifest.Sums(listed) if listed else None
        if self.sums:
            manifest.compare_all(self.sums.of(self.description, posixpath.basename(self.name)))
        self.root = parse(self.description.bytes(0, self.description.length), self.path)
        systems = list(self.root.iter("VirtualSystem"))
        if local(self.root.tag) != "Envelope" or len(systems) != 1:
            raise Refused(4, "%s: found %d machines in the OVF, expected one" % (self.path, len(systems)))
        self.system = systems[0]
        chosen = [each for each in self.root.iter("Configuration")]
        default = next((each for each in chosen if each.get("default") in ("true", "1")), chosen[0] if chosen else None)
        default = default.get("id") if default is not None else None
        sections = self.system.findall("VirtualHardwareSection")
        self.items = [item for section in sections[:1] for item in section if item.tag in ("Item", "StorageItem", "EthernetPortItem")
                      and not item.get("bound") and item.get("configuration") in (None, default)]
        if max(len(self.items), len(list(self.root.iter("Disk"))), len(list(self.root.iter("File")))) > MOST_ITEMS:
            raise Refused(4, "%s: found more than %d devices, disks or files in the OVF" % (self.path, MOST_ITEMS))

    def find_description(self):
        """The OVF: the file itself, or a member of it. Sets its name, and the folder in which what it names is."""
        if self.archive.bytes(0, 512)[257:262] != b"ustar":
            self.name = self.path
            return self.archive
        self.members = self.read_members()
        descriptions = [name for name in self.members if name.lower().endswith(".ovf")]
        if len(descriptions) != 1:
            raise Refused(4, "%s: found %d OVF descriptions in it, expected one" % (self.path, len(descriptions)))
        self.name = descriptions[0]
        self.folder = posixpath.dirname(self.name)
        return self.members[self.name]

    def find_manifest(self):
        """The file of the name of the OVF that ends with .mf, if there is one."""
        for name in (posixpath.splitext(self.name)[0] + ending for ending in (".mf", ".MF")):
            if self.members is not None and name in self.members:
                return self.members[name]
            if self.members is None and os.path.lexists(name):
                return self.files.open(name)
        return None

    def read_members(self):
        members = {}
        try:
            with os.fdopen(os.dup(self.archive.descriptor), "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
                for member in tar:
                    if not member.isreg():
                        continue
                    name = posixpath.normpath(member.name)
                    if member.issparse() or name in members:
                        raise Refused(4, "%s: found %s twice, or as a sparse member" % (self.path, quoted(name)))
                    if member.offset_data + member.size > self.archive.length:
                        raise Refused(3, "%s: ends before its member %s does" % (self.path, quoted(name)))
                    members[name] = self.archive.within(
                        member.offset_data, member.size, "%s: %s" % (self.path, quoted(name)))
                    if len(members) > MOST_MEMBERS:
                        raise Refused(4, "%s: found more than %d members" % (self.path, MOST_MEMBERS))
        except (tarfile.TarError, OSError, ValueError) as error:
            raise Refused(3, "%s: is not a sound tar: %s" % (self.path, error))
        return members

    def facts(self):
        """Lines KEY=VALUE: name, memory in bytes, vcpus, firmware, and every network."""
        facts = [("name", said(self.system, "Name") or " ".join((self.system.get("id") or "").split()))]
        for kind, key in ((MEMORY, "memory"), (PROCESSOR, "vcpus")):
            found = [item for item in self.items if said(item, "ResourceType") == kind]
            if found:
                count = whole(said(found[0], "VirtualQuantity"), key, self.path)
                units = said(found[0], "AllocationUnits")
                facts.append((key, count * (unit(units or "byte * 2^20", self.path) if kind == MEMORY else 1)))
        firmware = [each.get("value") for each in self.system.iter("Config") if each.get("key") == "firmware"]
        firmware += [each.get("type") for each in self.system.iter("Firmware")]
        if any((each or "").lower().startswith("efi") for each in firmware):
            facts.append(("firmware", "uefi"))
        facts += [("network", self.network(item)) for item in self.items if said(item, "ResourceType") == NETWORK]
        return facts

    def network(self, item):
        """A network card as ova-xml wants it: the label, and the address if the OVF says one that a card can have."""
        label = said(item, "Connection") or "network"
        address = re.match(r"^([0-9a-f][02468ace])((?:[:-]?[0-9a-f]{2}){5})$", said(item, "Address").lower())
        if address:
            digits = re.sub("[:-]", "", address.group(1) + address.group(2))
            if int(digits, 16):
                return "%s,mac=%s" % (label, ":".join(digits[at:at + 2] for at in range(0, 12, 2)))
        # What follows would be taken for an address.
        return label.replace(",mac=", ", mac=")

    def disks(self):
        """Ids of the disks in the order in which the machine sees them: by controller, then by place on it."""
        known = [disk.get("diskId") for section in self.root.iter("DiskSection") for disk in section.iter("Disk")]
        controllers = [said(item, "InstanceID") for item in self.items if said(item, "ResourceType") in CONTROLLERS]
        attached = []
        for position, item in enumerate(self.items):
            if said(item, "ResourceType") != DISK:
                continue
            name = said(item, "HostResource").split("/")[-1]
            if name not in known or "/disk/" not in said(item, "HostResource"):
                raise Refused(4, "%s: found the disk %s, which the OVF does not describe" % (self.path, quoted(name)))
            parent, place = said(item, "Parent"), said(item, "AddressOnParent")
            attached.append((controllers.index(parent) if parent in controllers else len(controllers),
                             int(place) if re.match(r"^[0-9]{1,9}$", place) else position, position, name))
        found = [name for _, _, _, name in sorted(attached)]
        if len(set(found)) != len(found):
            raise Refused(4, "%s: attaches one disk twice" % self.path)
        # What is attached to nothing is not lost.
        return found + [name for name in known if name not in found]

    def disk(self, number):
        """The bytes of a disk's image; or, of one that is still empty, its size."""
        name = self.disks()[number]
        disk = next(each for each in self.root.iter("Disk") if each.get("diskId") == name)
        if disk.get("parentRef"):
            raise Refused(4, "%s: its disk %s is the difference to another one" % (self.path, quoted(name)))
        if not disk.get("fileRef"):
            return whole(disk.get("capacity") or "", "a capacity", self.path) * unit(disk.get("capacityAllocationUnits") or "byte", self.path)
        file = next((each for each in self.root.iter("File") if each.get("id") == disk.get("fileRef")), None)
        href = file.get("href") or "" if file is not None else ""
        if file is not None and (file.get("compression") not in (None, "", "identity") or file.get("chunkSize")):
            raise Refused(4, "%s: its file %s is compressed or in chunks: unpack it, and export the disks: tar -xf %s"
                          % (self.path, quoted(href), shlex.quote(os.path.basename(self.path))))
        if self.members is None:
            return self.files.open(self.files.named(href, self.path))
        name = posixpath.normpath(posixpath.join(self.folder, href))
        if not href or name not in self.members:
            raise Refused(3, "%s: describes the file %s, which is not in it" % (self.path, quoted(href) or "without a name"))
        return self.members[name]

    def unlisted(self):
        """The files that it names and whose sums its manifest does not say, if it has one."""
        names = [posixpath.basename(self.name)] + [file.get("href") or "" for file in self.root.iter("File")]
        return [name for name in names if self.sums and not self.sums.has(name)]

    def sums_of(self, part):
        """The sums to compare of the disk in PART: its own, or those of all files that were opened for it."""
        if isinstance(part, int):
            return []
        if self.members is not None:
            name = next(name for name, member in self.members.items() if member is part)
            return self.sums.of(part, posixpath.relpath(name, self.folder or "."))
        folder = os.path.dirname(os.path.abspath(self.path))
        read = {os.path.abspath(each.path): each for each in self.files.parts if each.path not in (self.path, self.sums.path)}
        return sum((self.sums.of(each, os.path.relpath(path, folder)) for path, each in read.items()), [])
