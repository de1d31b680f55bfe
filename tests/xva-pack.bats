#!/usr/bin/env bats
# xva-pack: what stands in an archive, read back by tools that others wrote.

load common
load pack-inputs

imported() {
  python3 "$ROOT/tests/importer.py" "$1" out "$2=$3"
}

@test "xva-img restores the disk from the archive" {
  raw disk 5767168 1 3
  extents 5767168 21 '[[0,1]]' | xva-pack --checksum sha1 disk > disk.xva
  tar -xf disk.xva
  xva-img disk-export Ref:0/ back
  cmp disk back
}

@test "GNU tar lists the blocks with data and the first and last" {
  raw disk 9437184 2 5 6
  extents 9437184 20 '[[5,6],2]' | xva-pack --prefix Ref:7 disk > disk.xva
  diff <(tar -tf disk.xva) <(printf 'Ref:7/0000000%s\nRef:7/0000000%s.xxhash\n' 0 0 2 2 5 5 6 6 8 8)
  run tar -tvf disk.xva
  [[ ${lines[0]} == "-r-------- 0/0 "*" 1048576 1970-01-01 "* ]]
}

@test "checksum members agree with sha1sum and xxhsum" {
  raw disk 3M 0 2
  xva-pack --scan disk | tar -x
  xva-pack --scan --checksum sha1 disk | tar -x
  for block in Ref:0/00000000 Ref:0/00000002; do
    [ "$(cat $block.checksum)" = "$(sha1sum < $block | cut -d' ' -f1)" ]
    [ "$(cat $block.xxhash)" = "$(xxhsum -H64 < $block | cut -d' ' -f1 | tr a-f A-F)" ]
  done
}

@test "every size of disk is imported whole" {
  for size in 512 1048576 1049088 5767168 8388608; do
    raw disk $size 0
    printf end | dd of=disk bs=1 seek=$((size - 3)) conv=notrunc status=none
    extents $size 9 "[0,$((size / 512 - 1))]" | xva-pack disk > disk.xva
    imported disk.xva Ref:0 $size
    cmp disk out/Ref:0.raw
    rm disk
  done
}

@test "an empty disk is its first and last block" {
  raw disk 5M
  extents 5242880 20 '[]' | xva-pack disk > disk.xva
  [ "$(tar -tf disk.xva | grep -vc xxhash)" -eq 2 ]
  imported disk.xva Ref:0 5242880
  cmp disk out/Ref:0.raw
}

@test "a full disk is every block" {
  head -c 5M /dev/urandom > disk
  extents 5242880 20 '[[0,4]]' | xva-pack --checksum sha1 disk > disk.xva
  imported disk.xva Ref:0 5242880
  cmp disk out/Ref:0.raw
}

@test "zero blocks are left out unless they are to be kept" {
  raw disk 8M 4
  extents 8388608 20 '[[2,5]]' > document
  [ "$(xva-pack disk < document | tar -t | grep -vc xxhash)" -eq 3 ]
  [ "$(xva-pack --keep-zeros disk < document | tar -t | grep -vc xxhash)" -eq 6 ]
}

@test "a block is data if any byte of it is not zero" {
  for byte in 0 4095 4096 524288 1048575; do
    raw disk 3M
    printf x | dd of=disk bs=1 seek=$((1048576 + byte)) conv=notrunc status=none
    [ "$(xva-pack --scan disk | tar -t | grep -c '00000001$')" -eq 1 ]
    rm disk
  done
}

@test "the last block has its true length unless --pad fills it up" {
  raw disk 1000001 0
  fails_with 4 xva-pack --scan disk
  [ -z "$output" ]
  xva-pack --scan --pad disk > disk.xva
  imported disk.xva Ref:0 1048576
  cmp <(head -c 1000001 out/Ref:0.raw) disk
  [ "$(tail -c +1000002 out/Ref:0.raw | tr -d '\0' | wc -c)" -eq 0 ]
}

