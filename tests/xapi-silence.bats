#!/usr/bin/env bats
# What xapi exports after the wrappers' answers: never more than without one, and never less than the data.

load common
load loop-devices
load xapi-child
load qcow2-images

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  install_wrappers
}

# disk NAME SIZE MIB...: a sparse raw disk with data in these MiB.
disk() {
  local mib
  truncate -s "$2" "$1"
  for mib in "${@:3}"; do
    printf 'data' | dd of="$1" bs=1M seek="$mib" conv=notrunc status=none
  done
}

# dense FILE: without holes.
dense() {
  cp --sparse=never "$1" "$1.dense"
  mv "$1.dense" "$1"
}

# fixed NAME RAW
fixed() { qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on "$2" "$1"; }

@test "a fixed VHD: an answer by its holes, none where it has none or lies on a device" {
  disk d.raw 40M 10 21 31
  fixed d.vhd d.raw
  becomes answer vhd "$PWD/d.vhd" d.raw
  dense d.vhd
  becomes scan vhd "$PWD/d.vhd" d.raw
  [ ! -s answer ]
}

@test "a fixed VHD on a device: no answer" {
  need_loop_devices
  disk d.raw 40M 10 21 31
  fixed d.vhd d.raw
  # A device is as long as its sectors are.
  attach d.vhd
  becomes scan vhd "$device" d.raw
  [ ! -s answer ]
}

@test "a QCOW2 over a raw disk: an answer by its holes, none where it has none" {
  disk base.raw 32M 10 31
  qemu-img create -q -f qcow2 -F raw -b base.raw d.qcow2 40M
  change d.qcow2 'write -P 7 21M 64k'
  disk d.raw 40M 10 21 31
  becomes answer qcow2 "$PWD/d.qcow2" d.raw
  # What the QCOW2 has beyond its raw disk makes no whole answer of it either.
  dense base.raw
  becomes scan qcow2 "$PWD/d.qcow2" d.raw
  [ ! -s answer ]
}

@test "a QCOW2 or VHD over a raw device: no answer" {
  need_loop_devices
  mkdir -p drbd/by-res/xcp-volume-a
  disk base.raw 32M 10 31
  attach base.raw
  ln -s "$device" drbd/by-res/xcp-volume-a/0
  qemu-img create -q -f qcow2 -F raw -b "$PWD/drbd/by-res/xcp-volume-a/0" upper.qcow2 40M
  mkdir drbd/by-res/xcp-volume-b
  mv upper.qcow2 drbd/by-res/xcp-volume-b/0
  disk d.raw 40M 10 31
  becomes scan qcow2 "$PWD/drbd/by-res/xcp-volume-b/0" d.raw
  [ ! -s answer ]
  grep -q 'nothing tells' said
  mkdir drbd/by-res/xcp-volume-c
  truncate -s 40M base.raw
  losetup --set-capacity "$device"
  python3 "$ROOT/tests/vhd_child.py" drbd/by-res/xcp-volume-c/0 file://./../xcp-volume-a/0 base.raw
  becomes scan vhd "$PWD/drbd/by-res/xcp-volume-c/0" d.raw
  [ ! -s answer ]
}

@test "a differencing VHD over a fixed one: an answer by its holes, none where it has none" {
  disk d.raw 40M 10 31
  fixed base.vhd d.raw
  python3 - <<'P'
import vhd_bytes
size = 40 << 20
data = open("d.raw", "rb").read()
file = open("base.vhd", "r+b")
file.seek(size)
# The kind of a fixed disk is 2; the id is what the child finds.
file.write(vhd_bytes.footer(size, 2, b"a fixed parent 1"))
P
  tail -c 512 base.vhd >footer
  python3 "$ROOT/tests/vhd_child.py" d.vhd base.vhd footer
  becomes answer vhd "$PWD/d.vhd" d.raw
  dense base.vhd
  becomes scan vhd "$PWD/d.vhd" d.raw
}

@test "of a disk of 1 MiB or less nothing is said, or its only block would be written twice" {
  local size
  for size in 64K 512K 1M; do
    disk d.raw "$size" 0
    qemu-img convert -f raw -O qcow2 d.raw d.qcow2
    becomes scan qcow2 "$PWD/d.qcow2" d.raw
    [ ! -s answer ]
    qemu-img convert -f raw -O vpc -o subformat=dynamic,force_size=on d.raw d.vhd
    becomes scan vhd "$PWD/d.vhd" d.raw
    [ ! -s answer ]
    # Nor where no block is listed.
    disk empty.raw "$size"
    qemu-img create -q -f qcow2 empty.qcow2 "$size"
    becomes scan qcow2 "$PWD/empty.qcow2" empty.raw
    rm d.raw empty.raw
  done
  qemu-img map -f qcow2 --output=json d.qcow2 >answer
  disk d.raw 1M 0
  [ "$(python3 "$ROOT/tests/xapi_writes.py" qcow2 false 65536 d.raw <answer)" = "answer twice [0]" ]
}

@test "where the blocks are all of the disk, nothing is said" {
  truncate -s 8M d.raw
  qemu-img create -q -f qcow2 -o preallocation=full d.qcow2 8M
  becomes scan qcow2 "$PWD/d.qcow2" d.raw
  change d.qcow2 'write -P 7 1M 6M'
  qemu-img convert -f qcow2 -O raw d.qcow2 d.raw
  becomes scan qcow2 "$PWD/d.qcow2" d.raw
  [ ! -s answer ]
}

