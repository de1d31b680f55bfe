#!/usr/bin/env bats
# xva-unpack to block devices: a restore to a logical volume, which holds what another disk left there.

load common
load loop-devices

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  need_loop_devices
  # Data in the first and third of four blocks; the rest must be written as zeros.
  truncate -s 4M d.raw
  printf 'first' | dd of=d.raw bs=1 seek=5000 conv=notrunc status=none
  printf 'third' | dd of=d.raw bs=1M seek=2 conv=notrunc status=none
  ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk Ref:0=4M >ova.xml
  xva-pack --scan --ova ova.xml d.raw >d.xva
}

# volume FILE SIZE [OPTION...]: sets $device to one of SIZE bytes that is full of something.
volume() {
  head -c "$2" /dev/zero | tr '\0' '#' >"$1"
  attach "$1" "${@:3}"
}

@test "a disk on a device has its gaps as zeros, and what follows it is left alone" {
  for options in '' '--sector-size 4096'; do
    # shellcheck disable=SC2086
    volume volume 6M $options
    ln -sf "$device" link
    xva-unpack --disk Ref:0 --force -o link d.xva >/dev/null
    cat "$device" | cmp - <(cat d.raw; head -c 2M /dev/zero | tr '\0' '#')
    # It is on the medium, not only in the memory of the kernel.
    cmp volume "$device"
    [ -b link ]
  done
}

@test "a device of the size of the disk takes it, also from a pipe, without metadata and in a directory" {
  volume volume 4M
  xva-pack --scan d.raw >bare.xva
  cat <(head -c 100 bare.xva) bare.xva >later.xva
  for command in 'cat bare.xva | unpack --size Ref:0=4194304' 'unpack bare.xva' '{ head -c 100 >/dev/null; unpack; } <later.xva' \
    'xva-unpack --disk Ref:0 -o - bare.xva >"$0"'; do
    head -c 4M /dev/zero | tr '\0' '#' >"$device"
    bash -c "unpack() { xva-unpack --disk Ref:0 --force -o '$device' \"\$@\" >/dev/null; }; $command" "$device"
    cmp d.raw "$device"
  done
  volume other 4M
  mkdir out
  ln -s "$device" out/Ref:0.raw
  xva-unpack --all --force -o out d.xva >/dev/null
  cmp d.raw "$device"
}

@test "a device is not overwritten unasked, nor begun when it is too small" {
  volume volume 4M
  fails_with 2 xva-unpack --disk Ref:0 -o "$device" d.xva
  [[ $stderr == *"$device: exists already: --force overwrites it" ]]
  volume small 3M
  fails_with 1 xva-unpack --disk Ref:0 --force -o "$device" d.xva
  [[ $stderr == *"$device: the device is too small: found 3145728 bytes, expected at least 4194304" ]]
}

@test "where nothing says how large the disk is, a device that may be too small holds what it held" {
  xva-pack --scan d.raw >bare.xva
  volume small 3M
  cp small before
  mkdir out
  ln -s "$device" out/Ref:0.raw
  for arguments in "--disk Ref:0 -o $device bare.xva" '--all -o out bare.xva' '--all -o out d.xva'; do
    # shellcheck disable=SC2086
    fails_with 1 xva-unpack --force $arguments
    [[ $stderr == *": the device is too small: found 3145728 bytes, expected at least 4194304" ]]
  done
  run -1 --separate-stderr bash -c 'xva-unpack --force --disk Ref:0 -o "$0" <bare.xva' "$device"
  run -1 --separate-stderr bash -c 'xva-unpack --disk Ref:0 -o - bare.xva >"$0"' "$device"
  run -2 --separate-stderr bash -c 'cat bare.xva | xva-unpack --force --disk Ref:0 -o "$0"' "$device"
  [[ $stderr == *"$device: "*"expected --size Ref:0=BYTES" ]]
  run -2 --separate-stderr bash -c 'cat bare.xva | xva-unpack --force --all -o out'
  # What is cut off is not begun either.
  head -c 2M bare.xva >cut.xva
  fails_with 3 xva-unpack --force --disk Ref:0 -o "$device" cut.xva
  cmp "$device" before
}

@test "a device that is full or read-only or fails to store what it took is a system error" {
  volume volume 4M --read-only
  fails_with 1 xva-unpack --disk Ref:0 --force -o "$device" d.xva
  cmp volume <(head -c 4M /dev/zero | tr '\0' '#')
  mount_at tiny -t tmpfs -o size=1M tmpfs
  truncate -s 4M tiny/volume
  attach tiny/volume
  fails_with 1 xva-unpack --disk Ref:0 --force -o "$device" d.xva
  [[ $stderr == *"$device: cannot finish writing: "* ]]
}

@test "a device that is mounted is not overwritten" {
  truncate -s 4M volume
  mke2fs -q -t ext2 volume
  cp volume before
  attach volume
  mount_at mounted -o ro "$device"
  fails_with 1 xva-unpack --disk Ref:0 --force -o "$device" d.xva
  [[ $stderr == *"$device: cannot open for writing: it is mounted at $PWD/mounted: expected a device that nobody uses" ]]
  cmp volume before
}
