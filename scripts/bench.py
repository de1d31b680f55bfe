"""The measurements of scripts/bench, which installs what they need and calls this file.

Every figure is a ratio of two commands that are run in turn, A B A B: the median of the pairs, and the best A by the
best B. Inputs are in the page cache, unless the disk is too small to hold them there.
"""

import json
import os
import statistics
import struct
import subprocess
import sys
import time

import sparse_archive
import vhd_bytes

MIB = 1 << 20
GIB = 1 << 30
RUNS = int(os.environ.get("BENCH_RUNS", "7"))


def shell(command):
    subprocess.run(["bash", "-c", "set -eo pipefail; " + command], check=True, stdout=subprocess.DEVNULL)


def seconds(command):
    start = time.perf_counter()
    shell(command)
    return time.perf_counter() - start


def compare(what, ours, theirs, runs=RUNS):
    """Prints how long `ours` takes for each second of `theirs`; one pair more is run first, to warm up."""
    a, b = [], []
    for _ in range(runs + 1):
        a.append(seconds(ours))
        b.append(seconds(theirs))
    if runs > 1:
        a, b = a[1:], b[1:]
    ratio = statistics.median(x / y for x, y in zip(a, b))
    best = min(a) / min(b)
    print(f"| {what} | {statistics.median(a):.3f} s | {statistics.median(b):.3f} s | {ratio:.3f} | {best:.3f} |", flush=True)


