#!/usr/bin/env bats
# What xva-unpack leaves under the name of a file, and of one that was there before: links, modes, and what a signal ends.

load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  umask 022
  head -c 3M /dev/urandom >d.raw
  truncate -s 6M d.raw
  ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk Ref:0=6M >ova.xml
  xva-pack --scan --ova ova.xml d.raw >a.xva
}

# Each way to write the disk to out/Ref:0.raw.
WAYS=('--disk Ref:0 -o out/Ref:0.raw' '--all -o out')

@test "what a link leads to gets the disk, and the link stays" {
  mkdir out elsewhere
  for way in "${WAYS[@]}"; do
    echo old >elsewhere/disk
    ln -sf ../elsewhere/disk middle
    ln -sf ../middle out/Ref:0.raw
    rm -f middle
    ln -s elsewhere/disk middle
    # shellcheck disable=SC2086
    fails_with 2 xva-unpack $way a.xva
    # shellcheck disable=SC2086
    xva-unpack --force $way a.xva >/dev/null
    [ -L out/Ref:0.raw ] && [ -L middle ]
    cmp elsewhere/disk d.raw
    # What is damaged leaves what was there.
    echo old >elsewhere/disk
    head -c 2M a.xva >cut.xva
    # shellcheck disable=SC2086
    run -3 --separate-stderr xva-unpack --force $way cut.xva
    [ "$(cat elsewhere/disk)" = old ]
    [ "$(ls -A elsewhere out)" = "$(printf 'elsewhere:\ndisk\n\nout:\nRef:0.raw')" ]
  done
}

@test "a link that leads nowhere is refused before the archive is read" {
  mkdir out
  for target in nowhere nowhere/file out/Ref:0.raw; do
    ln -sfn "$PWD/$target" out/Ref:0.raw
    for way in "${WAYS[@]}"; do
      for force in '' --force; do
        # shellcheck disable=SC2086
        run -1 --separate-stderr xva-unpack $force $way a.xva
        [[ $stderr == *"out/Ref:0.raw: "*"leads nowhere"* ]]
      done
    done
    # Of the archive in a pipe not a byte is taken.
    { run -1 --separate-stderr xva-unpack --force --disk Ref:0 -o out/Ref:0.raw; cat >rest; } <a.xva
    cmp rest a.xva
    [ ! -e nowhere ]
  done
  ln -s nowhere dangling
  for directory in dangling no/such a.xva; do
    { run -1 --separate-stderr xva-unpack --all --force -o "$directory"; cat >rest; } <a.xva
    cmp rest a.xva
  done
}

@test "all names are looked at before the first disk is written" {
  ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk Ref:0=6M --disk Ref:1=6M >two.xml
  { xva-pack --scan --ova two.xml --no-trailer d.raw && xva-pack --scan --check-ova two.xml --prefix Ref:1 d.raw; } >two.xva
  mkdir out
  echo old >out/Ref:1.raw
  fails_with 2 xva-unpack --all -o out two.xva
  ln -sf nowhere out/Ref:1.raw
  fails_with 1 xva-unpack --all --force -o out two.xva
  [ "$(ls -A out)" = Ref:1.raw ]
  # Two disks in one file would be one disk.
  rm out/Ref:1.raw
  echo old >one
  ln -s ../one out/Ref:0.raw
  ln -s ../one out/Ref:1.raw
  fails_with 2 xva-unpack --all --force -o out two.xva
  [ "$(cat one)" = old ]
  rm out/Ref:1.raw
  xva-unpack -q --all --force -o out two.xva >/dev/null
  cmp one d.raw
  cmp out/Ref:1.raw d.raw
}

@test "owner, mode and access control list stay with the name" {
  mkdir out
  for way in "${WAYS[@]}"; do
    for mode in 600 444 4640; do
      rm -f out/Ref:0.raw
      echo secret >out/Ref:0.raw
      [ "$EUID" -ne 0 ] || chown 1234:4321 out/Ref:0.raw
      chmod "$mode" out/Ref:0.raw
      before=$(stat -c '%a %u %g' out/Ref:0.raw)
      # shellcheck disable=SC2086
      (umask 000; xva-unpack --force $way a.xva >/dev/null)
      [ "$(stat -c '%a %u %g' out/Ref:0.raw)" = "$before" ]
      cmp out/Ref:0.raw d.raw
    done
  done
  [ "$EUID" -ne 0 ] || chown 0:0 out/Ref:0.raw
  # u::rw-, u:1234:rw-, g::r--, mask::rw-, o::---
  python3 - <<'P' || skip "no access control lists here"
import os, struct
entries = [(1, 6, -1), (2, 6, 1234), (4, 4, -1), (16, 6, -1), (32, 0, -1)]
os.setxattr("out/Ref:0.raw", "system.posix_acl_access", struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *e) for e in entries))
os.setxattr("out/Ref:0.raw", "user.note", b"keep")
P
  list() { python3 -c 'import os; print([os.getxattr("out/Ref:0.raw", n) for n in ("system.posix_acl_access", "user.note")])'; }
  before=$(list)
  xva-unpack --force --all -o out a.xva >/dev/null
  [ "$(list)" = "$before" ]
  # A list that the folder gives to new files is none of a file that had none.
  python3 - <<'P'
