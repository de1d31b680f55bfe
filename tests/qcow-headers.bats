#!/usr/bin/env bats
# The program qcow-headers as a user meets it: what it prints, what it says when it cannot, and its exit status.

load common
load qcow2-images

@test "help gives examples and exit statuses, version the version" {
  run -0 qcow-headers --help
  [[ $output == *Examples:* && $output == *'Exit status:'* ]]
  run -0 qcow-headers --version
  [[ $output == 'qcow-headers '* ]]
}

@test "wrong usage is status 2" {
  new disk.qcow2 1M
  fails_with 2 qcow-headers
  fails_with 2 qcow-headers --no-such-option disk.qcow2
  fails_with 2 qcow-headers --output yaml disk.qcow2
  fails_with 2 qcow-headers --backing-format vpc disk.qcow2
  fails_with 2 qcow-headers disk.qcow2 disk.qcow2
}

@test "intervals and list are the documents of vhd-tool" {
  new disk.qcow2 1M
  fill disk.qcow2 0 70000
  fill disk.qcow2 512k 1
  run -0 qcow-headers disk.qcow2
  [ "$output" = '{"virtual_size":1048576,"cluster_bits":16,"data_clusters":[[0,1],[8,8]]}' ]
  run -0 qcow-headers --output list disk.qcow2
  [ "$output" = '{"virtual_size":1048576,"cluster_bits":16,"data_clusters":[0,1,8]}' ]
}

@test "the map is that of qemu-img with file names" {
  new base.qcow2 -o cluster_size=4k 1M
  fill base.qcow2 100k 40k
  new disk.qcow2 -F qcow2 -b base.qcow2 1M
  fill disk.qcow2 640k 70000
  qemu-io -f qcow2 -c 'write -q -z 0 64k' disk.qcow2
  qcow-headers --output map disk.qcow2 > ours.json
  qemu-img map --output=json disk.qcow2 > theirs.json
  python3 - "$PWD" <<'PYTHON'
import json, sys
def ranges(name):
    out = []
    for entry in json.load(open(name)):
        if not entry["zero"]:
            out.append([entry["start"], entry["length"], entry["depth"], entry["offset"], entry.get("filename")])
    return out
ours, theirs = ranges("ours.json"), ranges("theirs.json")
assert [r[:4] for r in ours] == [r[:4] for r in theirs], (ours, theirs)
assert {r[4] for r in ours} == {"disk.qcow2", sys.argv[1] + "/base.qcow2"}, ours
PYTHON
}

@test "every compressed cluster has an entry of its own in the map" {
  head -c 128k /dev/zero | tr '\0' x > raw
  qemu-img convert -q -c -f raw -O qcow2 raw disk.qcow2
  run -0 qcow-headers --output map disk.qcow2
  [ "${#lines[@]}" -eq 2 ]
  [[ ${lines[0]} == *'"host_length": '*'"compression": "zlib", "cluster_size": 65536, "skip": 0}'* ]]
}

@test "an empty disk and a disk of 0 bytes have no clusters" {
  new empty.qcow2 60T
  run -0 qcow-headers empty.qcow2
  [ "$output" = '{"virtual_size":65970697666560,"cluster_bits":16,"data_clusters":[]}' ]
  new nothing.qcow2 0
  run -0 qcow-headers nothing.qcow2
  [ "$output" = '{"virtual_size":0,"cluster_bits":16,"data_clusters":[]}' ]
  run -0 qcow-headers --output map nothing.qcow2
  [ "$output" = '[]' ]
}

@test "standard input is read if it is a file, and not for a map" {
  new disk.qcow2 1M
  run -0 qcow-headers - < disk.qcow2
  [[ $output == '{"virtual_size":1048576,'* ]]
  fails_with 2 qcow-headers --output map - < disk.qcow2
  fails_with 2 bash -c 'cat disk.qcow2 | qcow-headers -'
  says pipe
}

@test "a standard output that is closed or full is an error" {
  new disk.qcow2 1M
  fails_with 1 bash -c 'qcow-headers disk.qcow2 >&-'
  fails_with 1 bash -c 'qcow-headers disk.qcow2 > /dev/full'
}

@test "a closed pipe ends with SIGPIPE and in silence" {
  new disk.qcow2 -o preallocation=metadata 16G
  run --separate-stderr bash -c 'qcow-headers --output list disk.qcow2 | head -c 1 > /dev/null; echo "${PIPESTATUS[0]}"'
  [ "$output" = 141 ]
  [ -z "$stderr" ]
}

