#!/usr/bin/env bats
# xva-headers: the blocks of a disk inside an XVA, by its headers alone; what is read through its map is the disk.

load common
load archive

# leads_to_disk ARCHIVE REF: what is read through the map of the disk is what xva-unpack takes out of the archive.
leads_to_disk() {
  xva-headers -q --output map --disk "$2" "$1" >map || return
  xva-unpack -q --disk "$2" -o - "$1" >disk.out 2>/dev/null || return
  xva-pack --map map --keep-zeros >copy.xva && xva-unpack -q --disk Ref:0 -o - copy.xva 2>/dev/null | cmp - disk.out || return
  # qemu-img and nbdcopy read it, too.
  # shellcheck disable=SC2016
  nbdkit -U - python "$ROOT/scripts/nbdkit-map" map=map --run 'qemu-img compare -q -f raw -F raw "$uri" disk.out' || return
  # Every block with data is in the other forms.
  xva-headers -q --disk "$2" "$1" >intervals
  cmp <(xva-headers -q --output list --disk "$2" "$1" | extents-merge) intervals
  cmp <(extents-merge map) intervals
}

@test "the map of an archive of ours is packed into the same archive again" {
  raw disk.raw 12M 0 4 11
  metadata Ref:000=12M >ova.xml
  xva-pack --scan --ova ova.xml --prefix Ref:000 disk.raw >disk.xva
  xva-headers --output map disk.xva | xva-pack --map - --ova ova.xml --prefix Ref:000 | cmp - disk.xva
  [ "$(xva-headers disk.xva)" = '{"virtual_size":12582912,"cluster_bits":20,"data_clusters":[[0,0],[4,4],[11,11]]}' ]
  leads_to_disk disk.xva Ref:000
  cmp disk.out disk.raw
}

@test "archives of xva-img and GNU tar, with SHA-1, several disks, odd sizes and keepalives lead to their disks" {
  raw a.raw 8M 0 3 7
  raw b.raw 4194816 1
  mkdir -p vm/Ref:000
  metadata Ref:000=8M >vm/ova.xml
  xva-img disk-import vm/Ref:000/ a.raw >log
  xva-img package img.xva vm/ova.xml vm/Ref:000 >log
  leads_to_disk img.xva Ref:000
  cmp disk.out a.raw
  for format in v7 oldgnu gnu ustar pax; do
    (cd vm && tar --format=$format -cf ../tar.xva ova.xml $(find Ref:000 -type f | sort))
    leads_to_disk tar.xva Ref:000
    cmp disk.out a.raw
  done
  metadata Ref:000=8M Ref:001=5M >ova.xml
  { xva-pack --scan --checksum sha1 --ova ova.xml --prefix Ref:000 --no-trailer a.raw &&
    xva-pack --scan --pad --check-ova ova.xml --prefix Ref:001 b.raw; } >two.xva
  truncate -s 5M b.raw
  for disk in 000=a 001=b; do
    leads_to_disk two.xva "Ref:${disk%=*}"
    cmp disk.out "${disk#*=}.raw"
  done
  # A block of no bytes takes a number: the bytes after it belong where they would without it.
  mkdir -p keep/Ref:000
  cp vm/ova.xml keep
  python3 - <<'PYTHON'
import os
blocks = [open("a.raw", "rb").read()[n << 20:(n + 1) << 20] for n in range(8)]
for number, block in enumerate([*blocks[:2], b"", *blocks[2:]]):
    open(f"keep/Ref:000/{number:08}", "wb").write(block)
    # An empty file has a checksum, too: that of no bytes.
    os.system(f"xxhsum -q -H64 keep/Ref:000/{number:08} | cut -c1-16 | tr a-f A-F | tr -d '\\n' >keep/Ref:000/{number:08}.xxhash")
PYTHON
  (cd keep && tar --format=v7 -cf ../keep.xva ova.xml $(find Ref:000 -type f | sort))
  xva-unpack -q --verify keep.xva >/dev/null
  leads_to_disk keep.xva Ref:000
  cmp disk.out a.raw
}