import os, struct
entries = [(1, 7, -1), (2, 7, 1234), (4, 5, -1), (16, 7, -1), (32, 5, -1)]
os.setxattr("out", "system.posix_acl_default", struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *e) for e in entries))
os.removexattr("out/Ref:0.raw", "system.posix_acl_access")
P
  chmod 640 out/Ref:0.raw
  xva-unpack --force --all -o out a.xva >/dev/null
  run -1 list
  [ "$(stat -c %a out/Ref:0.raw)" = 640 ]
}

@test "a file whose owner a new one cannot have is not replaced" {
  [ "$EUID" -eq 0 ] || skip "only root can give a file away"
  chmod 711 "$BATS_TEST_TMPDIR"
  mkdir -m 777 out
  # Where others may look, unlike in the home of root.
  cp "$(type -P xva-unpack)" "$(type -P xva-pack)" .
  echo old >out/Ref:0.raw
  chmod 666 out/Ref:0.raw
  run -1 --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups ./xva-unpack --disk Ref:0 --force -o out/Ref:0.raw a.xva
  [[ $stderr == *"out/Ref:0.raw: cannot give a new file its owner and mode"* ]]
  [ "$(cat out/Ref:0.raw)" = old ]
  # A report is written into it then: the archive does not depend on it.
  setpriv --reuid=65534 --regid=65534 --clear-groups ./xva-pack --scan --force --report out/Ref:0.raw d.raw >/dev/null
  jq -e .disk.crc32 out/Ref:0.raw
  [ "$(stat -c %u out/Ref:0.raw)" -eq 0 ]
}

@test "a report keeps link and mode, and the old one stays until the new one is whole" {
  echo old >target
  chmod 600 target
  ln -s target report
  fails_with 2 xva-pack --scan --report report d.raw
  [[ $stderr == *"report: is not a report: expected a new name, or a report to be replaced; --force overwrites it" ]]
  run -1 --separate-stderr bash -c 'xva-pack --scan --force --report report d.raw >/dev/full'
  [ "$(cat target)" = old ]
  xva-pack --scan --force --report report d.raw >/dev/null
  xva-pack --scan --report report d.raw >/dev/null
  [ -L report ]
  [ "$(stat -c %a target)" = 600 ]
  jq -e .disk.crc32 target
  ln -sfn nowhere report
  run -1 --separate-stderr bash -c 'xva-pack --scan --report report d.raw >archive'
  [ ! -s archive ]
  [ ! -e nowhere ]
}

@test "whatever ends it, nothing is left beside what was there" {
  python3 -c 'import os; os.close(os.open(".", os.O_TMPFILE | os.O_WRONLY))' || skip "this file system has no files without names"
  mkfifo pipe
  for signal in TERM INT HUP QUIT KILL; do
    for old in '' old; do
      rm -rf out
      mkdir out
      [ -z "$old" ] || echo "$old" >out/d.raw
      env --default-signal xva-unpack --force --disk Ref:0 -o out/d.raw <pipe 2>/dev/null &
      exec 8>pipe
      head -c 3M a.xva >&8
      await test "$(find "/proc/$!/fd" -lname "$PWD/out/*" | wc -l)" -eq 1
      kill -s "$signal" $!
      status=0
      wait $! || status=$?
      exec 8>&-
      [ "$status" -gt 128 ]
      [ "$(ls -A out)" = "${old:+d.raw}" ]
      [ -z "$old" ] || [ "$(cat out/d.raw)" = old ]
    done
  done
  rm -rf out
  mkdir out
  run bash -c 'ulimit -c 0 -f 1024; xva-unpack --disk Ref:0 -o out/d.raw a.xva'
  [ "$status" -eq $((128 + $(kill -l XFSZ))) ]
  [ -z "$(ls -A out)" ]
}