@test "what the tables narrow down is answered, whatever the format" {
  disk d.raw 4097M 0 700 701 2048 4096
  qemu-img convert -f raw -O qcow2 d.raw d.qcow2
  becomes answer qcow2 "$PWD/d.qcow2" d.raw
  qemu-img create -q -f vpc -o subformat=dynamic,force_size=on d.vhd 4097M
  python3 "$ROOT/tests/vhd_block.py" d.vhd 350 7
  qemu-img convert -f vpc -O raw d.vhd d.raw
  becomes answer vhd "$PWD/d.vhd" d.raw
}

@test "clusters of 2 MiB, which xapi cannot divide: none is left out" {
  qemu-img create -q -f qcow2 -o cluster_size=2M d.qcow2 41M
  change d.qcow2 'write -P 7 6M 2M' 'write -P 7 40M 1M'
  qemu-img convert -f qcow2 -O raw d.qcow2 d.raw
  becomes answer qcow2 "$PWD/d.qcow2" d.raw
}

# volume NAME FILE: a volume of LINSTOR over FILE: a link to a device in a directory of its own.
volume() {
  attach "$2" || return
  mkdir -p "drbd/by-res/xcp-volume-$1"
  ln -s "$device" "drbd/by-res/xcp-volume-$1/0"
}

# expected RAW: blocks 0 and 7 of the base, 3 and 4 of the middle, 9 of the top.
expected() {
  python3 - "$1" <<'P'
import sys
with open(sys.argv[1], "wb") as file:
    file.truncate(40 << 20)
    for block, byte in ((0, 1), (7, 1), (3, 2), (4, 2), (9, 3)):
        file.seek(block << 21)
        file.write(bytes([byte]) * (2 << 20))
P
}

@test "three volumes of LINSTOR: a chain of QCOW2" {
  need_loop_devices
  local by_res=$PWD/drbd/by-res
  qemu-img create -q -f qcow2 a.qcow2 40M
  change a.qcow2 'write -P 1 0 2M' 'write -P 1 14M 2M'
  qemu-img create -q -f qcow2 -F qcow2 -b a.qcow2 b.qcow2
  change b.qcow2 'write -P 2 6M 4M'
  qemu-img create -q -f qcow2 -F qcow2 -b b.qcow2 c.qcow2
  change c.qcow2 'write -P 3 18M 2M'
  qemu-img rebase -u -f qcow2 -F qcow2 -b "$by_res/xcp-volume-a/0" b.qcow2
  qemu-img rebase -u -f qcow2 -F qcow2 -b "$by_res/xcp-volume-b/0" c.qcow2
  truncate -s 50M a.qcow2 b.qcow2 c.qcow2
  volume a a.qcow2
  volume b b.qcow2
  volume c c.qcow2
  expected d.raw
  qemu-img compare -f raw -F qcow2 d.raw "$by_res/xcp-volume-c/0"
  becomes answer qcow2 "$by_res/xcp-volume-c/0" d.raw
}

@test "three volumes of LINSTOR: a chain of VHDs" {
  need_loop_devices
  local by_res=$PWD/drbd/by-res
  qemu-img create -q -f vpc -o subformat=dynamic,force_size=on a.vhd 40M
  python3 "$ROOT/tests/vhd_block.py" a.vhd 0 1
  python3 "$ROOT/tests/vhd_block.py" a.vhd 7 1
  python3 "$ROOT/tests/vhd_child.py" b.vhd file://./../xcp-volume-a/0 a.vhd
  python3 "$ROOT/tests/vhd_block.py" b.vhd 3 2
  python3 "$ROOT/tests/vhd_block.py" b.vhd 4 2
  python3 "$ROOT/tests/vhd_child.py" c.vhd "file://$by_res/xcp-volume-b/0" b.vhd
  python3 "$ROOT/tests/vhd_block.py" c.vhd 9 3
  volume a a.vhd
  volume b b.vhd
  volume c c.vhd
  expected d.raw
  becomes answer vhd "$by_res/xcp-volume-c/0" d.raw
}

@test "a damaged or missing image, and filters that are not there: nothing on stdout" {
  qemu-img create -q -f qcow2 d.qcow2 1G
  change d.qcow2 'write -P 7 0 64k' 'write -P 7 700M 64k'
  truncate -s 200k d.qcow2
  run -3 --separate-stderr child "$PREFIX/scripts/xapi/qemu-img" map "$PWD/d.qcow2" --output=json
  [ -z "$output" ]
  run -1 --separate-stderr child "$PREFIX/scripts/xapi/vhd-tool" read_headers "$PWD/missing.vhd"
  [ -z "$output" ]
  qemu-img create -q -f qcow2 d.qcow2 1G
  rm "$PREFIX/bin/qcow-headers"
  sed -i 's|^installed=.*|installed=/nowhere|' "$PREFIX/scripts/xapi/wrapper.bash"
  run -1 --separate-stderr child "$PREFIX/scripts/xapi/qemu-img" map "$PWD/d.qcow2" --output=json
  [ -z "$output" ]
  [[ $stderr == *"qcow-headers extents-merge not found"* ]]
  sed -i "s|^installed=.*|installed=$(dirname "$(type -P qcow-headers)")|" "$PREFIX/scripts/xapi/wrapper.bash"
  run -0 --separate-stderr child "$PREFIX/scripts/xapi/qemu-img" map "$PWD/d.qcow2" --output=json
  [ -n "$output" ]
}