@test "over NBD an archive is a disk: its map is that of the document, and a file is read out of its file system" {
  mkdir -p tree/etc
  head -c 300000 /dev/urandom >tree/etc/file
  truncate -s 64M disk.raw
  mke2fs -q -t ext4 -d tree disk.raw
  metadata Ref:000=64M >ova.xml
  xva-pack --scan --ova ova.xml --prefix Ref:000 disk.raw >disk.xva
  xva-headers --output map disk.xva >map
  # shellcheck disable=SC2016
  nbdkit -U - python "$ROOT/scripts/nbdkit-map" map=map --run 'nbdinfo --map --json "$uri" >nbd.json && nbdcopy "$uri" copied.raw'
  cmp <(extents-merge nbd.json) <(xva-headers disk.xva)
  cmp copied.raw disk.raw
  debugfs -R 'cat /etc/file' copied.raw 2>said | cmp - tree/etc/file
}

@test "without ova.xml a disk ends with its last block, and that is said" {
  raw disk.raw 6M 0 2
  truncate -s 6292480 disk.raw
  xva-pack --scan disk.raw >disk.xva
  run --separate-stderr xva-headers disk.xva
  [ "$status" -eq 0 ]
  [[ $stderr == "xva-headers: disk.xva: has no ova.xml: disk Ref:0 is taken to end where its last block does, at byte 6292480" ]]
  leads_to_disk disk.xva Ref:0
  cmp disk.out disk.raw
  # Its last block is there, also when it is zero.
  xva-headers -q --output map disk.xva | xva-pack --map - --keep-zeros | cmp - <(xva-pack --keep-zeros disk.raw < <(xva-headers -q disk.xva))
  { xva-pack --scan --no-trailer disk.raw && xva-pack --scan --prefix Ref:1 disk.raw; } >two.xva
  fails_with 2 xva-headers two.xva
  [[ $stderr == *": Ref:0, Ref:1" ]]
  leads_to_disk two.xva Ref:1
}

@test "one of several disks must be named, and one that is not there is none" {
  raw a.raw 3M 1
  metadata Ref:000=3M Ref:001=3M >ova.xml
  { xva-pack --scan --ova ova.xml --prefix Ref:000 --no-trailer a.raw &&
    xva-pack --scan --check-ova ova.xml --prefix Ref:001 a.raw; } >two.xva
  fails_with 2 xva-headers two.xva
  [[ $stderr == *"two.xva: holds more than one disk: found 2, expected --disk with one of them: Ref:000, Ref:001" ]]
  [[ $output != *']}' ]]
  fails_with 2 xva-headers --disk Ref:002 two.xva
  [[ $stderr == *"two.xva: has no disk Ref:002: found Ref:000, Ref:001" ]]
  ova-xml --name vm --memory 1G --vcpus 1 --firmware bios --disk Ref:0=1M >one.xml
  tar --format=v7 -cf none.xva --transform 's/one/ova/' one.xml
  fails_with 3 xva-headers none.xva
}

