#!/usr/bin/env bats
# The one command: what it writes, what it refuses, and what is left when a stage fails.

load common
load archive
load export-xva

setup() {
  mkdir "$BATS_TEST_TMPDIR/work"
  cd "$BATS_TEST_TMPDIR/work" || return 1
}

@test "without arguments it exports the example and checks it" {
  export_xva
  zstd -dc example.xva.zst | tar -t >members
  [ "$(head -n 1 members)" = ova.xml ]
  [ "$(echo *)" = "example.xva.zst members" ]
  [ "$(stat -c %a example.xva.zst)" = "$(printf %o $((0666 & ~$(umask))))" ]
}

@test "two disks of two formats become one VM, whatever the compression" {
  qemu-img create -q -f qcow2 a.qcow2 10M
  qemu-io -c 'write -P 7 3M 1M' a.qcow2 >/dev/null
  qemu-img create -q -f vpc -o subformat=dynamic,force_size=on b.vhd 5632k
  qemu-io -f vpc -c 'write -P 8 5M 512k' b.vhd >/dev/null
  for suffix in xva xva.gz xva.zst; do
    export_xva -o "vm.$suffix" --name 'a & <b>' --memory 2G --vcpus 2 --firmware uefi --checksum sha1 a.qcow2 b.vhd
  done
  gzip -dc vm.xva.gz | cmp - vm.xva
  zstd -dc vm.xva.zst | cmp - vm.xva
  [ "$(members vm.xva)" = "$(printf 'Ref:000/%08d ' 0 3 9; printf 'Ref:001/%08d ' 0 5)" ]
  checksums_agree vm.xva
  restore vm.xva Ref:000 a.raw
  qemu-img compare -f raw -F qcow2 a.raw a.qcow2
  restore vm.xva Ref:001 b.raw
  qemu-img compare -f raw -F vpc b.raw b.vhd
  tar -xOf vm.xva ova.xml | python3 -c 'import sys, xml.etree.ElementTree as e; e.fromstring(sys.stdin.read())'
}

@test "with --device the bytes come from the raw disk, and only where the image has data" {
  qemu-img create -q -f qcow2 a.qcow2 10M
  qemu-io -c 'write -P 7 3M 1M' a.qcow2 >/dev/null
  head -c 10M <(seq 1 2000000) >device.raw
  export_xva -o vm.xva --device device.raw a.qcow2
  [ "$(members vm.xva)" = "$(printf 'Ref:000/%08d ' 0 3 9)" ]
  tar -xOf vm.xva Ref:000/00000003 | cmp - <(tail -c +3145729 device.raw | head -c 1M)
}

@test "a raw disk must be called one" {
  seq 1 300000 >disk.raw
  truncate -s 2M disk.raw
  fails_with 4 export_xva -o vm.xva disk.raw
  [[ $stderr == *"--format raw"* ]]
  export_xva -o vm.xva --format raw --checksum sha1 disk.raw
  restore vm.xva Ref:000 restored.raw
  cmp restored.raw disk.raw
}

@test "a damaged image leaves no archive, and the one that was there stays" {
  qemu-img create -q -f qcow2 a.qcow2 1G
  qemu-io -c 'write 0 64k' -c 'write 700M 64k' a.qcow2 >/dev/null
  truncate -s 200k a.qcow2
  echo old >vm.xva.zst
  fails_with 3 export_xva -o vm.xva.zst a.qcow2
  [ "$(cat vm.xva.zst)" = old ]
  [ "$(echo *)" = "a.qcow2 vm.xva.zst" ]
}

@test "a disk that is not the image's is refused, and nothing is left" {
  qemu-img create -q -f qcow2 a.qcow2 10M
  truncate -s 11M device.raw
  run -3 --separate-stderr export_xva -o vm.xva --device device.raw a.qcow2
  [[ $stderr == *"device.raw: the disk is not the one in ova.xml: found 11534336 bytes or more, expected virtual_size 10485760" ]]
  [ "$(echo *)" = "a.qcow2 device.raw" ]
}

