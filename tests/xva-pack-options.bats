#!/usr/bin/env bats
# xva-pack: what its options add.

load common
load pack-inputs

crc_of() {
  python3 -c 'import sys, zlib; print("%08x" % zlib.crc32(sys.stdin.buffer.read()))' < "$1"
}

@test "a stream gives the archive of the file" {
  for size in 512 1048576 1049088 3145728; do
    rm -f disk
    raw disk $size 0
    xva-pack --scan disk > expected
    cat disk | xva-pack --scan - | cmp - expected
    xva-pack --scan - < disk | cmp - expected
    # A reader that gets a few bytes at a time.
    dd if=disk bs=700 status=none | xva-pack --scan - | cmp - expected
  done
  raw odd 1000001 0
  cat odd | xva-pack --scan --pad - | cmp - <(xva-pack --scan --pad odd)
}

@test "a stream that cannot be an XVA has no end-of-tar" {
  fails_with 4 xva-pack --scan - < /dev/null
  head -c 1048577 /dev/zero | { ! xva-pack --scan - > archive 2> errors; }
  [ "$(wc -l < errors)" -eq 1 ]
  has_no_end archive
  head -c 512 /dev/zero | { ! xva-pack --scan --no-trailer - > archive 2> errors; }
  [ ! -s archive ]
}

@test "holes are skipped when asked for" {
  raw disk 64M 1 40
  xva-pack -v --scan --skip-holes disk 2> errors > skipped
  xva-pack --scan disk | cmp - skipped
  grep -q ' 4194304 bytes read' errors
  xva-pack --scan --skip-holes - < disk | cmp - skipped
  fails_with 2 xva-pack --skip-holes disk
  fails_with 2 xva-pack --scan --skip-holes - < <(cat disk)
}

@test "any number of threads writes the same bytes" {
  head -c 20M /dev/urandom > disk
  truncate -s 40M disk
  xva-pack --jobs 1 --scan disk > one
  for jobs in 2 8 100; do
    xva-pack --jobs $jobs --scan disk | cmp - one
  done
  xva-pack --drop-cache --scan disk | cmp - one
  fails_with 2 xva-pack --jobs 0 --scan disk
}

@test "--measure is exact with zeros kept and an upper bound without" {
  raw disk 5767168 1 3
  ova ova.xml Ref:0=5767168 Ref:1=5767168
  ova padded.xml Ref:0=6291456
  ova first.xml Ref:0=5767168
  for options in "" "--no-trailer" "--pad" "--checksum sha1" "--ova first.xml" "--pad --ova padded.xml" \
    "--ova ova.xml --no-trailer" "--check-ova ova.xml --prefix Ref:1"; do
    [ "$(xva-pack -q --scan --keep-zeros --measure $options disk)" -eq \
      "$(xva-pack -q --scan --keep-zeros $options disk | wc -c)" ]
    [ "$(xva-pack -q --scan --measure $options disk)" -ge "$(xva-pack -q --scan $options disk | wc -c)" ]
  done
  qemu-img map --output=json -f raw disk > map
  [ "$(xva-pack --keep-zeros --measure disk < map)" -eq "$(xva-pack --keep-zeros disk < map | wc -c)" ]
}

@test "the report counts and its CRC is that of the raw disk" {
  raw disk 9437184 2 5
  echo '{"virtual_size":9437184,"cluster_bits":20,"data_clusters":[2,[4,5]]}' > document
  xva-pack --extents document --report report disk > archive
  jq -e --argjson bytes "$(stat -c %s archive)" --arg crc "$(crc_of disk)" '
    .source == "extents" and .blocks_written == 4 and .zero_blocks_left_out == 1 and .bytes_read == 5 * 1048576
    and .bytes_written == $bytes and .seconds >= 0 and .disk == {bytes: 9437184, crc32: $crc}
    and (has("archived") | not)' report
  # A report that is there already is replaced.
  xva-pack --scan --report report disk > archive
  jq -e '.source == "scan"' report
}

@test "the report of a padded disk has both CRCs" {
  raw disk 5767001 1 3
  truncate -s 6M padded
  cp disk padded && truncate -s 6M padded
  xva-pack --scan --pad --report report disk > archive
  jq -e --arg crc "$(crc_of disk)" --arg padded "$(crc_of padded)" '
    .disk == {bytes: 5767001, crc32: $crc} and .archived == {bytes: 6291456, crc32: $padded}' report
  cat disk | xva-pack --scan --pad --report stream - | cmp - archive
  [ "$(jq -c '[.disk,.archived]' stream)" = "$(jq -c '[.disk,.archived]' report)" ]
}

