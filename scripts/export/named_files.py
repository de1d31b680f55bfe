"""Which files may be opened for an image: the image, and what it names in its own directory or below a --search-path.

A name in an image is joined to the directory of the image that says it, and normalised by its text alone. qemu is shown
every file through a link of our own naming, so that no name out of an image reaches it.
"""

import json
import os
import stat
import sys


class Refused(Exception):
    """Why there is no answer, with the exit status: 1 system, 2 usage, 3 damaged, 4 sound but not answerable."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status


class Part:
    """LENGTH bytes at OFFSET of an open file: all of it, or a member of a tar."""

    def __init__(self, path, descriptor, offset, length, link):
        self.path, self.descriptor, self.offset, self.length, self.link = path, descriptor, offset, length, link

    def bytes(self, offset, count):
        """At most COUNT bytes at OFFSET, which may lie behind the end; a negative OFFSET counts from the end."""
        offset = max(0, self.length + offset) if offset < 0 else offset
        found = b""
        while len(found) < min(count, self.length - offset):
            more = os.pread(self.descriptor, min(count, self.length - offset) - len(found), self.offset + offset + len(found))
            if not more:
                break
            found += more
        return found

    def within(self, offset, length, path):
        """The part of this one that is a file of its own, called PATH in messages."""
        return Part(path, self.descriptor, self.offset + offset, length, self.link)

    def node(self):
        """The block node of qemu that reads these bytes and no others."""
        file = {"driver": "file", "filename": self.link, "read-only": True}
        if self.offset == 0 and self.length == os.fstat(self.descriptor).st_size:
            return file
        return {"driver": "raw", "offset": self.offset, "size": self.length, "read-only": True, "file": file}


class Files:
    """The files of one image, and how each was when it was opened. WORK is a directory for links."""

    def __init__(self, work, image, search):
        self.work = work
        self.search = [os.path.abspath(os.path.dirname(image))] + [os.path.abspath(each) for each in search]
        self.opened, self.parts = [], []

    def open(self, path):
        """PATH as a user gave it, or as `named` allowed it: a regular file."""
        try:
            # Nothing waits for the other end of a pipe.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            raise Refused(1, "%s: %s" % (path, error.strerror))
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise Refused(4, "%s: is not a regular file" % path)
        link = os.path.join(self.work, "file%d" % len(self.opened))
        os.symlink(os.path.abspath(path), link)
        self.opened.append((os.path.abspath(path), state(status)))
        self.parts.append(Part(path, descriptor, 0, status.st_size, link))
        return self.parts[-1]

    def named(self, name, by):
        """The file that the image at path BY calls NAME."""
        if not name or "\0" in name:
            raise Refused(3, "%s: names a file without a name" % by)
        if name.startswith("json:") or (":" in name.split("/")[0] and not os.path.exists(os.path.join(os.path.dirname(by), name))):
            raise Refused(4, "%s: names %s, which is no file here: expected the name of a file" % (by, quoted(name)))
        path = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(by)), name))
        if not self.allowed(path):
            beside = [os.path.join(folder, os.path.basename(path)) for folder in self.search]
            found = sorted({each for each in beside if os.path.isfile(each)})
            if os.path.isabs(name) and not os.path.exists(path) and len(found) == 1:
                # Moved together with the image; that it is the right one, its caller can tell.
                return found[0]
            if os.path.exists(path):
                raise Refused(4, "%s: names %s, which is outside of its directory: if it may be read, say --search-path %s"
                              % (by, quoted(path), quoted(os.path.dirname(path))))
            raise Refused(1, "%s: names %s: there is no such file" % (by, quoted(path)))
        if not os.path.exists(path):
            raise Refused(1, "%s: names %s: there is no such file" % (by, quoted(path)))
        return path

    def allowed(self, path):
        return any(path.startswith(folder.rstrip("/") + "/") for folder in self.search)

    def record(self, path):
        """Writes to PATH what `changed` compares."""
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as out:
            json.dump(self.opened, out)


def state(status):
    return [status.st_size, status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]


def check_unchanged(record):
    """Refuses where a file is no longer what it was when RECORD was written."""
    path = changed(record)
    if path is not None:
        raise Refused(1, "%s: changed while it was read; try again" % path)


def answer(main, arguments):
    """Calls MAIN with ARGUMENTS; ends the program with a sentence and the status where there is no answer."""
    try:
        main(*arguments)
    except Refused as refused:
        sys.stderr.write("export-xva: %s\n" % str(refused).encode("utf-8", "replace").decode())
        sys.exit(refused.status)
    except MemoryError:
        sys.stderr.write("export-xva: %s: wants too much memory\n" % arguments[-1])
        sys.exit(4)
    except OSError as error:
        sys.stderr.write("export-xva: %s\n" % error)
        sys.exit(1)


def changed(record):
    """The path of a file that is no longer what it was when RECORD was written, or None."""
    with open(record, encoding="utf-8", errors="surrogateescape") as lines:
        for path, before in json.load(lines):
            try:
                if state(os.stat(path)) != before:
                    return path
            except OSError:
                return path
    return None


def quoted(name):
    """A name out of an image, on one line."""
    return "".join(each if each.isprintable() else "?" for each in name[:500])