@test "the list is a JSON object for each disk" {
  raw a.raw 3M 1
  metadata Ref:000=3M Ref:001=3M >ova.xml
  { xva-pack --scan --ova ova.xml --prefix Ref:000 --no-trailer a.raw &&
    xva-pack --scan --checksum sha1 --check-ova ova.xml --prefix Ref:001 a.raw; } >two.xva
  xva-headers --list two.xva >list
  [ "$(jq -c . list)" = "$(cat list)" ]
  [ "$(cat list)" = '{"ref":"Ref:000","virtual_size":3145728,"blocks":3,"bytes":3145728,"checksum":"xxhash"}
{"ref":"Ref:001","virtual_size":3145728,"blocks":3,"bytes":3145728,"checksum":"sha1"}' ]
  fails_with 2 xva-headers --list --disk Ref:000 two.xva
  fails_with 2 xva-headers --list --output map two.xva
}

@test "a pipe is wrong usage, and what is compressed is refused with the command that helps" {
  raw a.raw 3M 1
  xva-pack --scan a.raw >a.xva
  for arguments in '' --list '--output list'; do
    # shellcheck disable=SC2086,SC2002
    fails_with 2 bash -c "cat a.xva | xva-headers $arguments -"
    [[ $stderr == *"standard input: is not seekable: found a pipe, expected a file or block device"* ]]
    # shellcheck disable=SC2086
    cmp <(xva-headers -q $arguments - <a.xva) <(xva-headers -q $arguments a.xva)
  done
  fails_with 2 xva-headers --output map - <a.xva
  for compress in 'zstd -q' gzip; do
    $compress -c a.xva >a.packed
    fails_with 4 xva-headers a.packed
    [[ $stderr == *"try: ${compress%% *} -dc a.packed | xva-zstd > FRAMES.xva.zst" ]]
    fails_with 4 xva-headers --list a.packed
    eval "$(sed 's/.*try: //' <<<"$(xva-headers a.packed 2>&1 >/dev/null)")"
    cmp <(xva-headers -q FRAMES.xva.zst) <(xva-headers -q a.xva)
  done
}

@test "an archive in frames leads to the same disk, with and without a seek table" {
  raw a.raw 8M 0 3 7
  raw b.raw 5M 1
  head -c 3M /dev/urandom | dd of=a.raw bs=1M seek=4 conv=notrunc status=none
  metadata Ref:000=8M Ref:001=5M >ova.xml
  { xva-pack --scan --ova ova.xml --prefix Ref:000 --no-trailer a.raw &&
    xva-pack --scan --check-ova ova.xml --prefix Ref:001 b.raw; } >two.xva
  xva-zstd two.xva >table.zst
  # The same frames without the table: a skippable frame of 8 bytes, 8 for each frame, and 9.
  count=$(python3 -c 'import sys; print(int.from_bytes(open("table.zst", "rb").read()[-9:-5], "little"))')
  head -c -$((17 + 8 * count)) table.zst >bare.zst
  # A skippable frame that is no table.
  { cat bare.zst; printf 'P*M\030\004\000\000\000abcd'; } >skippable.zst
  for archive in table bare skippable; do
    for disk in 000=a 001=b; do
      leads_to_disk $archive.zst "Ref:${disk%=*}"
      cmp disk.out "${disk#*=}.raw"
    done
    cmp <(xva-headers --list $archive.zst) <(xva-headers --list two.xva)
    fails_with 2 xva-headers $archive.zst
  done
  # Without ova.xml.
  xva-pack --scan a.raw | xva-zstd >plain.zst
  leads_to_disk plain.zst Ref:0
  cmp disk.out a.raw
}

@test "a seek table that lies leads nowhere else, and frames that part blocks are refused" {
  head -c 6M /dev/urandom >a.raw
  metadata Ref:000=6M >ova.xml
  xva-pack --scan --ova ova.xml --prefix Ref:000 a.raw >a.xva
  xva-zstd a.xva >a.zst
  truncate -s 2M 2m
  zstd -q 2m
  python3 - <<'PYTHON'
import struct
good = open("a.zst", "rb").read()
count = struct.unpack("<I", good[-9:-5])[0]
frames, table = good[:-(17 + 8 * count)], good[-(17 + 8 * count):]
entries = [list(struct.unpack_from("<II", table, 8 + 8 * n)) for n in range(count)]
def write(name, entries, count=None, length=None):
    body = b"".join(struct.pack("<II", *entry) for entry in entries)
    body += struct.pack("<IBI", len(entries) if count is None else count, 0, 0x8F92EAB1)
    open(name, "wb").write(frames + struct.pack("<II", 0x184D2A5E, len(body) if length is None else length) + body)
write("overlapping", [[0, size] for _, size in entries])
write("too-long", [[0xFFFFFFFF, size] for _, size in entries])
write("shifted", entries[1:] + entries[:1])
write("many", entries, count=0xFFFFFFFF)
write("longer", entries, length=0xFFFFFFF0)
write("none", [])
# After the last block: a frame that claims 2^60 bytes, and frames of 2 MiB of zeros, 6 GiB in all.
open("claims", "wb").write(frames + b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 60) + b"\1\0\0")
open("zeros", "wb").write(frames + open("2m.zst", "rb").read() * 3000)
PYTHON
  for table in overlapping too-long shifted many longer none claims zeros; do
    for command in 'xva-headers --output map' 'xva-headers --list' 'xva-unpack --list'; do
      # shellcheck disable=SC2086
      run --separate-stderr env time -f %M -o peak $command $table
      [ "$status" -eq 3 ] || { echo "$command $table: $status $stderr"; return 1; }
      [ "$(tail -n 1 peak)" -lt 32768 ] || { echo "$command $table: $(cat peak)"; return 1; }
      [[ $output != *']' ]]
    done
  done
  # Frames of 700 KB, and one frame that grows to 4 GiB.
  xva-pack --scan a.raw | split -b 700000 --filter 'cat >$FILE; zstd -q $FILE; cat $FILE.zst; rm $FILE $FILE.zst' - part >parted.zst
  fails_with 4 xva-headers -q parted.zst
  [[ $stderr == *"frames that part its blocks"* ]]
  truncate -s 4G bomb
  zstd -q bomb
  run in_memory 65536 xva-headers bomb.zst
  [ "$status" -eq 4 ]
}

