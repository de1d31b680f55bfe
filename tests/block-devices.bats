#!/usr/bin/env bats
# Images, disks, documents and archives on block devices: what LVM hands out. Loop devices stand for them.

load common
load loop-devices
load archive

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  need_loop_devices
}

# disk FILE SIZE: a raw disk with something in its second MiB, in the last byte, and nowhere else.
disk() {
  truncate -s "$2" "$1"
  printf 'second block' | dd of="$1" bs=1M seek=1 conv=notrunc status=none
  printf x | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") - 1)) conv=notrunc status=none
}

# vhd NAME RAW: a dynamic VHD with the content of RAW.
vhd() { qemu-img convert -f raw -O vpc -o subformat=dynamic,force_size=on "$2" "$1"; }

# qcow2 NAME RAW
qcow2() { qemu-img convert -f raw -O qcow2 "$2" "$1"; }

# crc FILE
crc() { python3 -c 'import sys, zlib; print("%08x" % zlib.crc32(open(sys.argv[1], "rb").read()))' "$1"; }

@test "an image on a device is the image in a file, also read-only, of 4 KiB sectors, and on standard input" {
  disk d.raw 5M
  for format in vhd qcow2; do
    tool=${format/qcow2/qcow}-headers
    $format i.$format d.raw
    # A logical volume is longer than the image in it; past its end may be what another left there.
    cp i.$format longer.$format
    [[ $($tool i.$format) == *']}' ]]
    head -c 1M /dev/urandom >>longer.$format
    truncate -s %1M longer.$format
    for how in "i.$format" "i.$format --read-only" "longer.$format" "longer.$format --sector-size 4096"; do
      # shellcheck disable=SC2086
      attach $how
      for mode in '' '--output list'; do
        # shellcheck disable=SC2086
        $tool $mode "$device" | cmp - <($tool $mode i.$format)
      done
      # A device has no holes.
      $tool --skip-holes "$device" | extents-merge | cmp - <($tool i.$format | extents-merge)
      unbound() { sed 's/, "state": {[^}]*}//'; }
      $tool --output map "$device" | unbound | cmp - <($tool --output map i.$format | unbound | sed "s,$PWD/i.$format,$device,; s,\"i.$format\",\"$device\",")
      $tool --output map "$device" | jq -e --arg size "$(blockdev --getsize64 "$device")" '[.[] | select(.state)] | length == 1 and .[0].state == {device_size: $size}'
      $tool - <"$device" | cmp - <($tool i.$format)
    done
  done
  attach longer.vhd
  vhd-headers --sectors "$device" | cmp - <(vhd-headers --sectors i.vhd)
}

@test "a fixed VHD is found on a device of its length, and never guessed on a longer one" {
  qemu-img create -q -f vpc -o subformat=fixed,force_size=on f.vhd 4M
  attach f.vhd
  vhd-headers "$device" | cmp - <(vhd-headers f.vhd)
  vhd-headers --skip-holes "$device" | extents-merge | cmp - <(vhd-headers f.vhd | extents-merge)
  truncate -s +1M f.vhd
  attach f.vhd
  fails_with 3 vhd-headers "$device"
}

