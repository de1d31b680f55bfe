#!/usr/bin/env bats
# The commands of scripts/xapi/README.md, as they stand there, on the devices of a host: LVM, LINSTOR and file storage.

load common

setup() {
  [ "$(id -u)" -eq 0 ] || skip "only root has loop devices"
  cd "$BATS_TEST_TMPDIR" || return 1
  truncate -s 12M disk.raw
  head -c 3M /dev/urandom | dd of=disk.raw bs=1M seek=4 conv=notrunc status=none
  qemu-img convert -O vpc -o force_size=on disk.raw image.vhd
  qemu-img convert -O qcow2 disk.raw image.qcow2
  mkdir -p dev/mapper dev/VG_XenStorage-7f dev/drbd/by-res/xcp-volume-v dev/sm/backend/7f mount/7f root/proc played
  cp image.qcow2 mount/7f/d1.qcow2
  ln -s "$ROOT/scripts" scripts
  cp -a /dev/null /dev/zero dev/
  ln -s /proc/self/fd dev/fd
  device disk.raw sm/backend/7f/d1
  device image.vhd VG_XenStorage-7f/VHD-d1
  device image.qcow2 drbd/by-res/xcp-volume-v/0
}

# device FILE NAME: a block device over FILE, under that name in the directory dev.
device() {
  local loop
  loop=$(losetup --find --show "$1") || skip "there are no loop devices"
  LOOPS+=("$loop")
  cp -a "$loop" dev/
  ln -s "/dev/${loop##*/}" "dev/$2"
}

teardown() {
  [ ${#LOOPS[@]} -eq 0 ] || losetup --detach "${LOOPS[@]}"
}

# on_host: runs recipe.bash where /dev and /run/sr-mount are those made here.
on_host() {
  unshare --mount bash -euc 'mount -t tmpfs tmpfs /run; mkdir -p /run/sr-mount /var/run/sr-mount
    mount --bind mount /run/sr-mount; mount --bind dev /dev; bash -uo pipefail recipe.bash'
}

# block WORD: of the indented blocks the first with WORD in its first line.
block() {
  awk -v word="$1" '/^    / { if (!block) wanted = index($0, word); block = 1; if (wanted) print; next } { block = 0; wanted = 0 }' \
    "$ROOT/scripts/xapi/README.md"
}

# holds_disk: what a recipe has written.
holds_disk() {
  xva-unpack -q --disk Ref:0 -o - disk.xva.zst 2>said | cmp - disk.raw
  rm disk.xva.zst
}

@test "an attached disk, whatever its image is" {
  # Loop devices are called those of tapdisk, and tap-ctl says which image is open.
  printf 'Block devices:\n  7 tapdev\n' >root/proc/devices
  minor=$((16#$(stat -Lc %T "dev/${LOOPS[0]##*/}")))
  printf '#!/bin/sh\necho "pid=1 minor=%s state=0 args=$IMAGE"\n' "$minor" >played/tap-ctl
  chmod +x played/tap-ctl
  export XCP_PATH=$PWD/played BACKING_INFO_ROOT=$PWD/root device=/dev/sm/backend/7f/d1 IMAGE
  block backing-info >recipe.bash
  for IMAGE in vhd:/dev/VG_XenStorage-7f/VHD-d1 qcow2:/dev/drbd/by-res/xcp-volume-v/0; do
    on_host 2>said || { cat said; return 1; }
    [ ! -s said ] || { cat said; return 1; }
    holds_disk
  done
  # Of an image that nobody knows, all is read.
  IMAGE=aio:/dev/sdb on_host 2>said
  grep -q 'whole disk' said || { cat said; return 1; }
  holds_disk
}

@test "an attached disk, by hand" {
  block 'vhd-headers --search-path /dev/mapper' >all.bash
  [ "$(grep -c xva-zstd all.bash)" -eq 3 ]
  export sr=7f vdi=d1 volume=v
  for recipe in 1 2 3; do
    awk -v number="$recipe" '{ if (at + 1 == number) print } /> disk.xva.zst/ { at++ }' all.bash >recipe.bash
    on_host
    holds_disk
  done
}