@test "the programs and formats that the scripts know are those of the workspace" {
  . "$ROOT/scripts/image-format.bash"
  cargo metadata --quiet --offline --locked --no-deps --format-version 1 --manifest-path "$ROOT/Cargo.toml" >metadata
  diff <(printf '%s\n' "${PROGRAMS[@]}" | sort) \
    <(jq -r '.packages[] | select(.publish != []) | .targets[] | select(.kind == ["bin"]) | .name' metadata | sort)
}

@test "a format is known by its magic, and not guessed where there is none or two" {
  . "$ROOT/scripts/image-format.bash"
  fail() { echo "$1"; exit "$2"; }
  qemu-img create -q -f qcow2 a 1M
  [ "$(format_of a)" = qcow2 ]
  for kind in dynamic fixed; do
    qemu-img create -q -f vpc -o subformat=$kind b 1M
    [ "$(format_of b)" = vhd ]
  done
  truncate -s -1 b
  [ "$(format_of b)" = vhd ]
  printf 'QFI\373' | dd of=b conv=notrunc status=none
  run -4 format_of b
  [[ $output == "b: looks like a QCOW2 and like a VHD: say which with --format" ]]
  for name in vmdk vhdx vdi qed parallels; do
    qemu-img create -q -f $name c 1M
    run -4 format_of c
    [[ ${output,,} == "c: is a $name"*": convert it first: qemu-img convert -o qcow2 c c.qcow2" ]]
  done
  truncate -s 1M raw
  run -4 format_of raw
  [ "$output" = "raw: is not a known disk image: found zeros at its beginning; if it is a raw disk, say so with --format raw" ]
  printf '\177ELF "\\' | dd of=raw conv=notrunc status=none
  run -4 format_of raw
  [[ $output == *': found "\x7fELF \x22\x5c\x00" at its beginning; if '* ]]
}

@test "what is no disk image is called what it is" {
  . "$ROOT/scripts/image-format.bash"
  fail() { echo "$1"; exit "$2"; }
  head -c 100000 /dev/urandom >random
  echo '<appliance/>' >ova.xml
  echo '<Envelope/>' >vm.ovf
  touch empty
  echo data/x.vhd >disk.alias.vhd
  xz -k random
  bzip2 -k random
  gzip -k random
  zstd -q random
  { printf '\x50\x2a\x4d\x18\x04\0\0\0abcd' && cat random.zst; } >skippable.zst
  tar -cf vm.xva ova.xml
  tar -cf vm.ova vm.ovf random
  tar -cf other.tar random
  printf '\n<!DOCTYPE html>\n<html></html>' >page
  truncate -s 1M boot
  printf '\125\252' | dd of=boot bs=1 seek=510 conv=notrunc status=none
  while read -r expected file sentence; do
    run "-$expected" format_of "$file"
    [[ $output == "$file: is $sentence"* ]] || { echo "found $output, expected $sentence"; return 1; }
  done <<'LIST'
3 empty an empty file
3 disk.alias.vhd an alias of Xen Orchestra
4 random.xz an xz file: decompress it first: xz -dc random.xz > random
4 random.bz2 a bzip2 file
4 random.gz a gzip file
4 random.zst a zstd file
4 skippable.zst a zstd file
3 vm.xva an XVA, which xva-unpack reads
3 vm.ova an OVA, which tar reads
3 other.tar a tar
3 page a web page (HTML)
4 boot a raw disk with a boot sector
LIST
}

@test "wrong usage is status 2" {
  fails_with 2 export_xva --bogus
  fails_with 2 export_xva -o
  fails_with 2 export_xva -o vm.tar "$ROOT/scripts/example/example.qcow2"
  fails_with 1 export_xva missing.qcow2
  fails_with 2 export_xva --format vmfs -o vm.xva "$ROOT/scripts/example/example.qcow2"
  run -0 export_xva --help
  [[ $output == *Examples:* ]]
}

