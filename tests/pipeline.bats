#!/usr/bin/env bats
# The whole pipeline, from an image to an archive that other programs read back.

load common
load archive
load qcow2-images

# comes_back IMAGE FORMAT: the disk in IMAGE, through the extents and through the map, with both checksums.
comes_back() {
  local image=$1 headers=qcow-headers
  [ "$2" = qcow2 ] || headers=vhd-headers
  qemu-img convert -f "$2" -O raw "$image" disk.raw
  "$headers" "$image" | extents-merge | xva-pack --pad --checksum sha1 disk.raw >extents.xva
  "$headers" --output map "$image" | xva-pack --pad --checksum sha1 --map - >map.xva
  "$headers" "$image" | extents-merge | xva-pack --pad disk.raw >xxhash.xva
  for archive in extents.xva map.xva; do
    restore "$archive" Ref:0 restored.raw
    truncate -s "$(stat -c %s disk.raw)" restored.raw
    cmp restored.raw disk.raw
    checksums_agree "$archive"
  done
  checksums_agree xxhash.xva
  [ "$(members extents.xva)" = "$(members map.xva)" ]
}

@test "layout 1 in which xapi loses data: 2 MiB clusters and a disk of 5.5 MiB" {
  qemu-img create -q -f qcow2 -o cluster_size=2M d.qcow2 5632k
  change d.qcow2 'write -P 7 0 5632k'
  comes_back d.qcow2 qcow2
  [ "$(members extents.xva)" = "$(printf 'Ref:0/%08d ' 0 1 2 3 4 5)" ]
}

@test "layout 2 in which xapi loses data: extended L2 with an extent across a 1 MiB edge" {
  qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=128k d.qcow2 32M
  change d.qcow2 'write -P 7 10m 2k' 'write -P 8 22018k 8k'
  comes_back d.qcow2 qcow2
  [ "$(members extents.xva)" = "$(printf 'Ref:0/%08d ' 0 10 21 31)" ]
}

@test "layout 3 in which xapi loses data: a 64 KiB overlay on a backing file of 4 KiB clusters" {
  qemu-img create -q -f qcow2 -o cluster_size=4k base.qcow2 32M
  change base.qcow2 'write -P 7 10m 4k' 'write -P 8 22524k 8k'
  qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 d.qcow2
  change d.qcow2 'write -P 9 5m 64k'
  comes_back d.qcow2 qcow2
  [ "$(members extents.xva)" = "$(printf 'Ref:0/%08d ' 0 5 10 21 22 31)" ]
}

@test "VHDs made by qemu-img come back: dynamic and fixed, odd sizes" {
  for options in dynamic,10M dynamic,11010048 dynamic,3M fixed,4M; do
    qemu-img create -q -f vpc -o "subformat=${options%,*},force_size=on" d.vhd "${options#*,}"
    qemu-io -f vpc -c 'write -P 5 2094k 6k' -c 'write -P 6 512k 512' d.vhd >/dev/null
    comes_back d.vhd vpc
  done
}

@test "QCOW2s of every cluster size come back, compressed ones with the map too" {
  for cluster in 512 4k 64k 1M 2M; do
    qemu-img create -q -f qcow2 -o "cluster_size=$cluster" d.qcow2 9M
    change d.qcow2 'write -P 5 1000k 60k' 'write -z 1010k 20k' 'write -P 6 8M 512'
    comes_back d.qcow2 qcow2
    qemu-img convert -c -O qcow2 -o "cluster_size=$cluster" d.qcow2 c.qcow2
    comes_back c.qcow2 qcow2
  done
}

@test "a real file system in a compressed QCOW2 is the same as qemu-img convert makes it, zlib and zstd" {
  mkdir tree
  cp -r "$ROOT/xva-pack/src" "$ROOT/Cargo.lock" tree/
  truncate -s 24M fs.raw
  mke2fs -q -t ext4 -d tree fs.raw
  for type in zlib zstd; do
    qemu-img convert -c -O qcow2 -o "compression_type=$type" fs.raw fs.qcow2
    qcow-headers --output map fs.qcow2 | xva-pack --map - --checksum sha1 >fs.xva
    restore fs.xva Ref:0 restored.raw
    cmp restored.raw fs.raw
  done
}

@test "an overlay of small clusters hides parts of compressed clusters of a base with large ones" {
  head -c 8M <(seq 1 2000000) >text.raw
  qemu-img convert -c -O qcow2 -o cluster_size=2M text.raw base.qcow2
  for options in cluster_size=4k cluster_size=16k,extended_l2=on; do
    qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 -o "$options" d.qcow2
    change d.qcow2 'write -P 9 1000k 512' 'write -P 8 3001k 3k' 'write -z 6M 4k' 'write -P 7 8191k 1k'
    comes_back d.qcow2 qcow2
  done
}

@test "a 15 TiB QCOW2 with three blocks of data takes less than 64 MiB" {
  qemu-img create -q -f qcow2 -o cluster_size=2M d.qcow2 15T
  change d.qcow2 'write -P 1 1T 1M' 'write -P 2 7777777M 1M' 'write -P 3 15728639M 1M'
  truncate -s 15T d.raw
  for offset in 1048576 7777777 15728639; do
    qemu-io -f raw -c "write -P 4 ${offset}M 1M" d.raw >/dev/null
  done
  for program in qcow-headers extents-merge xva-pack; do
    printf '#!/bin/sh\nexec env time -f %%M -o "%s.peak" "%s" "$@"\n' "$PWD/$program" "$(command -v $program)" >"measured-$program"
    chmod +x "measured-$program"
  done
  ./measured-qcow-headers d.qcow2 | ./measured-extents-merge | ./measured-xva-pack d.raw >d.xva
  [ "$(members d.xva)" = "$(printf 'Ref:0/%08d ' 0 1048576 7777777 15728639)" ]
  for program in qcow-headers extents-merge xva-pack; do
    [ "$(tail -n 1 $program.peak)" -le 65536 ]
  done
}
