# xva-zstd, against programs that others wrote: what they read of its frames, and that no part of its output passes for all.

load common

# random FILE BLOCK...: a sparse disk of random blocks, of which the last is the end.
random_disk() {
  truncate -s 0 "$1"
  local block
  for block in "${@:2}"; do
    dd status=none if=/dev/urandom of="$1" bs=1M count=1 seek="$block" conv=notrunc
  done
}

# machine OUT DISK...: a VM with these disks.
machine() {
  local out=$1 disk disks=() number=0 option trailer
  shift
  for disk in "$@"; do
    disks+=(--disk "$(printf 'Ref:%03d' $number)=$(stat -c %s "$disk")")
    number=$((number + 1))
  done
  ova-xml --name vm --memory 1G --vcpus 1 --firmware bios "${disks[@]}" >ova.xml
  option=--ova number=0
  : >"$out"
  for disk in "$@"; do
    trailer=()
    [ $number -eq $(($# - 1)) ] || trailer=(--no-trailer)
    xva-pack --scan --pad --prefix "$(printf 'Ref:%03d' $number)" $option ova.xml "${trailer[@]}" "$disk" >>"$out"
    option=--check-ova
    number=$((number + 1))
  done
}

@test "zstd, its library in Python and xva-unpack read the same archive, in a frame for each block" {
  random_disk a.raw 0 3 5
  random_disk b.raw 0 1
  truncate -s 2560K b.raw
  machine vm.xva a.raw b.raw
  for level in -1 '' -9 -19; do
    # shellcheck disable=SC2086
    xva-zstd $level vm.xva >vm.xva.zst
    zstd -qt vm.xva.zst
    zstd -dc vm.xva.zst | cmp - vm.xva
    # The metadata, 3 blocks and 3 with the padded one at the end, the end-of-tar.
    zstd -lv vm.xva.zst >listed 2>&1
    grep -q '# Zstandard Frames: 8' listed
    grep -q '# Skippable Frames: 1' listed
    grep -q 'Check: XXH64' listed
    xva-unpack --verify -q vm.xva.zst
  done
  # Debian's, which has the module.
  /usr/bin/python3 - vm.xva.zst vm.xva <<'PYTHON'
import struct, sys, zstandard
data, plain = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
count, descriptor, magic = struct.unpack("<IBI", data[-9:])
assert (count, descriptor, magic) == (8, 0, 0x8F92EAB1)
head = len(data) - 9 - 8 * count - 8
assert struct.unpack("<II", data[head:head + 8]) == (0x184D2A5E, 8 * count + 9)
at = 0
contents = []
for n in range(count):
    stored, content = struct.unpack_from("<II", data, head + 8 + 8 * n)
    frame = data[at:at + stored]
    found = zstandard.get_frame_parameters(frame)
    assert found.content_size == content and found.has_checksum, n
    contents.append(zstandard.ZstdDecompressor().decompress(frame))
    assert len(contents[-1]) == content, n
    at += stored
assert at == head and b"".join(contents) == plain
assert [content[:16] for content in contents[1:7]] == [
    b"Ref:000/00000000", b"Ref:000/00000003", b"Ref:000/00000005",
    b"Ref:001/00000000", b"Ref:001/00000001", b"Ref:001/00000002"]
assert contents[7] == bytes(1024)
PYTHON
}

@test "empty disks, single blocks, keepalives and ten thousand blocks" {
  truncate -s 100G empty.raw
  truncate -s 512 tiny.raw
  truncate -s 5M zeros.raw
  truncate -s 10000M many.raw
  echo '{"virtual_size":107374182400,"cluster_bits":20,"data_clusters":[]}' | xva-pack empty.raw >empty.xva
  xva-pack --scan tiny.raw >tiny.xva
  # A pause before each block.
  { for _ in 1 2 3 4 5; do head -c 1M /dev/zero; sleep 0.3; done; } | xva-pack --scan --keepalive 1 - >kept.xva
  xva-pack --scan --keep-zeros many.raw >many.xva
  for archive in empty tiny kept many; do
    xva-zstd $archive.xva >$archive.zst
    zstd -dc $archive.zst | cmp - $archive.xva
    xva-unpack --verify -q $archive.zst
  done
  zstd -lv many.zst 2>&1 | grep -q '# Zstandard Frames: 10001'
}

@test "what is cut off or killed ends inside a frame" {
  random_disk a.raw 0 1 2 3
  machine vm.xva a.raw
  size=$(stat -c %s vm.xva)
  for length in 0 100 2000 1500000 $((size - 1024)) $((size - 1)); do
    head -c $length vm.xva >cut
    run --separate-stderr bash -c 'xva-zstd cut > cut.zst'
    [ "$status" -eq 3 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    run ! zstd -qt cut.zst
    run ! xva-unpack cut.zst
  done
  # The filter before says why.
  { cat vm.xva; printf '{"exit_status":4'; } >marked
  run -4 --separate-stderr bash -c 'xva-zstd marked > cut.zst'
  run ! zstd -qt cut.zst
  # As it stands between two blocks, in one, and before the last byte.
  for length in 2112512 2500000 $((size - 1)); do
    rm -f killed.zst
    { head -c $length vm.xva; sleep 5; } | xva-zstd >killed.zst &
    await [ -s killed.zst ]
    sleep 0.2
    kill -KILL $!
    run ! zstd -qt killed.zst
    run -3 xva-unpack -q killed.zst
  done
  # A full disk: a write that is cut off, and one that is not begun.
  xva-zstd vm.xva >whole.zst
  for kib in 1 1024 1027 2052 3000 $(($(stat -c %s whole.zst) / 1024)); do
    fails_with 1 bash -c "trap '' XFSZ; ulimit -f $kib; xva-zstd vm.xva >full.zst"
    [ "$(stat -c %s full.zst)" -eq $((kib * 1024)) ]
    run ! zstd -qt full.zst
    run -3 xva-unpack -q full.zst
  done
}

@test "what cannot be meant is refused in one line, and nothing is written" {
  random_disk a.raw 0
  machine vm.xva a.raw
  xva-zstd vm.xva >vm.xva.zst
  fails_with 4 xva-zstd vm.xva.zst
  [[ $stderr == *"vm.xva.zst: is compressed with zstd"*"zstd -dc vm.xva.zst | xva-zstd" ]]
  [ -z "$output" ]
  gzip -k vm.xva
  fails_with 4 xva-zstd vm.xva.gz
  fails_with 3 xva-zstd a.raw
  fails_with 3 bash -c 'tar -c a.raw | xva-zstd'
  [ -z "$output" ]
  fails_with 1 xva-zstd nowhere
  fails_with 2 xva-zstd -0 vm.xva
  fails_with 2 xva-zstd -20 vm.xva
  fails_with 2 xva-zstd -3 -4 vm.xva
  fails_with 2 xva-zstd vm.xva vm.xva
  fails_with 2 xva-zstd --jobs 0 vm.xva
  fails_with 2 xva-zstd --rsyncable vm.xva
  fails_with 1 bash -c 'xva-zstd vm.xva >&-'
  fails_with 1 bash -c 'xva-zstd vm.xva >/dev/full'
  cp vm.xva same.xva
  fails_with 2 bash -c 'xva-zstd same.xva >>same.xva'
  cmp vm.xva same.xva
  run -2 script -qec 'xva-zstd vm.xva' /dev/null
  [[ $output == *"standard output is a terminal"* ]]
}

@test "a disk out of a file of frames reads that disk alone" {
  random_disk a.raw $(seq 0 79)
  random_disk b.raw 0 1 2
  random_disk c.raw $(seq 0 79)
  machine vm.xva a.raw b.raw c.raw
  xva-zstd -1 vm.xva >vm.xva.zst
  strace -f -o trace -e trace=read,pread64 xva-unpack --disk Ref:001 -o b.out vm.xva.zst >table
  cmp b.raw b.out
  read=$(awk '/= [0-9]+$/ { sum += $NF } END { print sum }' trace)
  # Three blocks, what was read ahead of the next disk by then, and a beginning of a few frames.
  [ "$read" -lt $((40 << 20)) ]
  # A table that lies leads nowhere, and shows that something is wrong.
  python3 - vm.xva.zst <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(-200, 2)
    file.write(bytes(100))
PYTHON
  rm b.out
  for task in --verify '--disk Ref:001 -o b.out'; do
    # shellcheck disable=SC2086
    fails_with 3 xva-unpack $task vm.xva.zst
    [[ $stderr == *"seek table"* ]]
  done
  [ ! -e b.out ]
}

@test "compressing and reading frames take little memory" {
  random_disk a.raw $(seq 0 99)
  machine vm.xva a.raw
  in_memory 65536 xva-zstd --jobs 2 vm.xva >vm.xva.zst
  # As many threads as there are by default on a large machine, which wait for what reads their output.
  in_memory 65536 xva-zstd --jobs 16 vm.xva | { sleep 2; cmp - vm.xva.zst; }
  in_memory 65536 xva-unpack --verify -q vm.xva.zst >table
  in_memory 65536 xva-unpack --verify -q - <vm.xva.zst >table
  # A frame that says nothing of its size, and gzip.
  zstd -q <vm.xva | in_memory 65536 xva-unpack --verify -q - >table
  gzip -1 <vm.xva | in_memory 65536 xva-unpack --verify -q - >table
}

@test "progress is told in lines, and ends with 100" {
  random_disk a.raw 0 1 2 3
  machine vm.xva a.raw
  xva-zstd --progress=5 vm.xva 5>lines >vm.xva.zst
  [ "$(tail -n 1 lines)" = 100/100 ]
  xva-unpack -q --progress=5 vm.xva.zst 5>lines >table
  [ "$(tail -n 1 lines)" = 100/100 ]
  sort -nc lines
}

# frame DISK NUMBER: byte and length of the frame of a block in two.zst, the first block being 1.
frame() {
  xva-headers --output map --disk "$1" two.zst | sed -nE 's/.*"offset": ([0-9]+), .*"host_length": ([0-9]+).*/\1 \2/p' | sed -n "$2p"
}

# part BYTE LENGTH: a part of two.zst.
part() { dd if=two.zst bs=64K iflag=skip_bytes,count_bytes skip="$1" count="$2" status=none; }

@test "a frame that is lost, moved or repeated is no hole, whichever disk is asked for" {
  for disk in a b; do head -c 3M /dev/urandom >$disk.raw; done
  ova-xml --name x --memory 1G --vcpus 1 --firmware bios --disk Ref:0=3M --disk Ref:1=3M >o.xml
  { xva-pack --scan --ova o.xml --prefix Ref:0 --no-trailer a.raw && xva-pack --scan --check-ova o.xml --prefix Ref:1 b.raw; } |
    xva-zstd >two.zst
  read -r at0 length0 <<<"$(frame Ref:0 2)"
  read -r at1 length1 <<<"$(frame Ref:1 2)"
  end1=$((at1 + length1)) size=$(stat -c %s two.zst)
  { part 0 "$at1"; part "$end1" $((size - end1)); } >lost.zst
  { part 0 "$at0"; part $((at0 + length0)) $((size - at0 - length0)); } >first-lost.zst
  { part 0 "$at0"; part "$at1" "$length1"; part "$at0" $((at1 - at0)); part "$end1" $((size - end1)); } >moved.zst
  { part 0 "$end1"; part "$at0" "$length0"; part "$end1" $((size - end1)); } >repeated.zst
  cat two.zst two.zst >twice.zst
  for broken in lost:Ref:1 lost:Ref:0 first-lost:Ref:0 first-lost:Ref:1 moved:Ref:1 moved:Ref:0 repeated:Ref:0 repeated:Ref:1 twice:Ref:0; do
    file=${broken%%:*}.zst disk=${broken#*:}
    fails_with 3 xva-unpack -q --disk "$disk" -o out.raw "$file"
    [ ! -e out.raw ]
    run -3 xva-headers --disk "$disk" "$file"
    [[ $output != *']}'* ]]
  done
  for disk in Ref:0:a Ref:1:b; do
    xva-unpack -q --disk "${disk%:*}" -o out.raw two.zst
    cmp out.raw "${disk##*:}.raw"
    rm out.raw
  done
}

@test "a block whose checksum is gone among others that have one is damage in every task" {
  head -c 3M /dev/urandom >b.raw
  xva-pack --scan b.raw >whole.xva
  # Without the checksum member of the second block: 512 bytes of header, 512 of text.
  { head -c $(((2051 + 1 + 2048) * 512)) whole.xva; tail -c +$(((2051 + 1 + 2048 + 2) * 512 + 1)) whole.xva; } >gone.xva
  for task in --verify --list '--disk Ref:0 -o out.raw' '--keep-going --all -o all'; do
    mkdir -p all
    # shellcheck disable=SC2086
    run -3 xva-unpack -q $task gone.xva
    [ ! -e out.raw ]
  done
}

@test "bombs and lies about sizes end early and in little memory, whatever is asked for" {
  random_disk a.raw 0 1
  machine vm.xva a.raw
  xva-zstd vm.xva >two.zst
  head -c 1G /dev/zero | zstd -q >zeros.zst
  head -c 200M /dev/zero | gzip >zeros.gz
  read -r at length <<<"$(frame Ref:000 2)"
  rest=$((at + length)) size=$(stat -c %s two.zst)
  cat two.zst zeros.zst >after.zst
  { gzip -c vm.xva; cat zeros.gz; } >after.gz
  { part 0 "$at"; cat zeros.zst; part "$at" $((size - at)); } >within.zst
  # A frame of 2^60 bytes in the place of the second block, and a skippable one of 4 GiB before it.
  { part 0 "$at"; printf '\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\0\0\x10\1\0\0'; part "$rest" $((size - rest)); } >claims.zst
  { part 0 "$at"; printf '\x50\x2a\x4d\x18\xff\xff\xff\xff'; part "$at" $((size - at)); } >skips.zst
  mkdir all
  for file in zeros.zst zeros.gz after.zst after.gz within.zst claims.zst skips.zst; do
    for task in --verify --list '--disk Ref:000 -o out.raw' '--keep-going --all --force -o all'; do
      # shellcheck disable=SC2086
      run -3 env time -f %M -o peak xva-unpack -q $task "$file"
      [ "$(tail -n 1 peak)" -le 65536 ]
      # shellcheck disable=SC2086
      run -3 env time -f %M -o peak xva-unpack -q $task - <"$file"
      [ "$(tail -n 1 peak)" -le 65536 ]
      [ ! -e out.raw ]
    done
    case $file in zeros.* | *.gz) expected=4 ;; *) expected=3 ;; esac
    run -$expected --separate-stderr env time -f %M -o peak xva-headers "$file"
    [ "$(tail -n 1 peak)" -le 65536 ]
    [[ $output != *']}'* ]]
  done
  # What is only much of nothing is read.
  python3 -c 'import sys; sys.stdout.buffer.write(b"\x50\x2a\x4d\x18\0\0\0\0" * 100000)' >many
  cat many two.zst >first.zst
  cat two.zst many >last.zst
  for file in first.zst last.zst; do
    in_memory 65536 xva-unpack -q --disk Ref:000 -o out.raw "$file"
    cmp out.raw a.raw
    rm out.raw
  done
}