@test "the report says why the disk was scanned" {
  raw disk 2M
  xva-pack -q --fallback-scan --report report disk < /dev/null > archive
  jq -e '.source == "scan" and (.reason | contains("no extents document"))' report
}

@test "a failed export leaves no report" {
  raw disk 2M
  fails_with 3 xva-pack --report report disk < /dev/null
  [ ! -e report ]
  run bash -c 'xva-pack --scan --report report disk > /dev/full'
  [ "$status" -eq 1 ]
  [ ! -e report ]
  fails_with 1 xva-pack --scan --report nowhere/report disk
  fails_with 1 xva-pack --scan --report . disk
}

@test "--keepalive writes a zero block after silence and never an empty member" {
  { head -c 2M /dev/zero; sleep 1.2; head -c 4M /dev/zero; } | xva-pack --scan --keepalive 1 --report report - > archive
  python3 "$ROOT/tests/importer.py" archive out Ref:0=6291456
  [ "$(tar -tf archive | grep -vc xxhash)" -eq 3 ]
  jq -e '.seconds >= 1 and .seconds < 600' report
  fails_with 2 xva-pack --keepalive 0 --scan archive
}

@test "progress lines are those of nbdcopy" {
  raw disk 200M 7
  xva-pack --scan --progress=9 disk 9> lines > archive
  [ "$(head -n 1 lines)" = 0/100 ]
  [ "$(tail -n 1 lines)" = 100/100 ]
  [ "$(wc -l < lines)" -eq 101 ]
  sort -n -u lines | cmp - lines
  fails_with 2 xva-pack --scan --progress=99 disk
  fails_with 2 xva-pack --scan --progress=x disk
}

@test "a progress reader that goes away does not end the export" {
  raw disk 64M 7
  xva-pack --scan disk > expected
  mkfifo lines
  head -n 1 lines > first &
  xva-pack --scan --progress=9 disk 9> lines | cmp - expected
  wait
  [ "$(cat first)" = 0/100 ]
}

@test "a progress descriptor that nobody reads is refused" {
  raw disk 2M
  mkfifo gone
  : < gone &
  { wait; fails_with 2 timeout 10 xva-pack --scan --progress=9 disk; } 9> gone
}

@test "a bar is drawn on a terminal only" {
  raw disk 8M 7
  xva-pack --scan --progress disk 2> errors | cmp - <(xva-pack --scan disk)
  [ ! -s errors ]
  COLUMNS=80 script -qec "stty cols 80; xva-pack --scan --progress disk > archive" /dev/null < /dev/null > screen
  grep -q '8.00 MiB' screen
}

@test "ova.xml is the first member if it promises the disk" {
  raw disk 3M 1
  ova ova.xml Ref:0=3145728
  xva-pack -q --scan --ova ova.xml disk > archive
  [ "$(tar -tf archive | head -n 1)" = ova.xml ]
  tar -xOf archive ova.xml | cmp - ova.xml
  python3 "$ROOT/tests/importer.py" archive out Ref:0=3145728
  cmp disk out/Ref:0.raw
  raw odd 3145729 1
  ova odd.xml Ref:0=4194304
  xva-pack -q --scan --pad --ova odd.xml odd | tar -t > /dev/null
}

@test "nothing is written if ova.xml promises another disk" {
  raw disk 3M 1
  ova size.xml Ref:0=4194304
  ova missing.xml Ref:7=3145728
  ova cd.xml Ref:0=3145728=CD
  ova iso.xml Ref:0=3145728=Disk=iso
  ova order.xml Ref:-1=512 Ref:0=3145728
  ova last.xml Ref:0=3145728 Ref:1=512
  ova good.xml Ref:0=3145728
  sed s,'export_vsn</name><value>2,export_vsn</name><value>1,' good.xml > version.xml
  head -c 300 good.xml > cut.xml
  echo '{}' > json.xml
  for wrong in size missing cd iso order last version cut json; do
    fails_with 3 xva-pack -q --scan --prefix Ref:0 --ova $wrong.xml disk
    [ -z "$output" ]
    echo "$stderr"
  done
  for wrong in size missing cd iso last version cut json; do
    fails_with 3 xva-pack -q --scan --check-ova $wrong.xml disk
    [ -z "$output" ]
  done
  fails_with 1 xva-pack --scan --ova nowhere disk
  fails_with 2 xva-pack --scan --ova good.xml --check-ova good.xml disk
}