@test "what is not there or cannot be read is status 1" {
  fails_with 1 qcow-headers missing.qcow2
  mkdir directory
  fails_with 1 qcow-headers directory
  new disk.qcow2 -u -F qcow2 -b missing.qcow2 1M
  fails_with 1 qcow-headers disk.qcow2
  says 'backing file missing.qcow2 not found'
}

@test "what is no QCOW2 is status 3, another version of QCOW is status 4" {
  head -c 64k /dev/zero > zeros.qcow2
  fails_with 3 qcow-headers zeros.qcow2
  says 'is not a QCOW2 image'
  : > empty.qcow2
  fails_with 3 qcow-headers empty.qcow2
  says 'is not a QCOW2 image: found an empty file'
  for format in vmdk vhdx vdi vpc qed; do
    qemu-img create -q -f $format other.qcow2 1M
    fails_with 3 qcow-headers other.qcow2
    format=${format/vpc/vhd}
    says "found a ${format^^}, which"
  done
  qemu-img create -q -f qcow old.qcow 1M
  fails_with 4 qcow-headers old.qcow
  says 'version 1'
}

@test "a marked image is refused if it is corrupt and read if it is dirty" {
  new disk.qcow2 1M
  run -0 --separate-stderr qcow-headers -v disk.qcow2
  [[ $stderr == *'QCOW2 version 3'* && $stderr != *'not closed'* ]]
  poke disk.qcow2 79 '\x01'
  run -0 --separate-stderr qcow-headers -v disk.qcow2
  says 'was not closed properly'
  poke disk.qcow2 79 '\x02'
  fails_with 3 qcow-headers disk.qcow2
  says corrupt
  poke disk.qcow2 79 '\x20'
  fails_with 4 qcow-headers disk.qcow2
  says 'bits 5'
}

@test "an encrypted image has extents but no map" {
  encrypting new disk.qcow2 --object secret,id=key,data=secret \
    -o encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10 1M
  run -0 qcow-headers disk.qcow2
  [[ $output == *'[]}' ]]
  fails_with 4 qcow-headers --output map disk.qcow2
  says encrypted
  fails_with 4 qcow-headers --skip-holes disk.qcow2
}

@test "an image with snapshots has the clusters of the active one" {
  new disk.qcow2 1M
  fill disk.qcow2 0 64k
  qemu-img snapshot -c before disk.qcow2
  fill disk.qcow2 256k 64k
  run -0 qcow-headers disk.qcow2
  [[ $output == *'[[0,0],[4,4]]}' ]]
}

@test "a file name that is not UTF-8 is in no map" {
  new disk.qcow2 1M
  mv disk.qcow2 $'disk\xff.qcow2'
  fails_with 4 qcow-headers --output map $'disk\xff.qcow2'
  says UTF-8
  run -0 qcow-headers $'disk\xff.qcow2'
}

@test "wherever a file is cut off, there is an error and no complete document" {
  new whole.qcow2 -o cluster_size=512 64k
  fill whole.qcow2 0 8k
  fill whole.qcow2 60k 4k
  qcow-headers whole.qcow2
  size=$(stat -c %s whole.qcow2)
  # Header, header extensions, refcounts, L1 table, L2 tables, data.
  for ((cut = 0; cut < size; cut += 200)); do
    head -c "$cut" whole.qcow2 > cut.qcow2
    for form in intervals map; do
      fails_with 3 qcow-headers --output "$form" cut.qcow2
      incomplete
    done
  done
}

# written_to_meanwhile WRITE: the map of a.qcow2 in `map`, and the status, where qemu does WRITE once the map has begun.
written_to_meanwhile() {
  local status
  # More map than a pipe and all buffers hold: every other cluster of 16 MiB.
  new a.qcow2 -o cluster_size=4k 64M
  seq -f 'write -q -P 7 %.0f 4k' 0 8192 16777215 | qemu-io -f qcow2 a.qcow2 >qemu-io.log
  qcow-headers --output map a.qcow2 2>err | {
    head -c 100 >map
    qemu-io -f qcow2 -c "$1" a.qcow2 >qemu-io.log
    cat >>map
  }
  status=${PIPESTATUS[0]}
  return "$status"
}

@test "an image that grows while it is read gives no complete document" {
  run -1 written_to_meanwhile 'write 60M 4k'
  [ "$(stat -c %s map)" -gt 200000 ]
  [ "$(cat err)" = 'qcow-headers: a.qcow2: changed while it was read: the L1 table is no longer what it was; try again' ]
  [[ $(tail -c 20 map) == *'{"exit_status":1' ]]
}

@test "what a guest writes to clusters that it has is no change of the image" {
  run -0 written_to_meanwhile 'write -P 8 8k 4k'
  [ "$(stat -c %s map)" -gt 200000 ]
  [ ! -s err ]
  jq -e 'length > 4000' map
}