@test "an archive ends with two zero records that --no-trailer leaves off" {
  raw disk 2M 1
  xva-pack --scan disk > whole
  xva-pack --scan --no-trailer disk > part
  cmp whole <(cat part; head -c 1024 /dev/zero)
}

@test "two disks composed are imported in the order of their prefixes" {
  raw a 3M 1
  raw b 700000 0
  { xva-pack --scan --pad --prefix Ref:10 --no-trailer a && xva-pack --scan --pad --prefix Ref:2 b; } > both.xva
  tar -tf both.xva > /dev/null
  python3 "$ROOT/tests/importer.py" both.xva out Ref:10=3145728 Ref:2=1048576
  cmp a out/Ref:10.raw
  cmp b <(head -c 700000 out/Ref:2.raw)
}

@test "a small disk may not come before others" {
  raw disk 512K 0
  fails_with 4 xva-pack --scan --no-trailer disk
  [ -z "$output" ]
}

@test "an empty file is refused" {
  : > empty
  fails_with 4 xva-pack --scan empty
  fails_with 4 xva-pack --scan --pad empty
}

@test "unsound extents are an error before the first byte or a scan if asked for" {
  raw disk 4M 2
  xva-pack --scan disk > scanned
  for document in '' '{"virtual_size":4194304,"cluster_bits":20,"data_clusters":[[0,1' 'no JSON' \
    '{"virtual_size":4194304,"cluster_bits":20}' '{"virtual_size":4194304,"cluster_bits":20,"data_clusters":[[3,2]]}' \
    '{"virtual_size":4194304,"cluster_bits":20,"data_clusters":[9]}' "$(extents 4194304 20 '[]') x"; do
    printf %s "$document" > document
    fails_with 3 xva-pack --extents document disk
    [ -z "$output" ]
    run --separate-stderr xva-pack --fallback-scan disk < document
    [ "$status" -eq 0 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    xva-pack -q --fallback-scan disk < document 2> errors | cmp - scanned
    [ ! -s errors ]
  done
  fails_with 1 xva-pack --extents nowhere disk
  xva-pack -q --fallback-scan --extents nowhere disk | cmp - scanned
}

@test "extents of a disk of another size are an error with and without a fallback" {
  raw disk 4M 2
  extents 8388608 20 '[2]' > document
  for option in "" --fallback-scan; do
    fails_with 3 xva-pack $option --extents document disk
    [ -z "$output" ]
    [[ $stderr == *8388608*4194304* ]]
  done
}

@test "maps of qemu-img and nbdinfo are extents too" {
  raw disk 4M 2
  xva-pack --scan disk > scanned
  qemu-img map -f raw --output=json disk | xva-pack disk | cmp - scanned
  echo '[{"offset":0,"length":2097152,"type":3},{"offset":2097152,"length":2097152,"type":0}]' |
    xva-pack disk | cmp - scanned
}

@test "wrong usage is status 2 and one line" {
  raw disk 2M
  fails_with 2 xva-pack
  fails_with 2 xva-pack --scan --extents x disk
  fails_with 2 xva-pack --prefix a/b --scan disk
  fails_with 2 xva-pack --prefix .. --scan disk
  fails_with 2 xva-pack --prefix "$(printf 'x%.0s' {1..83})" --scan disk
  fails_with 2 xva-pack --scan /dev/null
  fails_with 1 xva-pack --scan nowhere
  fails_with 1 xva-pack --scan .
}

@test "terminals are refused as output and as the source of extents" {
  raw disk 2M
  run script -qec "xva-pack --scan disk" /dev/null < /dev/null
  [ "$status" -eq 2 ]
  [[ $output == *terminal* ]]
  run script -qec "xva-pack disk > archive" /dev/null < /dev/null
  [ "$status" -eq 2 ]
  [ ! -s archive ]
  # Whatever the terminal echoes before it is told not to comes first.
  script -qec "stty raw -echo; xva-pack --force --scan disk" /dev/null < /dev/null > screen
  xva-pack --scan disk > archive
  tail -c "$(stat -c %s archive)" screen | cmp - archive
}
