#!/usr/bin/env bats
# xva-unpack on archives that xva-img and GNU tar made, on pipes, files and devices.

load common
load archive

crc() {
  python3 -c 'import sys, zlib; print("%08x" % zlib.crc32(open(sys.argv[1], "rb").read()))' "$1"
}

# folder PREFIX DISK: the disk as a directory of blocks, by xva-img; short blocks are filled up.
folder() {
  mkdir -p "$1"
  xva-img disk-import "$1/" "$2" > log 2>&1 || { cat log; return 1; }
}

# machine ARCHIVE REF SIZE DISK: an archive of a machine with one disk, by xva-img.
machine() {
  mkdir -p vm
  metadata "$2=$3" > vm/ova.xml
  folder "vm/$2" "$4"
  xva-img package "$1" vm/ova.xml "vm/$2" > log 2>&1 || { cat log; return 1; }
}

@test "an archive that xva-img packed gives the disk" {
  raw disk.raw 12M 0 4 11
  machine disk.xva Ref:000 12M disk.raw
  xva-unpack disk.xva > table
  grep -q "^Ref:000 .* sha1 .* $(crc disk.raw) .*whole" table
  xva-unpack --disk Ref:000 -o back.raw disk.xva
  cmp disk.raw back.raw
}

@test "archives that GNU tar packed give the disk in every format" {
  raw disk.raw 8M 0 3 7
  metadata Ref:000=8M > ova.xml
  folder Ref:000 disk.raw
  members=(ova.xml)
  for block in Ref:000/????????; do
    members+=("$block" "$block.checksum")
  done
  for format in v7 oldgnu gnu ustar pax; do
    tar --format=$format --owner=0 --group=0 -cf $format.xva "${members[@]}"
    xva-unpack -q --verify $format.xva > table
    grep -q "$(crc disk.raw)" table
    xva-unpack -q --all -o $format < $format.xva > table
    cmp disk.raw $format/Ref:000.raw
  done
}

@test "xxhash members that xxhsum computed are right" {
  raw disk.raw 3M 0 2
  metadata Ref:000=3M > ova.xml
  mkdir Ref:000
  split -b 1M -d -a 8 disk.raw Ref:000/
  rm Ref:000/00000001
  for block in Ref:000/????????; do
    xxhsum -H1 "$block" | cut -d ' ' -f 1 | tr a-f A-F | tr -d '\n' > "$block.xxhash"
  done
  tar --format=ustar -cf disk.xva ova.xml Ref:000/00000000{,.xxhash} Ref:000/00000002{,.xxhash}
  xva-unpack disk.xva > table
  grep -q "^Ref:000  3145728  2 .* xxhash .* $(crc disk.raw)" table
}

@test "a directory packed by tar as it is can be unpacked but not imported" {
  raw disk.raw 3M 0 2
  metadata Ref:000=3M > ova.xml
  folder Ref:000 disk.raw
  tar --sort=name -cf disk.xva ./Ref:000 ./ova.xml
  fails_with 3 xva-unpack --verify disk.xva
  [[ "$stderr" == *"xapi refuses it: "* ]]
  xva-unpack --disk Ref:000 -o back.raw disk.xva 2> warnings
  grep -q 'xapi refuses it: ' warnings
  cmp disk.raw back.raw
}

@test "a disk on standard output has its gaps as zeros and its CRC on stderr" {
  raw disk.raw 9M 8
  machine disk.xva Ref:0 9M disk.raw
  xva-unpack --disk Ref:0 -o - < disk.xva > back.raw 2> said
  cmp disk.raw back.raw
  [ "$(cat said)" = "xva-unpack: Ref:0: 9437184 bytes, crc32 $(crc disk.raw)" ]
  cat disk.xva | xva-unpack -q --disk Ref:0 -o - 2> said | cmp - disk.raw
  [ ! -s said ]
  mkfifo pipe
  xva-unpack --disk Ref:0 -o pipe disk.xva > table &
  cmp - disk.raw < pipe
  wait $!
}

@test "the unpacked file is sparse and not overwritten unasked" {
  raw disk.raw 64M 1 60
  folder Ref:0 disk.raw
  tar -cf disk.xva Ref:0/000000{00,01,60,63}{,.checksum}
  xva-unpack --disk Ref:0 -o back.raw disk.xva
  cmp disk.raw back.raw
  [ "$(du -k back.raw | cut -f 1)" -lt 512 ]
  echo mine > back.raw
  fails_with 2 xva-unpack --disk Ref:0 -o back.raw disk.xva
  [[ "$stderr" == *"back.raw: exists already: --force overwrites it" ]]
  [ "$(cat back.raw)" = mine ]
  xva-unpack --force --disk Ref:0 -o back.raw disk.xva
  cmp disk.raw back.raw
  [ -z "$(find . -name '*.part')" ]
}

@test "what stands beside the target is left alone and the file has an ordinary mode" {
  raw disk.raw 3M 0 2
  machine disk.xva Ref:0 3M disk.raw
  mkdir back.raw.part
  echo theirs > back.raw.part/x
  (umask 027 && xva-unpack --disk Ref:0 -o back.raw disk.xva > table)
  cmp disk.raw back.raw
  [ "$(cat back.raw.part/x)" = theirs ]
  [ "$(stat -c %a back.raw)" = 640 ]
}

