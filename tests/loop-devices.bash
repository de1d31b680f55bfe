# Loaded by tests that need block devices: loop devices that are gone when the test ends, however it ends.

DEVICES=()
MOUNTS=()

# need_loop_devices: skips the test where this system gives out none: no right to, or no support in the kernel.
need_loop_devices() {
  type -P losetup >/dev/null || { echo "losetup is missing (Debian's package is mount)"; return 1; }
  local probe reason readable='' said=$BATS_TEST_TMPDIR/reason
  truncate -s 1M "$BATS_TEST_TMPDIR/probe"
  if probe=$(losetup --find --show "$BATS_TEST_TMPDIR/probe" 2>"$said"); then
    [ ! -r "$probe" ] || readable=yes
    losetup --detach "$probe"
  fi
  reason=$(head -n 1 "$said")
  reason=${reason#*"$BATS_TEST_TMPDIR/probe: "}
  [ -n "$readable" ] || skip "no loop device: ${reason:-$probe cannot be read}"
}

# attach FILE [OPTION...]: sets $device to a loop device over FILE. Not for a subshell: teardown must learn of it.
attach() {
  device=$(losetup --find --show "${@:2}" "$1") || return
  DEVICES+=("$device")
}

# mount_at DIRECTORY ARG...: mounts there until the test ends; skips the test where that is not allowed.
mount_at() {
  mkdir -p "$1"
  mount "${@:2}" "$1" 2>"$BATS_TEST_TMPDIR/reason" || skip "no mount: $(head -n 1 "$BATS_TEST_TMPDIR/reason")"
  MOUNTS+=("$1")
}

# What is mounted may be a device, or hold the file of one: those are let go of when their last user goes.
teardown() {
  local each
  for each in "${DEVICES[@]}"; do
    losetup --detach "$each" || true
  done
  for each in "${MOUNTS[@]}"; do
    umount "$BATS_TEST_TMPDIR/$each" || true
  done
}
