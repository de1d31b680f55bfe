#!/usr/bin/env bats
# vhd-headers as a program: its arguments, streams and exit statuses, and qemu-img as the oracle where qemu is right.

load common

# A dynamic image of 20 MiB whose blocks 1, 4 and 9 hold something.
dynamic() {
  qemu-img create -q -f vpc -o subformat=dynamic,force_size=on "$1" 20M
  qemu-io -f vpc -c 'write -P 7 3M 64k' -c 'write -P 8 8M 2M' -c 'write -P 9 20971008 512' "$1" > qemu-io.log
}

# A fixed image of 5 MiB with data in its third MiB.
fixed() {
  qemu-img create -q -f vpc -o subformat=fixed,force_size=on "$1" 5M
  qemu-io -f vpc -c 'write -P 7 2M 64k' "$1" > qemu-io.log
}

# child PARENT CHILD: a differencing image over the raw image PARENT, with 4 KiB of its own at 1 MiB.
child() {
  local size
  size=$(stat -c %s "$1")
  qemu-img create -q -f vpc -o subformat=dynamic,force_size=on "$2" "$size"
  qemu-io -f vpc -c 'write -P 5 1M 4k' "$2" > qemu-io.log
  python3 - "$1" "$2" <<'PY'
import struct, sys
from vhd_bytes import DIFFERENCING, FOOTER_CHECKSUM, HEADER_CHECKSUM, sealed_at
parent, child = sys.argv[1:]
image = bytearray(open(child, "rb").read())
for footer in (0, len(image) - 512):
    image[footer + 60:footer + 64] = struct.pack(">I", DIFFERENCING)
    image = sealed_at(image, footer, 512, FOOTER_CHECKSUM)
name = parent.encode("utf-16-be")
image[512 + 64:512 + 64 + len(name)] = name
image = sealed_at(image, 512, 1024, HEADER_CHECKSUM)
# qemu marks the whole block as written; what the guest wrote are 8 sectors, 2048 sectors into it
table, = struct.unpack(">Q", image[528:536])
bitmap = struct.unpack(">I", image[table:table + 4])[0] * 512
image[bitmap:bitmap + 512] = bytes(256) + b"\xff" + bytes(255)
open(child, "wb").write(image)
PY
}

# large NAME LAYER BLOCKS [STEP]: a disk of so many blocks of 4 KiB, every second one in the file, out of order, or with a
# STEP of 1 in the order of the disk. LAYER 0 is dynamic, others have the file LAYER-1 as their parent.
large() {
  python3 - "$@" <<'PY'
import array, sys
import vhd_bytes
name, layer, blocks, step = sys.argv[1], *map(int, (*sys.argv[2:], 7919)[:3])
size = blocks * 4096
def unique(layer):
    return bytes([layer + 1] * 16)
footer = vhd_bytes.footer(size, vhd_bytes.DIFFERENCING if layer else vhd_bytes.DYNAMIC, unique(layer))
parent = {"parent_id": unique(layer - 1), "parent_name": str(layer - 1)} if layer else {}
header = vhd_bytes.header(1536, blocks, 4096, **parent)
first, present = (1536 + blocks * 4 + 511) // 512, blocks // 2
table = array.array("I", [0xFFFFFFFF]) * blocks
table[::2] = array.array("I", [first + i * step % present * 9 for i in range(present)])
table.byteswap()
with open(name, "wb") as image:
    image.write(footer + header + table.tobytes())
    image.truncate((first + present * 9) * 512)
    image.seek(0, 2)
    image.write(footer)
PY
}

# follow MAP SIZE: the disk of SIZE bytes that the map describes, on stdout.
follow() {
  python3 - "$1" "$2" <<'PY'
import json, sys
disk = bytearray(int(sys.argv[2]))
end = 0
for entry in json.load(open(sys.argv[1])):
    assert entry["start"] == end, entry
    end += entry["length"]
    if entry["data"]:
        with open(entry["filename"], "rb") as file:
            file.seek(entry["offset"])
            disk[entry["start"]:end] = file.read(entry["length"])
assert end == len(disk), end
sys.stdout.buffer.write(disk)
PY
}

@test "help has examples and exit statuses, and version a number" {
  run -0 vhd-headers --help
  [[ "$output" == *Examples:* && "$output" == *"Exit status:"* && "$output" == *--search-path* ]]
  run -0 vhd-headers --version
  [[ "$output" =~ ^vhd-headers\ [0-9]+\.[0-9]+\.[0-9]+(\ \([^()]+\))?$ ]]
}