@test "what xva-unpack --list refuses is refused, with the same sentence" {
  raw a.raw 3M 0 1 2
  metadata Ref:000=3M >ova.xml
  xva-pack --scan --ova ova.xml --prefix Ref:000 a.raw >a.xva
  xva-zstd a.xva >a.zst
  size=$(stat -c %s a.xva) refused=0
  # Parts of a frame, of the second one, and of the seek table; and bytes of frames that are changed.
  for cut in 0 100 512 20000 $((size - 1048576)) $((size - 1600)) $((size - 1024)) {5,100,1000,4000,-80,-30,-9,-1}.zst {4,9,60,1500,7000,-10,-60,-100}.flipped; do
    case $cut in
      *.zst) head -c "${cut%.zst}" a.zst >bad.xva ;;
      *.flipped) python3 -c 'import sys; b = bytearray(sys.stdin.buffer.read()); b[int(sys.argv[1])] ^= 8; sys.stdout.buffer.write(b)' "${cut%.flipped}" <a.zst >bad.xva ;;
      *) head -c "$cut" a.xva >bad.xva ;;
    esac
    run --separate-stderr xva-unpack --list bad.xva
    expected="$status ${stderr//xva-unpack: /xva-headers: }"
    for arguments in '' --list '--output map'; do
      # shellcheck disable=SC2086
      run --separate-stderr xva-headers $arguments bad.xva
      [ "$status $stderr" = "$expected" ] || { echo "$cut: found $status $stderr, expected $expected"; return 1; }
      [ "$status" -eq 0 ] || [[ $output != *[]}] ]]
    done
    [ "$status" -eq 0 ] || refused=$((refused + 1))
  done
  [ $refused -ge 18 ] || { echo "refused $refused"; return 1; }
}

# reads_began: the file is open, and something of it was read.
reads_began() { [ "$(grep -c = calls 2>/dev/null)" -ge 5 ]; }

@test "an archive that changes while its headers are read is status 1, and no document is completed" {
  truncate -s 200M a.raw
  metadata Ref:000=200M >ova.xml
  echo '{"virtual_size":209715200,"cluster_bits":20,"data_clusters":[[0,199]]}' >all
  xva-pack --keep-zeros --extents all --ova ova.xml --prefix Ref:000 a.raw >plain.xva
  xva-zstd plain.xva >framed.zst
  for change in 'touch a.xva' 'printf x | dd of=a.xva bs=1 seek=100 conv=notrunc status=none' 'truncate -s "$half" a.xva' 'truncate -s +1M a.xva'; do
    for kept in plain.xva framed.zst; do
      cp $kept a.xva
      half=$(($(stat -c %s a.xva) / 25))
      sleep 0.03
      for arguments in '' --list '--output map'; do
        # Its reads are slowed down, so that there is a time between the first and the last one.
        rm -f calls
        # shellcheck disable=SC2086
        strace -qq -o calls -e trace=pread64 -e inject=pread64:delay_enter=5000 xva-headers $arguments a.xva >out 2>err &
        await reads_began
        eval "$change"
        status=0
        wait $! || status=$?
        [ $status -eq 1 ] || { echo "$change: status $status: $(cat out err)"; return 1; }
        [[ $(cat err) == "xva-headers: a.xva: changed while it was read: "*"; try again" ]] || { echo "$kept: $change: $(cat err)"; return 1; }
        [[ $(tail -c 3 out) != *']}'* ]]
        cp $kept a.xva
        sleep 0.03
      done
    done
  done
}