@test "a chain in a folder of links to devices is followed when the folder is a search path, and only then" {
  disk d.raw 5M
  mkdir vg
  for format in vhd qcow2; do
    tool=${format/qcow2/qcow}-headers
    $format base.$format d.raw
    truncate -s 4M base.$format
    attach base.$format --read-only
    ln -s "$device" vg/base-$format
  done
  # XenServer's names of parents have no directory; its raw parents have no format.
  attach d.raw
  ln -s "$device" vg/base-raw
  python3 "$ROOT/tests/vhd_child.py" leaf.vhd base-vhd base.vhd
  python3 "$ROOT/tests/vhd_child.py" over-raw.vhd base-raw d.raw
  qemu-img create -q -f qcow2 -u -F qcow2 -b base-qcow2 leaf.qcow2 5M
  qemu-img create -q -f qcow2 -u -F raw -b base-raw over-raw.qcow2 5M
  for leaf in leaf.vhd over-raw.vhd leaf.qcow2 over-raw.qcow2; do
    tool=vhd-headers
    [[ $leaf == *.vhd ]] || tool=qcow-headers
    truncate -s 4M $leaf
    attach $leaf
    ln -s "$device" vg/$leaf
    fails_with 4 $tool vg/$leaf
    [[ $stderr == *"is a block device: --search-path $PWD/vg would allow it" ]]
    $tool --search-path vg --output map vg/$leaf >map
    xva-pack --map map | cmp - <(xva-pack --scan d.raw)
    # Leaving the parent out leaves nothing.
    [[ $($tool --no-"$([[ $tool == vhd* ]] && echo parents || echo backing)" vg/$leaf) == *'"data_clusters":[]}' ]]
  done
  # By the name of its node a VHD finds its parent under the search path; a QCOW2 has nothing that tells a wrong one.
  vhd-headers --search-path vg "$(readlink vg/leaf.vhd)" | cmp - <(vhd-headers base.vhd)
}

@test "a disk on a device gives the archive of its file, whatever its sectors, in every way of reading it" {
  disk d.raw 5M
  xva-pack --scan d.raw >expected
  qemu-img map --output=json -f raw d.raw >extents
  for options in '' '--read-only' '--sector-size 4096'; do
    # shellcheck disable=SC2086
    attach d.raw $options
    xva-pack --scan "$device" | cmp - expected
    xva-pack --scan --skip-holes "$device" | cmp - expected
    xva-pack --scan - <"$device" | cmp - expected
    xva-pack --scan --drop-cache --jobs 3 "$device" | cmp - expected
    xva-pack --extents extents "$device" | cmp - expected
    xva-pack - --extents extents <"$device" | cmp - expected
    jq --arg name "$device" '.[].filename = $name' extents | xva-pack --map - | cmp - expected
    { head -c 1M >first; xva-pack --scan - | cmp - <(tail -c 4M d.raw | xva-pack --scan -); } <"$device"
  done
  xva-pack --scan --report report "$device" | cmp - expected
  [ "$(jq -r .disk.crc32 report)" = "$(crc d.raw)" ]
}

@test "a device of odd size is packed to its last sector" {
  disk d.raw $((3 * 512 + 2 * 1048576))
  attach d.raw
  xva-pack --scan "$device" | cmp - <(xva-pack --scan d.raw)
}

@test "a device shorter or longer than the disk of the document or map is another disk" {
  disk d.raw 5M
  qemu-img map --output=json -f raw d.raw >extents
  for size in 4M 6M; do
    disk other-$size $size
    attach other-$size
    for fallback in '' --fallback-scan; do
      # shellcheck disable=SC2086
      fails_with 3 xva-pack $fallback --extents extents "$device"
      [[ $stderr == *"found virtual_size 5242880, expected $(stat -c %s other-$size) as the size of $device" ]]
      [ -z "$output" ]
    done
  done
  disk short 4M
  attach short
  jq --arg name "$device" '.[].filename = $name' extents >map
  fails_with 3 xva-pack --map map
  [[ $stderr == *"$device"* ]]
}

@test "a device that fails to read is a system error without an end-of-tar" {
  disk d.raw 8M
  attach d.raw
  truncate -s 1M d.raw
  run --separate-stderr bash -c 'xva-pack --scan "$0" >archive' "$device"
  [ "$status" -eq 1 ]
  [[ $stderr == "xva-pack: $device: cannot read "*"nput/output error"* ]]
  has_no_end archive
  head -c 8M /dev/urandom >image
  qcow2 i.qcow2 image
  attach i.qcow2
  qcow-headers --output map "$device" >map
  truncate -s 6M i.qcow2
  run --separate-stderr bash -c 'xva-pack --map map >archive'
  [ "$status" -eq 1 ]
  [[ $stderr == "xva-pack: $device: cannot read "*"nput/output error"* ]]
}