@test "wrong usage is status 2 and one line" {
  fails_with 2 vhd-headers
  fails_with 2 vhd-headers --no-such-option x
  fails_with 2 vhd-headers --output other x
  fails_with 2 vhd-headers a b
}

@test "a file that is not there is status 1, and so is a directory" {
  fails_with 1 vhd-headers missing.vhd
  [[ "$stderr" == "vhd-headers: missing.vhd: cannot open: "* ]]
  fails_with 1 vhd-headers .
}

@test "a dynamic disk gives the document of vhd-tool" {
  dynamic d.vhd
  run -0 vhd-headers d.vhd
  [ "$output" = '{"virtual_size":20971520,"cluster_bits":21,"data_clusters":[[1,1],[4,4],[9,9]]}' ]
  run -0 vhd-headers --output list d.vhd
  [ "$output" = '{"virtual_size":20971520,"cluster_bits":21,"data_clusters":[1,4,9]}' ]
}

@test "the sectors of a dynamic disk are the whole blocks that qemu marks" {
  dynamic d.vhd
  run -0 vhd-headers --sectors d.vhd
  [ "$output" = '{"virtual_size":20971520,"cluster_bits":9,"data_clusters":[[4096,8191],[16384,20479],[36864,40959]]}' ]
}

@test "a fixed disk is all data, and with --skip-holes only what its file holds" {
  fixed f.vhd
  run -0 vhd-headers f.vhd
  [ "$output" = '{"virtual_size":5242880,"cluster_bits":21,"data_clusters":[[0,2]]}' ]
  run -0 vhd-headers --sectors f.vhd
  [ "$output" = '{"virtual_size":5242880,"cluster_bits":9,"data_clusters":[[0,10239]]}' ]
  # Dug with fallocate: whether qemu left holes depends on its version.
  fallocate --dig-holes f.vhd
  run -0 vhd-headers --skip-holes f.vhd
  [ "$output" = '{"virtual_size":5242880,"cluster_bits":12,"data_clusters":[[512,527]]}' ]
}

@test "data that qemu-img map sees is covered, and nothing but its blocks" {
  dynamic d.vhd
  qemu-img map --output=json -f vpc d.vhd > qemu.json
  vhd-headers d.vhd > ours.json
  python3 - <<'PY'
import json
ours = json.load(open("ours.json"))
data = {c for a, b in ours["data_clusters"] for c in range(a, b + 1)}
theirs = set()
for entry in json.load(open("qemu.json")):
    if entry["data"]:
        theirs.update(range(entry["start"] >> 21, (entry["start"] + entry["length"] - 1 >> 21) + 1))
assert data == theirs, (data, theirs)
PY
}

@test "a map leads to the bytes that qemu-img convert reads" {
  dynamic d.vhd
  fixed f.vhd
  for image in d.vhd f.vhd; do
    qemu-img convert -f vpc -O raw "$image" truth.raw
    vhd-headers --output map "$image" > map.json
    follow map.json "$(stat -c %s truth.raw)" | cmp - truth.raw
    vhd-headers --output map --skip-holes "$image" > map.json
    follow map.json "$(stat -c %s truth.raw)" | cmp - truth.raw
  done
}

@test "a raw parent shows through the sectors that its child did not write" {
  head -c 3M /dev/urandom > base.raw
  child base.raw top.vhd
  cp base.raw truth.raw
  printf '\5%.0s' {1..4096} | dd of=truth.raw bs=1M seek=1 conv=notrunc status=none
  for options in '' --skip-holes; do
    vhd-headers --output map $options top.vhd > map.json
    follow map.json 3145728 | cmp - truth.raw
  done
  run -0 vhd-headers --sectors --no-parents top.vhd
  [ "$output" = '{"virtual_size":3145728,"cluster_bits":9,"data_clusters":[[2048,2055]]}' ]
}

@test "a hole in a block does not hide what the parent has there" {
  head -c 3M /dev/urandom > base.raw
  child base.raw top.vhd
  fallocate --dig-holes top.vhd
  run -0 vhd-headers --skip-holes top.vhd
  [ "$output" = '{"virtual_size":3145728,"cluster_bits":12,"data_clusters":[[0,767]]}' ]
}

