#!/usr/bin/env bats
# File systems that cannot be written to: one that holds the images, that of the current directory, a full /tmp.

load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  type -P unshare >/dev/null || { echo "unshare is missing (Debian's package is util-linux)"; return 1; }
  unshare --mount --map-root-user mount -t tmpfs tmpfs /mnt 2>reason || skip "no mount: $(head -n 1 reason)"
  mkdir ro out
  cd ro
  truncate -s 3M d.raw
  printf x | dd of=d.raw bs=1M seek=1 conv=notrunc status=none
  qemu-img convert -f raw -O qcow2 d.raw base.qcow2
  qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 d.qcow2
  qemu-img convert -f raw -O vpc -o subformat=dynamic,force_size=on d.raw base.vhd
  python3 "$ROOT/tests/vhd_child.py" d.vhd base.vhd base.vhd
  qcow-headers d.qcow2 >d.json
  xva-pack --scan d.raw >d.xva
  cd ..
}

# confined COMMANDS: a shell runs them in ro/, which is read-only there, with a $TMPDIR in which there is no room.
confined() {
  export PATH XVA_BIN_DIR=${XVA_BIN_DIR:-$ROOT/target/release} ROOT
  # shellcheck disable=SC2016
  unshare --mount --map-root-user bash -c '
    set -euo pipefail
    mkdir -p full
    mount -t tmpfs -o size=16k tmpfs full
    cat /dev/zero >full/filler 2>/dev/null || true
    ! echo x 2>/dev/null >full/more || { echo "$PWD/full is not full"; exit 9; }
    mount --bind ro ro
    mount -o remount,ro,bind ro
    export TMPDIR=$PWD/full
    cd ro
    ! touch new 2>/dev/null || { echo "$PWD can be written to"; exit 9; }
    eval "$1"' - "$1"
}

@test "every filter works where nothing can be written, and without a temporary file" {
  confined '
    vhd-headers d.vhd | extents-merge >../out/vhd.json
    qcow-headers --skip-holes d.qcow2 | extents-merge >../out/qcow.json
    vhd-headers --output map d.vhd | xva-pack --map - >../out/vhd.xva
    qcow-headers --output map d.qcow2 | xva-pack --map - >../out/qcow.xva
    xva-pack --extents d.json --report ../out/report d.raw >../out/extents.xva
    cat d.raw | xva-pack --scan - >../out/scan.xva
    xva-unpack --verify d.xva >/dev/null
    xva-unpack -q --disk Ref:0 -o ../out/d.raw d.xva'
  cmp out/vhd.json <(vhd-headers ro/d.vhd | extents-merge)
  cmp out/qcow.json <(qcow-headers --skip-holes ro/d.qcow2 | extents-merge)
  for way in vhd qcow extents scan; do
    cmp "out/$way.xva" ro/d.xva
  done
  jq -e .disk.crc32 out/report
  cmp out/d.raw ro/d.raw
}

@test "what would be written there is a system error in one line, and nothing is begun" {
  for command in 'xva-unpack --disk Ref:0 -o new.raw d.xva' 'xva-unpack --all -o new d.xva' 'xva-unpack --all -o . d.xva' \
    'xva-unpack --disk Ref:0 --force -o d.raw d.xva' 'xva-pack --scan --report report d.raw' \
    '"$ROOT"/scripts/export-xva d.qcow2'; do
    fails_with 1 confined "$command"
    [ -z "$output" ]
    [[ $stderr == *"ead-only"* || $stderr == *"cannot be written to"* ]]
  done
  fails_with 1 confined 'xva-unpack --disk Ref:0 -o "$TMPDIR/d.raw" d.xva'
  [[ $stderr == *"No space left on device"* ]]
}

@test "the one command needs no room but that of its archive" {
  confined '"$ROOT"/scripts/export-xva -o ../out/vm.xva d.qcow2 d.vhd'
  xva-unpack -q --all -o out out/vm.xva >/dev/null
  cmp out/Ref:000.raw ro/d.raw
  cmp out/Ref:001.raw ro/d.raw
  run --separate-stderr -1 confined 'status=0
    "$ROOT"/scripts/export-xva -o "$TMPDIR/vm.xva" d.qcow2 || status=$?
    ls -A "$TMPDIR"
    exit "$status"'
  [ "$output" = $'filler\nmore' ]
  [[ $stderr != *attempt* ]]
}