# has_begun PROCESS: it writes to a file in this folder.
has_begun() {
  find "/proc/$1/fd" -lname "$PWD/*" -printf '%l\n' | grep -qE '/(#[0-9]+ \(deleted\)|.*\.part)$'
}

@test "a file that appears meanwhile is not overwritten" {
  raw disk.raw 3M 0 2
  machine disk.xva Ref:0 3M disk.raw
  mkfifo pipe
  xva-unpack --disk Ref:0 -o back.raw < pipe > table 2> said &
  exec 8> pipe
  head -c 1M disk.xva >&8
  # It has its descriptor by then, and no name.
  await has_begun $!
  echo mine > back.raw
  tail -c +1048577 disk.xva >&8
  exec 8>&-
  status=0
  wait $! || status=$?
  [ "$status" -eq 1 ]
  grep -q 'back.raw: cannot finish writing: it appeared meanwhile: --force overwrites it' said
  [ "$(cat back.raw)" = mine ]
  [ -z "$(find . -name '*.part')" ]
}

@test "--size cuts padding off and never data" {
  raw disk.raw 2500000 0 1
  cp disk.raw padded.raw
  truncate -s 3M padded.raw
  machine disk.xva Ref:0 2500000 padded.raw
  xva-unpack --size Ref:0=2500000 --disk Ref:0 -o back.raw disk.xva > table
  cmp disk.raw back.raw
  grep -q "^Ref:0  2500000 .* $(crc disk.raw) " table
  fails_with 3 xva-unpack --size Ref:0=1000 disk.xva
  [[ "$stderr" == *"holds data past --size: expected zeros from byte 1000 on"* ]]
  fails_with 3 xva-unpack --size Ref:0=3145729 disk.xva
  fails_with 2 xva-unpack --size Ref:1=1 disk.xva
  fails_with 2 xva-unpack --size Ref:0 disk.xva
  fails_with 2 xva-unpack --size Ref:0=2500000 --size Ref:0=2500000 disk.xva
  [[ "$stderr" == *"--size is given twice for disk Ref:0"* ]]
}

@test "an archive compressed with zstd or gzip is read as it is" {
  raw disk.raw 3M 0 1 2
  machine disk.xva Ref:0 3M disk.raw
  zstd -q disk.xva
  gzip -k disk.xva
  xva-unpack disk.xva | grep -v sound > expected
  for file in disk.xva.zst disk.xva.gz; do
    xva-unpack $file | grep -v sound | cmp - expected
    xva-unpack < $file | grep -v sound | cmp - expected
    cat $file | xva-unpack --disk Ref:0 -o - - | cmp - disk.raw
    xva-unpack --ova $file | cmp - <(xva-unpack --ova disk.xva)
    xva-unpack --list $file > listed
    head -c 1000 $file > cut
    fails_with 3 xva-unpack cut
    [[ "$stderr" == *"ends early, inside the "* ]]
  done
  head -c 100000 /dev/urandom | gzip > noise.gz
  fails_with 3 xva-unpack noise.gz
}

@test "what is missing or wrong in the command is said in one line" {
  raw disk.raw 1M 0
  machine disk.xva Ref:0 1M disk.raw
  fails_with 1 xva-unpack nowhere.xva
  fails_with 1 xva-unpack vm
  fails_with 2 xva-unpack --disk Ref:7 -o x disk.xva
  [[ "$stderr" == *"disk.xva: has no disk Ref:7: found Ref:0" ]]
  fails_with 2 xva-unpack --disk Ref:0 disk.xva
  fails_with 2 xva-unpack -o x disk.xva
  fails_with 2 xva-unpack --all -o - disk.xva
  fails_with 2 xva-unpack --all -o '' disk.xva
  fails_with 2 xva-unpack --disk Ref:0 -o '' disk.xva
  fails_with 2 xva-unpack --list --ova disk.xva
  fails_with 2 xva-unpack --progress=x disk.xva
  fails_with 1 xva-unpack --all -o nowhere/deep disk.xva
  fails_with 1 bash -c 'xva-unpack disk.xva >&-'
  [ ! -e x ]
  [ -z "$(find . -name '*.part')" ]
}

@test "a full disk is an error and a closed pipe none" {
  raw disk.raw 4M 0 1 2 3
  machine disk.xva Ref:0 4M disk.raw
  fails_with 1 xva-unpack --disk Ref:0 -o /dev/full disk.xva
  [[ "$stderr" == *"/dev/full: cannot write at byte 0: "* ]]
  fails_with 1 bash -c 'xva-unpack --ova disk.xva > /dev/full'
  run --separate-stderr bash -c 'set -o pipefail; xva-unpack -q --disk Ref:0 -o - disk.xva | head -c 1 > /dev/null'
  [ "$status" -eq 141 ]
  [ -z "$stderr" ]
}