@test "a parent elsewhere needs a search path" {
  mkdir images store
  head -c 3M /dev/urandom > store/base.raw
  cp store/base.raw images/
  cd images
  child base.raw top.vhd
  rm base.raw
  fails_with 1 vhd-headers top.vhd
  [[ "$stderr" == *"parent base.raw not found in $PWD" ]]
  vhd-headers --search-path ../store top.vhd
  ln -s ../store/base.raw base.raw
  vhd-headers top.vhd
}

@test "a pipe or a device as a parent is refused without waiting" {
  head -c 3M /dev/zero > base.raw
  child base.raw top.vhd
  rm base.raw
  mkfifo base.raw
  fails_with 4 timeout 5 vhd-headers top.vhd
  rm base.raw
  ln -s /dev/zero base.raw
  fails_with 4 timeout 5 vhd-headers top.vhd
}

@test "standard input is read where it can seek" {
  dynamic d.vhd
  vhd-headers d.vhd > named.json
  vhd-headers - < d.vhd | cmp - named.json
  fails_with 2 bash -c 'cat d.vhd | vhd-headers -'
  fails_with 2 bash -c 'vhd-headers --output map - < d.vhd'
  # Whoever read a part of it did not mean the whole file.
  fails_with 2 bash -c '{ dd bs=512 count=1 status=none of=/dev/null; vhd-headers -; } < d.vhd'
  [[ "$stderr" == *"is at byte 512: expected it at its beginning" ]]
}

@test "a file name that is not UTF-8 cannot be said in a map" {
  dynamic $'d\xff.vhd'
  vhd-headers $'d\xff.vhd'
  fails_with 4 vhd-headers --output map $'d\xff.vhd'
}

@test "a closed pipe ends it quietly, a closed or full output with an error" {
  # More runs than a pipe holds.
  large big.vhd 0 200000
  run --separate-stderr bash -c 'vhd-headers big.vhd | head -c 10 > /dev/null; exit "${PIPESTATUS[0]}"'
  [ "$status" -eq 141 ]
  [ -z "$stderr" ]
  fails_with 1 bash -c 'vhd-headers big.vhd >&-'
  fails_with 1 bash -c 'vhd-headers big.vhd > /dev/full'
}

@test "the same image gives the same bytes" {
  dynamic d.vhd
  for options in '' --sectors '--output map'; do
    vhd-headers $options d.vhd | sha1sum > first
    vhd-headers $options d.vhd | sha1sum | cmp - first
  done
}

@test "a cut image gives no complete document" {
  dynamic d.vhd
  for length in 0 100 511 512 1000 1536 3000 2099000 4000000; do
    head -c "$length" d.vhd > cut.vhd
    fails_with 3 vhd-headers cut.vhd
    [ "$output" = '{"exit_status":3' ]
  done
}

@test "verbose names the footer that was used" {
  dynamic d.vhd
  run --separate-stderr -0 vhd-headers -v d.vhd
  [[ "$stderr" == "vhd-headers: d.vhd: the footer at byte "*" is used" ]]
  dd if=/dev/zero of=d.vhd bs=512 count=1 conv=notrunc status=none
  run --separate-stderr -0 vhd-headers -v d.vhd
  [[ "${stderr_lines[1]}" == "vhd-headers: d.vhd: the copy of the footer at byte 0 is missing" ]]
}

@test "memory stays below 16 MiB for a chain of disks of 2^20 blocks" {
  for layer in 0 1 2 3 4 5; do
    large "$layer" "$layer" $((1 << 20))
  done
  # Their BATs alone are 24 MiB. The limit is on addresses, not on what is resident.
  run --separate-stderr bash -c '(ulimit -v 16384; exec vhd-headers 5) | sha1sum'
  [ -z "$stderr" ]
  [ "$output" = "$(vhd-headers --no-parents 5 | sha1sum)" ]
}

@test "four million blocks are sorted to find an overlap, and more are answered in the order of the file only" {
  large most.vhd 0 $((2 << 22))
  [[ "$(vhd-headers most.vhd | tail -c 21)" == ',[8388606,8388606]]}' ]]
  large more.vhd 0 $(((2 << 22) + 2))
  fails_with 4 vhd-headers more.vhd
  [[ "$stderr" == *": found 4194305 blocks out of order, expected at most 4194304" ]]
  large ordered.vhd 0 $(((2 << 22) + 2)) 1
  [[ "$(vhd-headers ordered.vhd | tail -c 21)" == ',[8388608,8388608]]}' ]]
}