@test "metadata that the importer may dislike is a warning and sound metadata none" {
  raw disk 3M 1
  describe() { ova-xml --name vm --memory 1G --vcpus 1 --firmware bios "${@/#/--disk=}"; }
  describe Ref:0=3M > sound.xml
  describe Ref:0=3M Ref:1=3M > two.xml
  ova bare.xml Ref:0=3145728
  xva-pack --scan --ova sound.xml disk 2> said > archive
  [ ! -s said ]
  xva-pack --scan --ova two.xml --no-trailer disk 2> said > archive
  [ ! -s said ]
  xva-pack --scan --ova sound.xml --no-trailer disk 2> said > archive
  grep -q 'Ref:0 is the last disk of ova.xml, but no end-of-tar will be written' said
  xva-pack --scan --ova bare.xml disk 2> said > archive
  grep -q 'ova.xml: the importer may refuse it: ' said
}

@test "metadata is read to its end or refused for its length" {
  raw disk 3M 1
  ova good.xml Ref:0=3145728
  { cat good.xml; head -c 8388608 /dev/zero | tr '\0' ' '; } | head -c 8388609 > long.xml
  head -c 8388608 long.xml > longest.xml
  fails_with 4 xva-pack -q --scan --ova long.xml disk
  [ -z "$output" ]
  xva-pack -q --scan --ova longest.xml disk | tar -xO ova.xml | cmp - longest.xml
}

@test "a VM of two disks is composed in the order of the prefixes" {
  raw a 3M 1
  raw b 2500000 1
  ova ova.xml Ref:000=3145728 Ref:001=3145728
  { xva-pack -q --scan --pad --ova ova.xml --prefix Ref:000 --no-trailer a &&
    xva-pack -q --scan --pad --check-ova ova.xml --prefix Ref:001 b; } > vm.xva
  tar -tf vm.xva > /dev/null
  python3 "$ROOT/tests/importer.py" vm.xva out Ref:000=3145728 Ref:001=3145728
  cmp a out/Ref:000.raw
  cmp b <(head -c 2500000 out/Ref:001.raw)
  # When the first one fails nothing follows it.
  status=0
  { xva-pack -q --ova ova.xml --prefix Ref:000 --no-trailer a < /dev/null &&
    xva-pack -q --scan --pad --check-ova ova.xml --prefix Ref:001 b; } > broken.xva 2> errors || status=$?
  [ "$status" -eq 3 ]
  [ ! -s broken.xva ]
  # The last disk may not come first, nor the first one last.
  fails_with 3 xva-pack -q --scan --pad --ova ova.xml --prefix Ref:001 --no-trailer b
  fails_with 3 xva-pack -q --scan --pad --check-ova ova.xml --prefix Ref:000 a
}

@test "standard input can be one thing only" {
  fails_with 2 xva-pack -
  fails_with 2 xva-pack --extents - -
  fails_with 2 xva-pack --scan --ova - -
}

@test "a report replaces neither the archive nor what is read" {
  raw disk 1048576 0
  cp disk before
  fails_with 2 xva-pack --scan disk --report disk
  ln -s disk link
  fails_with 2 xva-pack --scan disk --report link
  cmp disk before
  run --separate-stderr bash -c 'xva-pack --scan disk --report archive > archive'
  [ "$status" -eq 2 ]
  [ ! -s archive ]
}

@test "progress lines never go where the data goes" {
  raw disk 1048576 0
  run --separate-stderr bash -c 'xva-pack --scan disk --progress=1 | cat > archive; exit "${PIPESTATUS[0]}"'
  [ "$status" -eq 2 ]
  [ ! -s archive ]
  run -2 --separate-stderr bash -c 'xva-pack --scan disk > archive 3>&1 --progress=3'
  [ ! -s archive ]
  # Here 3 is what standard output was before it became the archive.
  run -0 bash -c 'xva-pack --scan disk 3>&1 --progress=3 > archive'
  [ "${lines[-1]}" = 100/100 ]
  tar -tf archive
}

@test "a file on standard input is read from where it is as a pipe would be" {
  raw disk 2097152 0 1
  { head -c 1048576 > /dev/null; xva-pack --scan -; } < disk > rest
  tail -c 1048576 disk | xva-pack --scan - | cmp - rest
}