@test "a pipe is read to its end although the disk is complete" {
  raw disk.raw 2M 0 1
  metadata Ref:0=2M Ref:1=2M > ova.xml
  folder Ref:0 disk.raw
  folder Ref:1 disk.raw
  tar -cf disk.xva ova.xml Ref:0/* Ref:1/*
  truncate -s 20M more
  for task in '--ova' '--disk Ref:0 -o a.raw --force' '--verify' '--list'; do
    run bash -c "set -o pipefail; cat disk.xva more | xva-unpack -q $task > /dev/null"
    [ "$status" -eq 0 ]
  done
}

@test "a non-blocking pipe is waited for" {
  raw disk.raw 3M 0 2
  machine disk.xva Ref:0 3M disk.raw
  python3 - << 'PYTHON'
import os, subprocess, time
reader, writer = os.pipe()
os.set_blocking(reader, False)
unpack = subprocess.Popen(["xva-unpack", "-q", "--disk", "Ref:0", "-o", "back.raw"], stdin=reader)
os.close(reader)
archive = open("disk.xva", "rb").read()
for part in archive[:5000], archive[5000:1100000], archive[1100000:]:
    time.sleep(0.2)
    while part:
        part = part[os.write(writer, part):]
os.close(writer)
assert unpack.wait() == 0
PYTHON
  cmp disk.raw back.raw
}

@test "the metadata comes out as it went in" {
  metadata Ref:0=2M > ova.xml
  tar -cf disk.xva ova.xml
  xva-unpack --ova disk.xva | cmp - ova.xml
  tar -cf other.xva /dev/null 2> /dev/null
  fails_with 3 xva-unpack --ova other.xva
}

@test "a device that is not there does not become a file in /dev" {
  raw disk.raw 1M 0
  machine disk.xva Ref:0 1M disk.raw
  for target in /dev/no-such-device /dev/no-such-group/volume; do
    fails_with 1 xva-unpack --disk Ref:0 --force -o "$target" disk.xva
    [[ $stderr == *"$target: no such device"* ]]
    [ ! -e "$target" ]
  done
}

@test "an archive is not overwritten by its own disk" {
  raw disk.raw 1M 0
  machine disk.xva Ref:0 1M disk.raw
  cp disk.xva before
  ln disk.xva link
  fails_with 2 xva-unpack --disk Ref:0 --force -o link disk.xva
  run -2 --separate-stderr xva-unpack --disk Ref:0 --force -o disk.xva < disk.xva
  [[ $stderr == *"is read, and would be written to "*": expected another file" ]]
  cmp disk.xva before
}

@test "standard output by another name gets the disk and nothing else" {
  raw disk.raw 1M 0
  machine disk.xva Ref:0 1M disk.raw
  for name in /dev/stdout /dev/fd/1 /proc/self/fd/1; do
    xva-unpack --disk Ref:0 -o "$name" disk.xva 2> said | cmp - disk.raw
    grep -q crc32 said
  done
}

@test "a terminal is refused as output and as input" {
  raw disk.raw 1M 0
  machine disk.xva Ref:0 1M disk.raw
  run script -qec 'xva-unpack --disk Ref:0 -o - disk.xva' /dev/null < /dev/null
  [ "$status" -eq 2 ]
  [[ "$output" == *"standard output is a terminal: expected a pipe or file, or --force"* ]]
  run script -qec 'xva-unpack | cat; exit ${PIPESTATUS[0]}' /dev/null
  [ "$status" -eq 2 ]
  [[ "$output" == *"standard input is a terminal"* ]]
  run script -qec 'xva-unpack --ova disk.xva' /dev/null < /dev/null
  [ "$status" -eq 0 ]
}

@test "progress is written to a descriptor" {
  raw disk.raw 8M 0 1 2 3 4 5 6 7
  machine disk.xva Ref:0 8M disk.raw
  xva-unpack --progress=3 disk.xva 3> lines > table
  [ "$(tail -n 1 lines)" = 100/100 ]
  [ "$(sort -n lines | uniq)" = "$(cat lines)" ]
  [ "$(wc -l < lines)" -ge 8 ]
  fails_with 2 xva-unpack --progress=99 disk.xva
}

@test "names in an archive do not lead out of the directory" {
  mkdir -p in/deep
  raw disk.raw 1M 0
  folder in/d disk.raw
  tar -C in/deep --transform 's,^\.\./d,../../evil,' -P -cf disk.xva ../d/00000000 ../d/00000000.checksum
  tar -tPf disk.xva > members
  grep -q '^../../evil/00000000$' members
  mkdir out
  xva-unpack -q --all -o out disk.xva > table
  [ "$(ls -A out)" = '%2E.%2F..%2Fevil.raw' ]
  cmp disk.raw out/*
  [ ! -e ../evil ]
  [ ! -e evil ]
}

@test "memory stays small whatever the size of the disk" {
  raw disk.raw 200M 0 199
  machine disk.xva Ref:0 200M disk.raw
  bash -c 'ulimit -v 65536; xva-unpack --disk Ref:0 -o back.raw disk.xva > table'
  cmp disk.raw back.raw
}