def peak(what, command):
    """Prints the peak memory of one program."""
    done = subprocess.run(["/usr/bin/env", "time", "-f", "%M", "bash", "-c", "exec " + command],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    print(f"| {what} | {int(done.stderr.split()[-1]) / 1024:.1f} MiB | | | |", flush=True)


def table(title):
    print(f"\n### {title}\n\n| | ours | theirs | ratio (median of pairs) | ratio (best) |\n|---|---|---|---|---|", flush=True)


def made(name, make):
    """The path of an input, made once."""
    path = os.path.join(HERE, name)
    if not os.path.exists(path):
        print(f"making {name}", file=sys.stderr)
        make(path + ".part")
        os.rename(path + ".part", path)
    return path


def document(name, size, runs):
    text = json.dumps({"virtual_size": size, "cluster_bits": 20, "data_clusters": runs})
    return made(name, lambda path: open(path, "w").write(text))


def random_disk():
    return made("random.raw", lambda path: shell(f"head -c 1G /dev/urandom > {path}"))


def alternate_qcow2(path, size):
    """A QCOW2 of 64 KiB clusters of which every second one is allocated: tables only, the data is a hole."""
    cluster = 65536
    tables = size // cluster // 8192
    l1_clusters = -(-tables * 8 // cluster)
    first_table = cluster * (2 + l1_clusters)
    header = struct.pack(">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 0, 0, 16, size, 0, tables, 2 * cluster, cluster, 1, 0, 0,
                         0, 0, 0, 4, 104)
    data = first_table + tables * cluster
    with open(path, "wb") as file:
        file.write(header)
        file.seek(2 * cluster)
        file.write(b"".join(struct.pack(">Q", 1 << 63 | first_table + i * cluster) for i in range(tables)))
        file.seek(first_table)
        for _ in range(tables):
            entries = []
            for _ in range(4096):
                entries += [1 << 63 | data, 0]
                data += cluster
            file.write(struct.pack(">8192Q", *entries))
        file.truncate(data)


def alternate_vhd(path, size, parent=None):
    """A VHD of 2 MiB blocks of which every second one is allocated: tables only, the data is a hole."""
    blocks = -(-size // (2 * MIB))
    bat_bytes = -(-blocks * 4 // 512) * 512
    kind, uuid = (vhd_bytes.DIFFERENCING, bytes(15) + b"\2") if parent else (vhd_bytes.DYNAMIC, bytes(15) + b"\1")
    footer = vhd_bytes.footer(size, kind, uuid, creator=(b"tap\0", 0x10003))
    name, naming = b"", {}
    if parent:
        name = ("file://./" + os.path.basename(parent)).encode()
        naming = {"parent_id": bytes(15) + (b"\1" if "base" in parent else b"\2"),
                  "locator": vhd_bytes.mac_locator(512, len(name), 1536)}
    with open(path, "wb") as file:
        file.write(footer + vhd_bytes.header(2048, blocks, 2 * MIB, **naming) + name.ljust(512, b"\0"))
        sector = (2048 + bat_bytes) // 512
        bat = []
        for _ in range(blocks // 2):
            bat += [sector, 0xFFFFFFFF]
            sector += 4097
        bat += [0xFFFFFFFF] * (bat_bytes // 4 - len(bat))
        file.write(struct.pack(f">{len(bat)}I", *bat))
        file.truncate(sector * 512)
        file.seek(0, 2)
        file.write(footer)


def vhd_chain(size, depth):
    parent = None
    for layer in range(depth):
        name = f"chain-{layer}.vhd" if layer else "chain-base.vhd"
        parent = made(name, lambda path, below=parent: alternate_vhd(path, size, below))
    return parent


def bench_pack():
    raw = random_disk()
    runs = document("random.json", GIB, [[0, 1023]])
    pack = f"xva-pack {raw} < {runs}"
    sink = "| cat > /dev/null"
    table("1 GiB of random bytes, from the page cache into a pipe")
    compare("xva-pack (xxhash) : cat", f"{pack} {sink}", f"cat {raw} {sink}")
    compare("xva-pack --checksum sha1 : cat", f"{pack} --checksum sha1 {sink}", f"cat {raw} {sink}")
    compare("xva-pack : tar -c", f"{pack} {sink}", f"tar -c -f - -C {HERE} random.raw {sink}")
    compare("xva-pack \\| zstd -T0 : cat \\| zstd -T0", f"{pack} | zstd -q -T0 {sink}", f"cat {raw} | zstd -q -T0 {sink}", 3)
    folder = os.path.join(HERE, "unpacked")
    compare("xva-pack --checksum sha1 : xva-img disk-import", f"{pack} --checksum sha1 > {folder}.xva",
            f"mkdir {folder}; xva-img disk-import {folder} {raw}; rm -r {folder}", 3)
    os.remove(folder + ".xva")
    peak("memory of xva-pack", f"xva-pack {raw} < {runs}")


def bench_floor():
    raw = random_disk()
    runs = document("random.json", GIB, [[0, 1023]])
    qcow2 = made("random.qcow2", lambda p: shell(f"qemu-img convert -f raw -O qcow2 {raw} {p}"))
    floor = os.path.join(HERE, "floor")
    shell(f"cc -O2 -pthread -o {floor} scripts/bench-floor.c")
    sink = "| cat > /dev/null"
    table("1 GiB, against two threads that only copy it into the pipe (scripts/bench-floor.c)")
    compare("xva-pack", f"xva-pack {raw} < {runs} {sink}", f"{floor} {raw} {sink}")
    compare("xva-pack --jobs 1", f"xva-pack --jobs 1 {raw} < {runs} {sink}", f"{floor} {raw} {sink}")
    compare("xva-pack --map, from a QCOW2", f"qcow-headers --output map {qcow2} | xva-pack --map - {sink}",
            f"{floor} {qcow2} {sink}")


def bench_headers():
    table("Reading allocation tables, against qemu-img map --output=json")
    full = made("full-1t.qcow2", lambda p: shell(f"qemu-img create -q -f qcow2 -o preallocation=metadata {p} 1T"))
    half = made("half-1t.qcow2", lambda p: alternate_qcow2(p, 1 << 40))
    empty = made("empty-60t.qcow2", lambda p: shell(f"qemu-img create -q -f qcow2 {p} 60T"))
    vhd = made("chain-base.vhd", lambda p: alternate_vhd(p, 2040 * GIB))
    chain = vhd_chain(2040 * GIB, 30)
    for what, tool, form, image, runs in (
        ("1 TiB QCOW2, preallocated", "qcow-headers", "qcow2", full, 3),
        ("1 TiB QCOW2, every second cluster", "qcow-headers", "qcow2", half, 1),
        ("60 TiB QCOW2, empty", "qcow-headers", "qcow2", empty, RUNS),
        ("2040 GiB VHD, every second block", "vhd-headers", "vpc", vhd, RUNS),
    ):
        compare(what, f"{tool} {image}", f"qemu-img map --output=json -f {form} {image}", runs)
    for tool, image in (("qcow-headers", full), ("qcow-headers", half), ("qcow-headers", empty), ("vhd-headers", vhd)):
        peak(f"memory of {tool} {os.path.basename(image)}", f"{tool} {image}")
    peak("memory of vhd-headers, 30 layers of 2040 GiB", f"vhd-headers {chain}")
    small = made("small.vhd", lambda p: alternate_vhd(p, 64 * MIB))
    report = os.path.join(HERE, "start-up.json")
    shell(f"hyperfine -N -i --warmup 20 --runs 300 --export-json {report} true 'vhd-headers {small}'")
    with open(report) as file:
        nothing, ours = (result["median"] * 1000 for result in json.load(file)["results"])
    print(f"\nStart-up: `vhd-headers` of a 64 MiB disk {ours:.2f} ms, `true` {nothing:.2f} ms.")


def bench_scenarios():
    table("What is exported, by the allocation tables : by reading the whole disk (--scan)")
    empty = made("empty-5g.raw", lambda p: shell(f"truncate -s 5G {p}"))
    touched = made("touched-5g.raw", lambda p: shell(
        f"truncate -s 5G {p}; dd status=none if=/dev/urandom of={p} bs=1M count=2 seek=1000 conv=notrunc"))
    used = made("used-10g.raw", lambda p: shell(
        f"truncate -s 10G {p}; for i in 0 1 2 3; do dd status=none if=/dev/urandom of={p} bs=1M count=1024 "
        f"seek=$((i * 2048)) conv=notrunc; done"))
    images = {raw: made(os.path.basename(raw)[:-4] + ".qcow2", lambda p, raw=raw: shell(
        f"qemu-img convert -f raw -O qcow2 {raw} {p}")) for raw in (empty, touched, used)}

    def tables(*disks):
        return "; ".join(f"qcow-headers {images[raw]} | extents-merge | xva-pack {raw}" for raw in disks)

    def scan(*disks):
        return "; ".join(f"xva-pack --scan {raw}" for raw in disks)

    for what, disks in (("5 GiB empty", [empty]), ("5 GiB empty but for 2 MiB", [touched]),
                        ("5 GiB empty and 4 of 10 GiB used", [empty, used])):
        compare(what, f"{{ {tables(*disks)}; }} | cat > /dev/null", f"{{ {scan(*disks)}; }} | cat > /dev/null", 3)
        compare(what + ", into zstd -T0", f"{{ {tables(*disks)}; }} | zstd -q -T0 > /dev/null",
                f"{{ {scan(*disks)}; }} | zstd -q -T0 > /dev/null", 1)


def bench_map():
    raw = random_disk()
    runs = document("random.json", GIB, [[0, 1023]])
    qcow2 = made("random.qcow2", lambda p: shell(f"qemu-img convert -f raw -O qcow2 {raw} {p}"))
    vhd = made("random.vhd", lambda p: shell(f"qemu-img convert -f raw -O vpc -o subformat=dynamic,force_size=on {raw} {p}"))
    text = made("text.raw", lambda p: shell(f"head -c 1G <(seq 1 200000000) > {p}"))
    packed = made("text.qcow2", lambda p: shell(f"qemu-img convert -c -f raw -O qcow2 {text} {p}"))
    sink = "| cat > /dev/null"
    table("Straight from an image (1 GiB)")
    from_raw = f"xva-pack {raw} < {runs} {sink}"
    from_qcow2 = f"qcow-headers --output map {qcow2} | xva-pack --map - {sink}"
    compare("from a QCOW2 : from the raw disk", from_qcow2, from_raw)
    compare("from a VHD : from the raw disk", f"vhd-headers --output map {vhd} | xva-pack --map - {sink}", from_raw)
    out = os.path.join(HERE, "converted.raw")
    compare("from a QCOW2 : qemu-img convert -O raw, then xva-pack --scan", from_qcow2,
            f"qemu-img convert -O raw {qcow2} {out}; xva-pack --scan {out} {sink}; rm {out}", 3)
    compare("from a compressed QCOW2 : qemu-img convert -O raw alone",
            f"qcow-headers --output map {packed} | xva-pack --map - {sink}", f"qemu-img convert -O raw {packed} {out}; rm {out}", 3)


def bench_verify():
    raw = random_disk()
    runs = document("random.json", GIB, [[0, 1023]])
    archive = made("random.xva", lambda p: shell(f"xva-pack {raw} < {runs} > {p}"))
    table("Checking a 1 GiB archive in a pipe")
    for what, peer in (("xxhsum -H64", f"cat {archive} | xxhsum -H64"), ("cat", f"cat {archive} | cat > /dev/null")):
        compare(f"xva-unpack --verify : {what}", f"cat {archive} | xva-unpack --verify -q -", peer)


def bench_random():
    table("An archive read by its headers, each block a hole of the file")
    for blocks in (4096, 16384, 65536):
        archive = made(f"sparse-{blocks}.xva", lambda p, blocks=blocks: sparse_archive.write(p, blocks))
        compare(f"{blocks} blocks, xva-headers --output map : tar -tf", f"xva-headers --output map {archive}", f"tar -tf {archive}")
        compare(f"{blocks} blocks, xva-unpack --list : tar -tf", f"xva-unpack --list {archive}", f"tar -tf {archive}")
    peak("memory of xva-headers --output map, 65536 blocks", f"xva-headers --output map {archive}")
    peak("memory of xva-unpack --list, 65536 blocks", f"xva-unpack --list {archive}")
    raw = random_disk()
    runs = document("random.json", GIB, [[0, 1023]])
    ova = "ova-xml --name vm --memory 1G --vcpus 1 --firmware bios --disk Ref:000=1G"
    archive = made("machine.xva", lambda p: shell(f"xva-pack --ova <({ova}) --prefix Ref:000 --extents {runs} {raw} > {p}"))
    out = os.path.join(HERE, "restored")
    table("1 GiB of an archive as a QCOW2, checked")
    compare("restore-disk -O qcow2 : xva-unpack --disk, then qemu-img convert",
            f"XVA_BIN_DIR=$(dirname $(command -v xva-unpack)) scripts/restore-disk -f -O qcow2 -o {out}.qcow2 {archive}; rm {out}.qcow2",
            f"xva-unpack --disk Ref:000 -o {out}.raw {archive}; qemu-img convert -O qcow2 {out}.raw {out}.qcow2; rm {out}.raw {out}.qcow2", 3)
    compare("the same with --no-verify",
            f"XVA_BIN_DIR=$(dirname $(command -v xva-unpack)) scripts/restore-disk --no-verify -f -O qcow2 -o {out}.qcow2 {archive}; rm {out}.qcow2",
            f"xva-unpack --disk Ref:000 -o {out}.raw {archive}; qemu-img convert -O qcow2 {out}.raw {out}.qcow2; rm {out}.raw {out}.qcow2", 3)


def bench_merge():
    runs = made("runs.json", lambda p: open(p, "w").write(
        '{"virtual_size":%d,"cluster_bits":16,"data_clusters":[' % (1 << 40)
        + ",".join(f"[{i},{i}]" for i in range(0, 1 << 24, 2)) + "]}"))
    table("Uniting and rescaling 8 million runs")
    compare("extents-merge : jq -c .", f"extents-merge {runs}", f"jq -c . {runs}", 1)
    peak("memory of extents-merge", f"extents-merge {runs}")


def file_system():
    """A real file system: half a GiB of what lies in /usr/lib, in ext4."""
    def make(path):
        root = path + ".files"
        shell(f"mkdir {root}; tar -c -C /usr/lib . 2> /dev/null | head -c 420M | tar -x -C {root} 2> /dev/null || true; "
              f"truncate -s 512M {path}; mke2fs -q -t ext4 -d {root} {path}; rm -r {root}")
    return made("usr.raw", make)


def bench_zstd():
    raw = file_system()
    archive = made("usr.xva", lambda p: shell(f"xva-pack --scan --pad {raw} > {p}"))
    table("A file system of 512 MiB, compressed in frames, against zstd -T0")
    sizes = []
    for level in (1, 3, 9):
        ours, theirs = (os.path.join(HERE, f"{name}-{level}.zst") for name in ("frames", "one"))
        shell(f"xva-zstd -{level} {archive} > {ours}; zstd -q -T0 -{level} -c {archive} > {theirs}")
        compare(f"xva-zstd -{level} : zstd -T0 -{level}", f"xva-zstd -{level} {archive} | cat > /dev/null",
                f"zstd -q -T0 -{level} -c {archive} | cat > /dev/null", RUNS if level == 3 else 3)
        sizes.append(f"{level}: {os.path.getsize(ours) / os.path.getsize(theirs):.4f}")
    frames = os.path.join(HERE, "frames-3.zst")
    compare("xva-unpack --verify of frames : zstd -dc \\| xva-unpack --verify", f"xva-unpack --verify -q {frames}",
            f"zstd -dc {frames} | xva-unpack --verify -q -")
    peak("memory of xva-zstd", f"xva-zstd --jobs 2 {archive}")
    peak("memory of xva-unpack --verify", f"xva-unpack --verify -q {frames}")
    print("\nBytes in frames for each byte of zstd -T0, by level: " + ", ".join(sizes) + ".")


def bench_export():
    raw = file_system()
    qcow2 = made("usr.qcow2", lambda p: shell(f"qemu-img convert -f raw -O qcow2 {raw} {p}"))
    ours, theirs, out = (os.path.join(HERE, name) for name in ("export.zst", "pipeline.zst", "converted.raw"))
    pack = f"qcow-headers --output map {qcow2} | xva-pack --map -"
    table("From an image to a compressed archive that was read back")
    exported = f"{pack} | xva-zstd > {ours}; xva-unpack --verify -q {ours}"
    compare("the filters : the filters with zstd -T0", exported,
            f"{pack} | zstd -q -T0 > {theirs}; zstd -dc {theirs} | xva-unpack --verify -q -", 3)
    compare("the filters : qemu-img convert -O raw, then tar and zstd -T0", exported,
            f"qemu-img convert -O raw {qcow2} {out}; tar -c -C {HERE} converted.raw | zstd -q -T0 > {theirs}; zstd -qt {theirs}; rm {out}", 3)


HERE = sys.argv[1]
PARTS = {"floor": bench_floor, "pack": bench_pack, "headers": bench_headers, "scenarios": bench_scenarios, "map": bench_map,
         "verify": bench_verify, "random": bench_random, "merge": bench_merge,
         "zstd": bench_zstd, "export": bench_export}
os.makedirs(HERE, exist_ok=True)
for part in sys.argv[2:] or PARTS:
    if part not in PARTS:
        sys.exit(f"bench: {part}: expected {', '.join(PARTS)}")
    PARTS[part]()