@test "without an image, options are wrong usage, and no archive becomes the example" {
  echo precious >nightly.xva.zst
  fails_with 2 export_xva -o nightly.xva.zst
  [ "$(cat nightly.xva.zst)" = precious ]
}

@test "a raw disk that looks like an image stays a raw disk, and it is said" {
  qemu-img create -q -f qcow2 other.qcow2 10M
  truncate -s 1M other.qcow2
  run -0 --separate-stderr export_xva --format raw --checksum sha1 -o o.xva other.qcow2
  [[ $stderr == *"other.qcow2: exported as raw, as --format says, though it looks like a QCOW2"* ]]
  restore o.xva Ref:000 o.raw
  cmp o.raw other.qcow2
}

@test "strange file names are only names" {
  qemu-img create -q -f qcow2 disk.qcow2 2M
  name=$'-a "b"\n$(touch hacked) é.qcow2'
  mv disk.qcow2 "./$name"
  export_xva -o './-out put.xva' -- "$name"
  [ -s './-out put.xva' ]
  # Without -o the archive is called like the image.
  export_xva -- "$name"
  [ -s "./${name%.qcow2}.xva.zst" ]
  # To a filter it would be standard input.
  head -c 1M /dev/urandom >./-
  export_xva --format raw --checksum sha1 -o minus.xva -- - </dev/null
  restore minus.xva Ref:000 restored.raw
  cmp ./- restored.raw
  [ ! -e hacked ]
}

