"""A map of vhd-headers, qcow-headers or xva-headers as a disk that can be read anywhere: for nbdkit-map."""

import array
import bisect
import functools
import json
import os
import stat
import zlib

try:
    import zstandard
except ImportError:  # needed for what is compressed with zstd alone, and said there
    zstandard = None

# The largest cluster of any format, in bytes: what a compressed entry may claim to hold.
MAX_CLUSTER = 2 << 20
# Bytes by which a compressed cluster may be larger than what it holds.
MAX_GROWTH = 64 << 10
# Compressed bytes that may lie past the end of a file: QCOW2 rounds their end up to a sector.
MAX_PAST_END = 511
# Decompressed clusters that are kept, since neighbouring reads ask for the same one.
CLUSTERS_KEPT = 16

# What a map says of the state of a file, by the names of os.stat: decimal numbers in strings.
STATE = ("st_size", "st_dev", "st_ino", "st_mtime_ns", "st_ctime_ns")

# Where an entry of the map has no data.
NOWHERE = -1

# What stands in the document for an entry that was taken: equal to nothing that JSON can say.
TAKEN = object()


class Refused(Exception):
    """The map cannot be served. `status` is that of the filters: 1 the system, 2 usage, 3 damage, 4 not answerable."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class File:
    """A file that the map names, open, and the state in which it must stay."""

    def __init__(self, name):
        self.name = name
        # Where the program stands now: nbdkit leaves its directory when it goes into the background.
        self.path = os.path.join(os.getcwd(), name)
        try:
            self.descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            found = os.fstat(self.descriptor)
        except OSError as error:
            relative = isinstance(error, FileNotFoundError) and not os.path.isabs(name)
            where = f" in {os.getcwd()}: start nbdkit in the directory that the map was made in" if relative else ""
            raise Refused(1, f"{name}: {error.strerror}{where}") from error
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISBLK(found.st_mode)):
            raise Refused(4, f"{name}: found no regular file and no block device, expected one")
        self.size = os.lseek(self.descriptor, 0, os.SEEK_END)
        self.state = self.state_of(found)

    def state_of(self, found):
        """What tells one state of a file from another, as a map says it: of a block device only the size tells anything."""
        if stat.S_ISBLK(found.st_mode):
            return {"device_size": str(os.lseek(self.descriptor, 0, os.SEEK_END))}
        return {key: str(getattr(found, key)) for key in STATE}

    def check_unchanged(self):
        """Fails once the file, or what its name leads to, is not what the map was made of."""
        for found in os.fstat(self.descriptor), os.stat(self.path):
            if self.state_of(found) != self.state:
                raise OSError(f"{self.name}: has changed since the map was made")

    def read_into(self, buffer, offset):
        """Fills `buffer` with the bytes at file offset `offset`."""
        done = 0
        while done < len(buffer):
            count = os.preadv(self.descriptor, [buffer[done:]], offset + done)
            if count == 0:
                raise OSError(f"{self.name}: found its end at byte {offset + done}, expected more")
            done += count


class MappedDisk:
    """A guest disk as ranges in ascending order. Held in flat arrays: a map may have millions of entries."""

    def __init__(self, text):
        self.starts = array.array("Q")
        self.files = array.array("i")
        self.offsets = array.array("Q")
        self.skips = array.array("I")
        # Entry number: (host length, cluster size, compression).
        self.compressed = {}
        self.opened = []
        self.numbers = {}
        self.size = 0
        try:
            entries = json.loads(text, object_pairs_hook=self.add)
        except UnicodeDecodeError as error:
            raise Refused(3, "not a map: found bytes that are no text, expected what --output map prints") from error
        except ValueError as error:
            raise Refused(3, f"not a whole map: {error}") from error
        except RecursionError as error:
            raise Refused(3, "not a map: found brackets in brackets, expected entries") from error
        # As many entries as were taken: none of them was inside another.
        if not isinstance(entries, list) or len(entries) != len(self.starts) or any(entry is not TAKEN for entry in entries):
            raise Refused(3, "not a map: expected an array of entries with \"start\" and \"length\", as --output map prints it")

    def add(self, pairs):
        """Takes an entry as soon as its bracket closes. Any other object is left to whoever holds it."""
        entry = dict(pairs)
        if len(entry) != len(pairs):
            raise Refused(3, "not a map: found a key twice in one entry")
        if "start" not in entry:
            return entry
        number = len(self.starts)
        start, length = whole(entry, "start", number), whole(entry, "length", number)
        if start != self.size or length == 0:
            raise Refused(3, f"entry {number}: found {length} bytes at {start}, expected some at {self.size}")
        self.size = start + length
        if self.size >= 1 << 63:
            raise Refused(3, f"entry {number}: found an end at {self.size}, expected one below 2^63")
        file, offset, skip = NOWHERE, 0, 0
        if not reads_as_zeros(entry):
            file, offset, skip = self.place(entry, number, length)
        for values, value in ((self.starts, start), (self.files, file), (self.offsets, offset), (self.skips, skip)):
            values.append(value)
        return TAKEN

    def place(self, entry, number, length):
        """Where the bytes of an entry with data are: the file's number, the file offset, and what to skip there."""
        name = entry.get("filename")
        if not isinstance(name, str) or "offset" not in entry:
            raise Refused(4, f"entry {number} has data, but does not say in which file: expected \"filename\" and \"offset\"")
        offset = whole(entry, "offset", number)
        file = self.open(name, stated(entry, number))
        if "compression" not in entry:
            if entry.get("compressed"):
                raise Refused(4, f"entry {number} is compressed, but does not say how: expected \"compression\"")
            if offset + length > self.opened[file].size:
                raise Refused(3, f"{name}: found data up to byte {offset + length}, expected its end at {self.opened[file].size}")
            return file, offset, 0
        kind = entry["compression"]
        host_length, size = whole(entry, "host_length", number), whole(entry, "cluster_size", number)
        skip = whole(entry, "skip", number)
        if not isinstance(kind, str) or kind not in DECOMPRESS:
            raise Refused(4, f"entry {number}: found compression {kind!r}, expected zlib or zstd")
        if kind == "zstd" and zstandard is None:
            raise Refused(1, "found clusters compressed with zstd, and no Python module that reads them: install python3-zstandard")
        if size > MAX_CLUSTER or skip + length > size:
            raise Refused(3, f"entry {number}: found {length} bytes at {skip} of a cluster of {size}, expected them inside it")
        if offset >= self.opened[file].size or offset + host_length > self.opened[file].size + MAX_PAST_END:
            raise Refused(3, f"{name}: found a cluster up to byte {offset + host_length}, expected its end at {self.opened[file].size}")
        self.compressed[number] = (host_length, size, kind)
        return file, offset, skip

    def open(self, name, state):
        """The number of the file; opened where it is named first, which is where the map says what state it must be in."""
        if name not in self.numbers:
            self.opened.append(File(name))
            self.numbers[name] = len(self.opened) - 1
        file = self.opened[self.numbers[name]]
        if state not in (None, file.state):
            raise Refused(1, f"{name}: has changed since the map was made: make a new one")
        return self.numbers[name]

    def ranges(self, offset, count):
        """(entry number, guest offset, length) of what lies in `count` bytes from guest offset `offset` on."""
        number = bisect.bisect_right(self.starts, offset) - 1
        end = offset + count
        while offset < end:
            last = self.starts[number + 1] if number + 1 < len(self.starts) else self.size
            yield number, offset, min(last, end) - offset
            offset, number = last, number + 1

    def data_bytes(self, offset=0, count=None):
        """How many of `count` bytes from guest offset `offset` on, or of all, lie in a file."""
        ranges = self.ranges(offset, self.size if count is None else count)
        return sum(length for number, _, length in ranges if self.files[number] != NOWHERE)

    def read_into(self, buffer, offset):
        """Fills `buffer` from guest offset `offset` on; fails if a file that it read has changed."""
        touched = set()
        at = 0
        for number, start, length in self.ranges(offset, len(buffer)):
            part, inside = buffer[at : at + length], start - self.starts[number]
            at += length
            if self.files[number] == NOWHERE:
                part[:] = bytes(length)
                continue
            touched.add(self.files[number])
            file = self.opened[self.files[number]]
            if number in self.compressed:
                shown = self.skips[number] + inside
                part[:] = cluster(file, self.offsets[number], *self.compressed[number])[shown : shown + length]
            else:
                file.read_into(part, self.offsets[number] + inside)
        for number in touched:
            self.opened[number].check_unchanged()