@test "a block costs one small read, and memory does not grow with the disk" {
  # 64 GiB in a file of holes.
  python3 "$ROOT/tests/sparse_archive.py" 65536 64g.xva
  in_memory 16384 xva-headers --output map 64g.xva >map
  in_memory 16384 xva-headers 64g.xva >intervals
  in_memory 16384 xva-headers --list 64g.xva >list
  [ "$(cat intervals)" = '{"virtual_size":68719476736,"cluster_bits":20,"data_clusters":[[0,65535]]}' ]
  [ "$(grep -c '"data": true' map)" -eq 65536 ]
  python3 "$ROOT/tests/sparse_archive.py" 1024 1g.xva
  strace -o calls -e trace=read,pread64,lseek xva-headers --output map 1g.xva >map
  [ "$(wc -l <calls)" -lt 1200 ]
  # All of them together: 1.5 KiB a block.
  [ $(($(sed -n 's/.*= \([0-9]*\)$/\1/p' calls | paste -sd+))) -lt $((1024 * 1536 + 300000)) ]
}

@test "a block that is lost inside a frame of the right length is found there, by its checksum" {
  raw a.raw 5M 0 1 2 3 4
  metadata Ref:000=5M >ova.xml
  xva-pack --scan --ova ova.xml --prefix Ref:000 a.raw >a.xva
  # Between the data of one block and the checksum of the next that is left: frames that begin with blocks do not show it.
  local block=$((1048576 + 1536)) first
  first=$(grep -aob 'Ref:000/00000000' a.xva | head -n 1 | cut -d: -f1)
  { head -c $((first + block + 1048576 + 512)) a.xva; tail -c +$((first + 2 * block + 1048576 + 512 + 1)) a.xva; } >gap.xva
  { head -c "$first" gap.xva | zstd -q; tail -c +$((first + 1)) gap.xva | split -b $block --filter='zstd -q'; } >gap.zst
  zstd -dc gap.zst | cmp - gap.xva
  for archive in gap.xva gap.zst; do
    run -3 xva-unpack --verify "$archive"
    run -3 xva-unpack --list "$archive"
    # Or 4, where a block is not in one frame.
    run ! xva-headers "$archive"
    run ! xva-headers --output map "$archive"
  done
}

@test "a disk of which ova.xml announces no blocks is printed if it has some, and none is not an empty answer" {
  head -c 2M /dev/urandom >d.raw
  # Its drive is one for discs, for which no blocks are expected.
  ova-xml --name vm --memory 1G --vcpus 1 --firmware bios --disk Ref:000=2M --disk Ref:001=2M |
    sed '0,/<value>Disk</s//<value>CD</; 0,/<value>RW</s//<value>RO</' >ova.xml
  tar -cf - --format=ustar ova.xml | head -c $((512 + ($(stat -c %s ova.xml) + 511) / 512 * 512)) >head
  for order in 'Ref:000 Ref:001' Ref:001; do
    cp head vm.xva
    for prefix in $order; do xva-pack --scan --prefix "$prefix" --no-trailer d.raw >>vm.xva; done
    head -c 1024 /dev/zero >>vm.xva
    xva-zstd vm.xva >vm.xva.zst
    for archive in vm.xva vm.xva.zst; do
      xva-headers -q --output map --disk Ref:001 $archive | xva-pack --map - --prefix Ref:000 | xva-unpack -q --disk Ref:000 -o - - | cmp - d.raw
      if [ "$order" = Ref:001 ]; then
        run -2 --separate-stderr xva-headers -q --disk Ref:000 $archive
        [ "$output" = '{"exit_status":2' ]
      else
        xva-headers -q --output map --disk Ref:000 $archive >map
        xva-pack --map map --prefix Ref:000 >of.map
        xva-unpack -q --disk Ref:000 -o - $archive | cmp - d.raw
        xva-unpack -q --disk Ref:000 -o - of.map | cmp - d.raw
      fi
    done
  done
}