# fake_headers TIMES STATUS: filters of which qcow-headers --output map, the first TIMES that it is called,
# breaks off in the middle of the map with STATUS, as over an image that changed.
fake_headers() {
  mkdir ../bin
  ln -s "$XVA_BIN_DIR"/* ../bin/
  rm ../bin/qcow-headers
  cat >../bin/qcow-headers <<SH
#!/usr/bin/env bash
case \$* in
  # The first look is before the archive.
  *map*) [ -e "$PWD/../looked" ] || { touch "$PWD/../looked"; exec "$XVA_BIN_DIR/qcow-headers" "\$@"; } ;;
  *) exec "$XVA_BIN_DIR/qcow-headers" "\$@" ;;
esac
echo call >>"$PWD/../calls"
[ \$(wc -l <"$PWD/../calls") -le $1 ] || exec "$XVA_BIN_DIR/qcow-headers" "\$@"
"$XVA_BIN_DIR/qcow-headers" "\$@" | head -c 60
printf '{"exit_status":$2'
echo "qcow-headers: a.qcow2: changed" >&2
exit $2
SH
  chmod +x ../bin/qcow-headers
  export XVA_BIN_DIR=$PWD/../bin
}

@test "an image that changed while it was read is exported again, from the beginning" {
  qemu-img create -q -f qcow2 a.qcow2 10M
  qemu-io -c 'write -P 7 3M 1M' a.qcow2 >/dev/null
  export_xva -o whole.xva --name a a.qcow2
  fake_headers 2 1
  run -0 --separate-stderr export_xva -o vm.xva --name a a.qcow2
  [[ $stderr == *"second attempt"*"third attempt"* ]]
  [ "$(wc -l <../calls)" -eq 3 ]
  cmp <(tar -xOf vm.xva Ref:000) <(tar -xOf whole.xva Ref:000)
  [ "$(members vm.xva)" = "$(members whole.xva)" ]
  [ "$(echo *)" = "a.qcow2 vm.xva whole.xva" ]
}

@test "after three attempts, and at once for any other status, it ends with that status" {
  qemu-img create -q -f qcow2 a.qcow2 10M
  fake_headers 9 1
  run -1 --separate-stderr export_xva -o vm.xva a.qcow2
  [ "$(wc -l <../calls)" -eq 3 ]
  rm ../looked
  sed -i 's/"exit_status":1/"exit_status":4/; s/^exit 1$/exit 4/' ../bin/qcow-headers
  rm ../calls
  run -4 export_xva -o vm.xva a.qcow2
  [ "$(wc -l <../calls)" -eq 1 ]
  [ "$(echo *)" = a.qcow2 ]
}

@test "an archive that cannot be written is not tried again" {
  qemu-img create -q -f qcow2 a.qcow2 10M
  fake_headers 0 1
  rm -f ../bin/xva-zstd
  printf '#!/bin/sh\nexec cat >/dev/full\n' >../bin/xva-zstd
  chmod +x ../bin/xva-zstd
  run -1 --separate-stderr export_xva -o vm.xva.zst a.qcow2
  [ "$(wc -l <../calls)" -eq 1 ]
  [[ $stderr != *attempt* ]]
}

has_ended() { ! kill -0 "$1" 2>/dev/null; }

@test "an export that is interrupted ends at once, with all its programs, and is not tried again" {
  qemu-img create -q -f qcow2 a.qcow2 10M
  mkdir ../bin
  ln -s "$XVA_BIN_DIR"/* ../bin/
  rm ../bin/xva-pack
  cat >../bin/xva-pack <<SH
#!/bin/sh
echo \$\$ >"$PWD/../packer"
exec sleep 1000
SH
  chmod +x ../bin/xva-pack
  for signal in HUP INT TERM; do
    XVA_BIN_DIR=$PWD/../bin env --default-signal "$ROOT/scripts/export-xva" -o vm.xva a.qcow2 2>said &
    await [ -s ../packer ]
    kill -$signal $!
    local status=0
    wait $! || status=$?
    [ "$status" -eq $((128 + $(kill -l $signal))) ]
    packer=$(cat ../packer)
    await has_ended "$packer"
    rm ../packer
    [ ! -s said ]
    rm said
    [ "$(echo *)" = a.qcow2 ]
  done
}

@test "what would be exported is never written to, and a directory is no archive" {
  head -c 1M <(seq 1 300000) >w.xva
  cp w.xva before
  fails_with 2 export_xva --format raw -o w.xva w.xva
  ln -s w.xva link.xva
  fails_with 2 export_xva --format raw -o link.xva w.xva
  # Nor is an image that is not named itself, as a backing file may be.
  qemu-img create -q -f qcow2 base.xva 1M
  qemu-img create -q -f qcow2 -F qcow2 -b base.xva top.qcow2
  fails_with 2 export_xva -o base.xva top.qcow2
  qemu-img check -q base.xva
  rm base.xva top.qcow2
  cmp w.xva before
  mkdir d.xva
  fails_with 1 export_xva --format raw -o d.xva w.xva
  [ -z "$(ls d.xva)" ]
  fails_with 1 export_xva --format raw -o missing/d.xva w.xva
}

@test "two exports to one name leave one whole archive" {
  head -c 16M <(seq 1 3000000) >a.raw
  for _ in 1 2 3; do
    export_xva --format raw -o o.xva a.raw &
    export_xva --format raw -o o.xva a.raw
    wait $!
    xva-unpack --verify o.xva >/dev/null
  done
  [ "$(echo *)" = "a.raw o.xva" ]
}

@test "what is to be replaced must be readable, and an archive that cannot have its mode is kept" {
  held_to_modes true || skip "no setpriv that takes capabilities away"
  qemu-img create -q -f qcow2 a.qcow2 3M
  echo precious >a.xva
  chmod 200 a.xva
  fails_with 1 held_to_modes "$ROOT/scripts/export-xva" -o a.xva a.qcow2
  [[ $stderr == *"a.xva: cannot be read"* ]]
  chmod 644 a.xva
  [ "$(cat a.xva)" = precious ]
  mkdir fake
  printf '#!/bin/sh\nexit 1\n' >fake/cp
  chmod +x fake/cp
  PATH=$PWD/fake:$PATH run -0 export_xva -o a.xva a.qcow2
  [[ $output == *"a.xva: does not get the owner and mode "* ]]
  [ "$(stat -c %a a.xva)" = 600 ]
  xva-unpack --verify -q -- a.xva
}