def stated(entry, number):
    """The state in which the map describes the file of an entry; None where it does not say so."""
    if "state" not in entry:
        return None
    state = entry["state"]
    known = {key: state[key] for key in (*STATE, "device_size") if key in state} if isinstance(state, dict) else {}
    if tuple(known) not in (STATE, ("device_size",)) or not all(isinstance(value, str) for value in known.values()):
        raise Refused(3, f"entry {number}: found the state {state!r}, expected {', '.join(STATE)}, or device_size")
    return known


def reads_as_zeros(entry):
    """As qemu-img means it: what is not said to read as zeros has unknown contents, and counts as data."""
    return entry.get("zero") is True


def whole(entry, key, number):
    """The value of `key`: a whole number that fits in 63 bits."""
    value = entry.get(key)
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise Refused(3, f"entry {number}: found {key} {value!r}, expected a number from 0 to 2^63 - 1")
    return value


def inflate(data, size):
    """Raw deflate, as QCOW2 stores it."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size)


def unzstd(data, size):
    """zstd, in one frame or several."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_CLUSTER)
    with decompressor.stream_reader(data, read_across_frames=True) as reader:
        return reader.read(size)


DECOMPRESS = {"zlib": inflate, "zstd": unzstd}


@functools.lru_cache(maxsize=CLUSTERS_KEPT)
def cluster(file, offset, host_length, size, kind):
    """The decompressed bytes, all `size` of them, of the cluster at file offset `offset`."""
    data = bytearray(min(host_length, file.size - offset, size + MAX_GROWTH))
    file.read_into(memoryview(data), offset)
    try:
        found = DECOMPRESS[kind](data, size)
    except Exception as error:
        raise OSError(f"{file.name}: the compressed cluster at byte {offset} is damaged: {error}") from error
    if len(found) != size:
        raise OSError(f"{file.name}: the compressed cluster at byte {offset} is too short: found {len(found)} bytes, expected {size}")
    return found
