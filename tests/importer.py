#!/usr/bin/env python3
"""Reads an XVA as strictly as xapi's importer does, and writes the disks that it finds.

usage: importer.py ARCHIVE OUTDIR PREFIX=BYTES...

The rules are those of the importer in xapi's stream_vdi.ml: disks in byte order of their prefixes, names that increase
as strings, gaps counted in units of the very first block, the header of a checksum member right after a block whose
length is a multiple of 512, and nothing but the end of the tar after the last disk.
"""
import hashlib
import os
import subprocess
import sys


def refuse(reason):
    sys.exit(f"the importer refuses it: {reason}")


def read(archive, length):
    data = archive.read(length)
    if len(data) != length:
        refuse("the archive ends too early")
    return data


def read_header(archive):
    header = read(archive, 512)
    if header == bytes(512):
        refuse("end of the archive before the last disk is complete")
    if int(header[148:155], 8) != sum(header[:148]) + 8 * 32 + sum(header[156:]):
        refuse("wrong header checksum")
    if header[156:] != bytes(356):
        refuse("not a V7 header of a plain file")
    return header[:100].rstrip(b"\0").decode(), int(header[124:135], 8)


def checksum(suffix, data):
    if suffix == ".checksum":
        return hashlib.sha1(data).hexdigest()
    if suffix == ".xxhash":
        printed = subprocess.run(["xxhsum", "-H64", "-"], input=data, capture_output=True, check=True).stdout
        return printed.split()[0].decode().upper()
    refuse(f"unsupported checksum {suffix}")


def main():
    archive, outdir = open(sys.argv[1], "rb"), sys.argv[2]
    os.makedirs(outdir, exist_ok=True)
    unit = None
    for prefix, size in sorted(argument.rsplit("=", 1) for argument in sys.argv[3:]):
        size, offset, last = int(size), 0, "-1"
        with open(f"{outdir}/{prefix}.raw", "wb") as disk:
            disk.truncate(size)
            while offset < size:
                name, length = read_header(archive)
                while name == "ova.xml":
                    read(archive, length + -length % 512)
                    name, length = read_header(archive)
                unit = length if unit is None else unit
                directory, number = name.split("/")
                if directory != prefix:
                    refuse(f"found {name}, expected a block of {prefix}")
                if len(number) != 8 or not number.isdigit() or number <= last:
                    refuse(f"block {number} after {last}")
                offset += unit * (int(number) - int(last) - 1)
                data = read(archive, length)
                if offset + length > size:
                    refuse(f"{name} ends past the disk")
                disk.seek(offset)
                disk.write(data)
                if length % 512:
                    refuse(f"{name} is not a multiple of 512 bytes long")
                checksum_name, text_length = read_header(archive)
                if not checksum_name.startswith(name):
                    refuse(f"found {checksum_name} after {name}")
                text = read(archive, text_length)
                if read(archive, -text_length % 512).strip(b"\0"):
                    refuse("padding that is not zero")
                if text.decode() != checksum(checksum_name[len(name):], data):
                    refuse(f"wrong checksum of {name}")
                offset, last = offset + length, number
    if archive.read() != bytes(1024):
        refuse("the last disk is not followed by the two zero records of a tar alone")


main()
