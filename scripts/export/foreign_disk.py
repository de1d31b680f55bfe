"""Called by export-xva: shows a disk that only qemu reads, as a node of qemu and the extents that hold its data.

usage: foreign_disk.py machine IMAGE                 what an OVF says, as lines KEY=VALUE, and disks=COUNT
       foreign_disk.py disk WORK FORMAT IMAGE NUMBER BACKING_FORMAT DIR...
                                                     makes WORK/node, WORK/extents and WORK/files; prints the size in bytes
                                                     and WORK/sums, if an OVF has a manifest
       foreign_disk.py unchanged WORK                ends with status 1 if a file has changed since

FORMAT is qemu's driver, or ova; NUMBER is that of the disk in an OVA. The table of formats stands in $FORMATS. With VERIFY=no
the manifest of an OVF is left alone.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile

from layers import Chain, Table, file_of
from named_files import Files, Refused, answer, check_unchanged, quoted
from ovf import Machine

# Enough for any of the above, and an end to what a hostile tar or OVF could ask for.
MOST_MEMORY = 4 << 30


def qemu_img(path, *arguments, output=subprocess.PIPE):
    """What qemu-img prints, unless that goes to OUTPUT. It must succeed; clusters that nobody uses are no damage."""
    done = subprocess.run(["qemu-img"] + list(arguments), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE)
    if done.returncode == 0 or arguments[0] == "check" and done.returncode == 3:
        return done.stdout
    lines = ((done.stderr or b"") + (done.stdout or b"")).decode("utf-8", "replace").strip().splitlines()
    said = (lines or ["status %d" % done.returncode])[0].split("qemu-img: ")[-1]
    if "json:{" in said:
        said = said.split("': ")[-1]
    raise Refused(3, "%s: qemu finds it damaged: %s" % (path, said) if arguments[0] == "check" else "%s: qemu cannot read it: %s" % (path, said))


def name(node):
    return "json:" + json.dumps(node)


def unreadable(node):
    """Why qemu cannot read it; nothing if it can."""
    done = subprocess.run(["qemu-img", "info", "-U", name(node)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return done.stderr if done.returncode else b""


def replayed(chain, node, work):
    """The same disk with the changes that stand in its log alone, which go into a file of their own."""
    image, overlay = node["file"], os.path.join(work, "replayed.qcow2")
    qemu_img(image["filename"], "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image["filename"], overlay)
    written = {"driver": "vhdx", "file": {"driver": "qcow2", "file": {"driver": "file", "filename": overlay}}}
    qemu_img(chain.files.opened[0][0], "check", "-r", "all", name(written))
    return dict(written, **{"read-only": True})


def disk(work, driver, image, number, backing_format, search):
    machine, table = None, Table(os.environ["FORMATS"])
    files = Files(work, image, search)
    part, chain = files.open(image), Chain(files, table, backing_format)
    if driver == "ova":
        machine = Machine(part, files, is_trusted())
        part = machine.disk(int(number))
        driver = "null-co" if isinstance(part, int) else table.driver_of(part)
    elif not table.is_one(part, driver):
        found = table.driver_of(part)
        raise Refused(3, "%s: is not a %s%s" % (image, driver.upper(), ": found a " + found.upper() if found else ""))
    if driver == "null-co":
        node = {"driver": driver, "size": part, "read-zeroes": True, "read-only": True}
    else:
        node = chain.node(part, driver)
    if chain.replays and b"log" in unreadable(node):
        if node["file"]["driver"] != "file":
            raise Refused(4, "%s: has a log that must be replayed: unpack it, and export that" % part.path)
        node = replayed(chain, node, work)
    elif driver in ("vmdk", "vdi", "vhdx", "qed", "parallels", "qcow2"):
        qemu_img(part.path, "check", "-U", name(node))
    path = part.path if not isinstance(part, int) else image
    # For this it opens no parent, and takes the option of one for a mistake.
    alone = dict(node, backing=None) if "backing" in node else node
    size = json.loads(qemu_img(path, "info", "--output=json", "-U", name(alone)).decode())["virtual-size"]
    if chain.size is not None and size != (chain.size + 511) // 512 * 512:
        raise Refused(4, "%s: qemu finds %d bytes, its header says %d" % (path, size, chain.size))
    with open(os.path.join(work, "extents"), "w+b") as extents:
        qemu_img(path, "map", "--output=json", "-U", name(node), output=extents)
        extents.seek(0)
        inside(extents, chain.places)
    # In the daemon the node wants a name, and the lock of a program that writes to the image is no obstacle.
    node["node-name"] = "disk"
    with open(os.path.join(work, "node"), "w", encoding="ascii") as out:
        json.dump(shared(node), out)
    files.record(os.path.join(work, "files"))
    if machine is not None and machine.sums is not None:
        with open(os.path.join(work, "sums"), "w", encoding="utf-8", errors="surrogateescape") as out:
            json.dump(machine.sums_of(part), out)
    print(size)


def inside(extents, places):
    """Refuses data behind the end of its file, which qemu would read as zeros. Each line of EXTENTS is an entry."""
    for line in extents:
        each = json.loads(line.strip(b"[], \n").decode() or "{}")
        part = file_of(places, each["depth"], each["start"]) if each.get("data") and "offset" in each else None
        if part is not None and each["offset"] + each["length"] > part.length:
            raise Refused(3, "%s: its data at byte %d ends at %d: found %d bytes"
                          % (part.path, each["offset"], each["offset"] + each["length"], part.length))


def shared(node):
    """NODE, opened beside whoever writes to the image."""
    return {key: shared(value) if isinstance(value, dict) else value for key, value in dict(node, **{"force-share": True}).items()}


def is_trusted():
    """Whether the user wants nothing verified."""
    return os.environ.get("VERIFY") == "no"


def main(task, *arguments):
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    if task == "machine":
        with tempfile.TemporaryDirectory() as work:
            files = Files(work, arguments[0], [])
            machine = Machine(files.open(arguments[0]), files, is_trusted())
            for key, value in machine.facts():
                print("%s=%s" % (key, value))
            print("disks=%d" % len(machine.disks()))
            for name in machine.unlisted():
                sys.stderr.write("export-xva: %s: has no checksum for %s\n" % (machine.sums.path, quoted(name)))
    elif task == "unchanged":
        check_unchanged(os.path.join(arguments[0], "files"))
    else:
        disk(*arguments[:5], search=list(arguments[5:]))


if __name__ == "__main__":
    answer(main, sys.argv[1:])
