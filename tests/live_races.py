"""Races of a writer against a map: usage: live_races.py rename|in-place RUNS

In every run qcow-headers prints the map of an image and xva-pack follows it, while at some moment another image takes the
name of the first, or a guest's discard and its write into the cluster that became free reach the image. A run that ends with
status 0 must have the bytes of one state of the image; any other must end with status 1. Says on one line how many runs
ended how.
"""
import collections
import io
import os
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import threading
import time

MIB = 1 << 20
SIZE = 4 * MIB
# What the guest discards, and what it writes then.
OLD, NEW, LENGTH = 3 * MIB, 2560 << 10, 8 << 10
CLUSTER = 4096


def qemu(*commands, image):
    arguments = [argument for command in commands for argument in ("-c", command)]
    subprocess.run(["qemu-io", "-f", "qcow2", *arguments, image], check=True, stdout=subprocess.DEVNULL)


def entry(image, guest):
    """Where the L2 entry of a guest offset is."""
    l1, = struct.unpack(">Q", os.pread(image, 8, 40))
    table, = struct.unpack(">Q", os.pread(image, 8, l1 + 8 * (guest // CLUSTER // 512)))
    return (table & 0xFFFFFFFFFFFE00) + 8 * (guest // CLUSTER % 512)


def in_place():
    """As QEMU does it, in three writes: every one of them leaves an image that is sound."""
    image = os.open("leaf", os.O_RDWR)
    count = LENGTH // CLUSTER
    old, new = entry(image, OLD), entry(image, NEW)
    entries = os.pread(image, 8 * count, old)
    os.pwrite(image, bytes(8 * count), old)
    for word, in struct.iter_unpack(">Q", entries):
        os.pwrite(image, bytes([77]) * CLUSTER, word & 0xFFFFFFFFFFFE00)
    os.pwrite(image, entries, new)
    os.close(image)


def rename():
    os.rename("new", "leaf")


def raw(image):
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, "raw"], check=True)
    with open("raw", "rb") as file:
        return file.read()


def disk(archive):
    """The disk in an archive; what has no block is zeros."""
    content = bytearray(SIZE)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            number = member.name.removeprefix("Ref:0/")
            if number.isdigit():
                content[int(number) * MIB:int(number) * MIB + member.size] = tar.extractfile(member).read()
    return bytes(content)


def run(change, before, between):
    """Makes the change, if there is one, after `before` seconds; the stages begin `between` seconds after one another."""
    writer = threading.Thread(target=lambda: (time.sleep(before), change()))
    writer.start()
    headers = subprocess.Popen(["qcow-headers", "--output", "map", "leaf"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    time.sleep(between)
    packed = subprocess.run(["xva-pack", "--map", "-"], stdin=headers.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    writer.join()
    return max(headers.wait(), packed.returncode), packed.stdout


def main(kind, runs):
    change = {"rename": rename, "in-place": in_place}[kind]
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"cluster_size={CLUSTER}", "first", str(SIZE)], check=True)
    # The L2 tables of all that is to be written are there from the beginning.
    qemu("write -P 5 0 64k", f"write -P 8 {OLD} {LENGTH}", image="first")
    shutil.copy("first", "leaf")
    states = {raw("leaf"): "before"}
    if kind == "rename":
        # Other bytes, in other places.
        shutil.copy("first", "middle")
        qemu(f"write -P 78 {NEW} {LENGTH}", "write -P 9 1M 1M", f"write -P 6 {OLD} 4k", image="middle")
        subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", "middle", "second"], check=True)
        states[raw("second")] = "after"
    else:
        without = bytearray(raw("leaf"))
        without[OLD:OLD + LENGTH] = bytes(LENGTH)
        states[bytes(without)] = "between"
        in_place()
        states[raw("leaf")] = "after"
    random.seed(7)
    began = time.monotonic()
    run(lambda: None, 0, 0)
    took = time.monotonic() - began
    ended = collections.Counter()
    for _ in range(runs):
        shutil.copy("first", "leaf")
        if kind == "rename":
            shutil.copy("second", "new")
        # An image that was at rest for a while, as most are.
        time.sleep(0.03)
        status, archive = run(change, random.uniform(0, 1.2 * took), random.choice([0, random.uniform(0, took)]))
        ended[states.get(disk(archive), "WRONG") if status == 0 else f"status {status}"] += 1
    print(", ".join(f"{how}: {count}" for how, count in sorted(ended.items())))


main(sys.argv[1], int(sys.argv[2]))