@test "a device that gets another size after its map, or while it is packed, has changed" {
  head -c 8M /dev/urandom >d.raw
  qcow2 i.qcow2 d.raw
  truncate -s 10M i.qcow2
  attach i.qcow2
  qcow-headers --output map "$device" >map
  xva-pack --scan d.raw >expected
  xva-pack --map map | cmp - expected
  for size in 12M 9M; do
    truncate -s $size i.qcow2
    losetup --set-capacity "$device"
    fails_with 1 xva-pack --map map
    [[ $stderr == *"$device: changed since the map was begun: found $(stat -c %s i.qcow2) bytes, expected 10485760; "* ]]
  done
  # Its number is nothing that the map knows.
  truncate -s 10M i.qcow2
  attach i.qcow2
  sed "s,\"filename\": \"[^\"]*\",\"filename\": \"$device\"," map >renamed
  xva-pack --map renamed | cmp - expected
  # A file in place of it, and it in place of a file.
  sed "s,\"filename\": \"[^\"]*\",\"filename\": \"i.qcow2\"," map >file
  fails_with 1 xva-pack --map file
  qcow-headers --output map i.qcow2 | sed "s,\"filename\": \"[^\"]*\",\"filename\": \"$device\"," >file
  fails_with 1 xva-pack --map file
  attach d.raw
  for size in 12M 4M; do
    truncate -s 8M d.raw
    losetup --set-capacity "$device"
    xva-pack --scan "$device" 2>errors | { head -c 1000 >/dev/null; truncate -s $size d.raw; losetup --set-capacity "$device"; cat >rest; } ||
      status=${PIPESTATUS[0]}
    cat errors
    [ "$status" -eq 1 ]
    has_no_end rest
  done
}

@test "documents, maps and archives are read from devices, and what follows a document is damage" {
  disk d.raw 5M
  printf '%-511s\n' '{"virtual_size":5242880,"cluster_bits":20,"data_clusters":[[1,1],[4,4]]}' >document
  attach document
  [ "$(extents-merge "$device")" = '{"virtual_size":5242880,"cluster_bits":20,"data_clusters":[[1,1],[4,4]]}' ]
  xva-pack --extents "$device" d.raw | cmp - <(xva-pack --scan d.raw)
  truncate -s 1K document
  attach document
  fails_with 3 extents-merge "$device"
  fails_with 3 xva-pack --extents "$device" d.raw
  ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk Ref:0=5M >ova.xml
  xva-pack --scan --ova ova.xml d.raw >d.xva
  truncate -s 8M d.xva
  attach d.xva --read-only
  xva-unpack --verify "$device" >/dev/null
  xva-unpack --list - <"$device" >/dev/null
  xva-unpack --disk Ref:0 -o - "$device" | cmp - d.raw
  xva-headers --output map "$device" | xva-pack --map - --ova ova.xml | cmp - <(xva-pack --scan --ova ova.xml d.raw)
  # By position, as of a file.
  strace -o calls -e trace=read,pread64 xva-headers "$device" >document
  cmp document <(xva-headers d.xva)
  [ "$(grep -c "= 1536$" calls)" -ge 2 ]
}

@test "the one command exports an image on a device, a raw device, and both together" {
  export XVA_BIN_DIR=${XVA_BIN_DIR:-$ROOT/target/release}
  disk d.raw 5M
  qcow2 i.qcow2 d.raw
  truncate -s 4M i.qcow2
  attach i.qcow2
  image=$device
  attach d.raw --read-only
  # Padded to whole MiB, which it is.
  xva-pack --scan --prefix Ref:000 d.raw >expected
  for arguments in "$image" "--format raw $device" "--disk $device $image"; do
    # shellcheck disable=SC2086
    "$ROOT/scripts/export-xva" -o vm.xva $arguments
    tail -c "$(stat -c %s expected)" vm.xva | cmp - expected
  done
}
