#!/usr/bin/env bats
# scripts/restore-disk: archive in, image out, as qemu-img reads it; only what is whole gets its name.

load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  export XVA_BIN_DIR=${XVA_BIN_DIR:-$ROOT/target/release}
  # Data of every kind, and a size that no rounding leaves alone.
  head -c 3M /dev/urandom >a.raw
  truncate -s 20M a.raw
  head -c 2M < <(yes 'what is repeated') >>a.raw
  truncate -s 33M a.raw
  ova-xml --name vm --memory 1G --vcpus 1 --firmware bios --disk Ref:000=33M >ova.xml
  xva-pack --scan --ova ova.xml --prefix Ref:000 a.raw >vm.xva
}

restore() { "$ROOT/scripts/restore-disk" "$@"; }

# stored FILE: bytes that its file system keeps for it.
stored() { du -B1 "$1" | cut -f1; }

# nothing_left: neither parts of an image nor temporary files are.
nothing_left() {
  ! ls -A | grep -E 'part|\.map$|\.said$' || { ls -A; return 1; }
}

@test "every format holds the disk, sparse, under the name of the archive or the one that is given" {
  local format suffix
  for format in qcow2 vpc:vhd raw vmdk; do
    suffix=${format#*:} format=${format%:*}
    run -0 --separate-stderr restore -O $format vm.xva
    [[ $stderr == "restore-disk: ./vm.$suffix: $format, disk Ref:000, "*" bytes ("*") on disk, checked" ]]
    qemu-img compare -f $format -F raw vm.$suffix a.raw
    [ "$(qemu-img info -f $format --output=json vm.$suffix | jq '."virtual-size"')" -eq 34603008 ]
    [ "$(stored vm.$suffix)" -lt 8000000 ]
    restore --no-verify -o named.$suffix vm.xva
    qemu-img compare -f $format -F raw named.$suffix a.raw
    [ "$(stat -c %a named.$suffix)" = 644 ]
  done
  nothing_left
}

@test "what is compressed in one piece goes through a pipe or a sparse temporary file" {
  zstd -q vm.xva
  gzip -k vm.xva
  for archive in vm.xva.zst vm.xva.gz; do
    run -0 --separate-stderr restore -O raw -o from-$archive.raw $archive
    [[ $stderr != *"temporary file"* ]]
    cmp from-$archive.raw a.raw
    [ "$(stored from-$archive.raw)" -lt 8000000 ]
    for format in qcow2 vpc vmdk; do
      run -0 --separate-stderr restore -O $format -o from-$archive.$format $archive
      [[ $stderr == *"$archive: is compressed in one piece: the disk goes through the temporary file "* ]]
      qemu-img compare -f $format -F raw from-$archive.$format a.raw
    done
  done
  nothing_left
}

@test "what is compressed in frames is read where it lies, in every format" {
  xva-zstd vm.xva >vm.xva.zst
  for format in qcow2 vpc raw vmdk; do
    run -0 --separate-stderr restore -O $format -o out.$format vm.xva.zst
    [[ $stderr == "restore-disk: ./out.$format: $format, disk Ref:000, "*" bytes ("*") on disk, checked" ]]
    qemu-img compare -f $format -F raw out.$format a.raw
  done
  nothing_left
}

@test "one of several disks is named, from a file and from a stream" {
  ova-xml --name vm --memory 1G --vcpus 1 --firmware bios --disk Ref:000=33M --disk Ref:001=2M >ova.xml
  head -c 2M /dev/urandom >b.raw
  { xva-pack --scan --ova ova.xml --prefix Ref:000 --no-trailer a.raw &&
    xva-pack --scan --check-ova ova.xml --prefix Ref:001 b.raw; } >two.xva
  zstd -q two.xva
  for archive in two.xva two.xva.zst; do
    fails_with 2 restore $archive
    [[ $stderr == *"more than one disk"*": Ref:000, Ref:001" ]]
    restore --disk Ref:001 -f -o b.qcow2 $archive
    qemu-img compare -f qcow2 -F raw b.qcow2 b.raw
    run -2 restore --disk Ref:002 -o c.qcow2 $archive
    [[ $output == *"has no disk Ref:002: found Ref:000, Ref:001" ]]
  done
  restore --disk Ref:000 two.xva
  qemu-img compare -f qcow2 -F raw two-Ref-000.qcow2 a.raw
  nothing_left
}

@test "damage in the archive leaves no image" {
  # In the data of a block, which only its checksum knows; in a header; at the end.
  cp vm.xva data.xva
  printf '\377\377\377\377' | dd of=data.xva bs=1 seek=500000 conv=notrunc status=none
  head -c 2M vm.xva >short.xva
  for archive in data.xva short.xva; do
    run --separate-stderr restore -o $archive.qcow2 $archive
    [ "$status" -eq 3 ]
    [ ! -e $archive.qcow2 ]
    zstd -qf $archive
    run --separate-stderr restore -O raw -o $archive.raw $archive.zst
    [ "$status" -eq 3 ]
    [ ! -e $archive.raw ]
  done
  # Who does not want to know is not told.
  restore --no-verify -o data.qcow2 data.xva
  nothing_left
}

@test "an image that does not hold what was in the archive is not given its name" {
  # A qemu-img that forgets one block, and one that fails.
  mkdir fake
  real=$(command -v qemu-img)
  for format in qcow2 vmdk; do
    printf '#!/bin/bash\n%s "$@" || exit\n[ "$1" != convert ] || %s -f %s -c "write -q -P 7 20M 512" "${@: -1}"\n' "$real" "$(command -v qemu-io)" $format >fake/qemu-img
    chmod +x fake/qemu-img
    PATH=$PWD/fake:$PATH fails_with 3 restore -o out.$format vm.xva
    [[ $stderr == *"out.$format: the image does not read back as it was written" ]]
    [ ! -e out.$format ]
  done
  # A raw one is written without qemu.
  cp "$XVA_BIN_DIR"/{{vhd,qcow,xva}-headers,extents-merge,xva-pack,xva-zstd,ova-xml} fake
  printf '#!/bin/bash\n%q "$@" || exit\nfor ((i = 1; i < $#; i++)); do [ "${!i}" != -o ] || { i=$((i + 1)); printf x | dd of="${!i}" bs=1 seek=20M conv=notrunc status=none; }; done\n' \
    "$XVA_BIN_DIR/xva-unpack" >fake/xva-unpack
  chmod +x fake/xva-unpack
  XVA_BIN_DIR=$PWD/fake fails_with 3 restore -o out.raw vm.xva
  [[ $stderr == *"out.raw: the image does not read back as it was written" ]]
  [ ! -e out.raw ]
  printf '#!/bin/sh\nexit 1\n' >fake/qemu-img
  PATH=$PWD/fake:$PATH run -1 restore -o a.qcow2 vm.xva
  [ ! -e a.qcow2 ]
  nothing_left
}

@test "a signal leaves nothing behind" {
  mkdir fake
  printf '#!/bin/sh\nprintf "%%s\\n" "$@" >said\necho $$ >begun\nexec sleep 60\n' >fake/qemu-img
  chmod +x fake/qemu-img
  for signal in HUP INT TERM; do
    rm -f begun
    # Job control, so that SIGINT is not ignored in the background.
    (set -m; PATH=$PWD/fake:$PATH "$ROOT/scripts/restore-disk" -o a.qcow2 vm.xva 2>err & echo $! >pid; wait)& waiting=$!
    await test -s begun
    kill -$signal "$(cat pid)"
    wait $waiting || true
    # The last of its processes is gone, too.
    await bash -c "! kill -0 $(cat begun) 2>/dev/null"
    [ ! -e a.qcow2 ]
    nothing_left
    # Nor is the folder of the socket that nbdkit listened at.
    socket=$(sed -n 's/^nbd.*socket=//p' said)
    [ -n "$socket" ]
    [ ! -e "$(dirname "$socket")" ]
  done
}

@test "what is there already, the archive, and what is no file are not written to" {
  echo precious >a.qcow2
  fails_with 2 restore -o a.qcow2 vm.xva
  [ "$(cat a.qcow2)" = precious ]
  chmod 600 a.qcow2
  restore --force -o a.qcow2 vm.xva
  qemu-img compare -f qcow2 -F raw a.qcow2 a.raw
  [ "$(stat -c %a a.qcow2)" = 600 ]
  ln vm.xva linked.raw
  fails_with 2 restore --force -o linked.raw vm.xva
  fails_with 2 restore --force -o /dev/null vm.xva
  fails_with 1 restore -o . vm.xva
  fails_with 1 restore -o nowhere/a.qcow2 vm.xva
  fails_with 1 restore nowhere.xva
  fails_with 2 restore
  fails_with 2 restore vm.xva vm.xva
  fails_with 2 restore -O vdi vm.xva
  fails_with 2 restore --what vm.xva
  fails_with 2 restore vm.xva -o
}

@test "quiet says nothing, and the version is that of the sources" {
  restore --quiet -o a.qcow2 vm.xva 2>said
  [ ! -s said ]
  qemu-img compare -f qcow2 -F raw a.qcow2 a.raw
  run -0 restore --version
  [ "$output" = "restore-disk $(sed -n 's/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -n 1)" ]
}

@test "names with blanks, dashes and quotes are names" {
  mkdir "a '\$b"
  cp vm.xva "a '\$b/-x \"y.xva"
  cd "a '\$b"
  restore -O raw -- '-x "y.xva'
  cmp -- '-x "y.raw' ../a.raw
  long=$(printf 'x%.0s' {1..250})
  restore -o "$long.vmdk" -- '-x "y.xva'
  qemu-img compare -f vmdk -F raw "$long.vmdk" ../a.raw
}

@test "what qemu would take for a protocol is a name" {
  mkdir a:b
  for name in a:b/o nbd:c json:d; do
    for format in qcow2 vmdk raw; do
      restore -O $format -o "$name.$format" vm.xva
      qemu-img compare -f $format -F raw "./$name.$format" a.raw
    done
  done
  cp vm.xva http:x.xva
  restore http:x.xva
  zstd -q vm.xva
  restore -f -o a:b/o.qcow2 vm.xva.zst
  qemu-img compare -f qcow2 -F raw ./a:b/o.qcow2 a.raw
  nothing_left
}

@test "a name that is not UTF-8 is refused, and nothing is written" {
  fails_with 4 restore -o $'caf\xe9.qcow2' vm.xva
  mkdir $'caf\xe9'
  fails_with 4 restore -o $'caf\xe9/a.vmdk' vm.xva
  [ -z "$(ls -A $'caf\xe9')" ]
  restore -o $'caf\xc3\xa9.qcow2' vm.xva
  nothing_left
}

@test "descriptors that are closed are no reason to install anything, nor to fail" {
  mkdir fake
  printf '#!/bin/sh\necho called >>%s/installed\nexit 1\n' "$PWD" >fake/apt-get
  chmod +x fake/apt-get
  PATH=$PWD/fake:$PATH restore -o in.qcow2 vm.xva <&-
  PATH=$PWD/fake:$PATH restore -o out.qcow2 vm.xva >&-
  PATH=$PWD/fake:$PATH restore -o none.qcow2 vm.xva <&- >&- 2>&-
  for image in in out none; do qemu-img compare -f qcow2 -F raw $image.qcow2 a.raw; done
  [ ! -e installed ]
  ! restore --help >&- 2>/dev/null
}

@test "nobody else can read the image before it is done" {
  zstd -q vm.xva
  mkdir fake
  printf '#!/bin/sh\n%s "$@" || exit\nfind . -newer begun -printf "%%m %%p\\n" | grep part >>modes\nexit 0\n' "$(command -v qemu-img)" >fake/qemu-img
  chmod +x fake/qemu-img
  touch begun
  for archive in vm.xva vm.xva.zst; do
    PATH=$PWD/fake:$PATH restore -O vmdk -o $archive.vmdk $archive
    [ "$(stat -c %a $archive.vmdk)" = 644 ]
  done
  grep /image/ modes
  grep /raw modes
  ! grep -v '^[67]00 ' modes
}

@test "a VMDK says its own name, and not a temporary one" {
  restore -o named.vmdk vm.xva
  head -c 64K named.vmdk | grep -a 'SPARSE "named.vmdk"'
}

@test "a file that comes while the image is written is not replaced without --force" {
  mkdir fake
  printf '#!/bin/sh\n%s "$@" || exit\necho precious >a.qcow2\n' "$(command -v qemu-img)" >fake/qemu-img
  chmod +x fake/qemu-img
  for links in yes no; do
    PATH=$PWD/fake:$PATH fails_with 1 restore -o a.qcow2 vm.xva
    [ "$(cat a.qcow2)" = precious ]
    rm a.qcow2
    nothing_left
    # As on a file system without hard links.
    printf '#!/bin/sh\nexit 1\n' >fake/ln
    chmod +x fake/ln
  done
  rm fake/qemu-img
  PATH=$PWD/fake:$PATH restore -o b.qcow2 vm.xva
  qemu-img compare -f qcow2 -F raw b.qcow2 a.raw
  nothing_left
}

@test "an image that cannot have the mode of the one that it replaces is kept" {
  echo old >a.qcow2
  mkdir fake
  printf '#!/bin/sh\nexit 1\n' >fake/cp
  chmod +x fake/cp
  PATH=$PWD/fake:$PATH run -0 restore -f -o a.qcow2 vm.xva
  [[ $output == *"a.qcow2: does not get the owner and mode "* ]]
  qemu-img compare -f qcow2 -F raw a.qcow2 a.raw
  [ "$(stat -c %a a.qcow2)" = 600 ]
}

@test "what is to be replaced must be readable, so that owner and mode can be kept" {
  held_to_modes true || skip "no setpriv that takes capabilities away"
  echo precious >a.qcow2
  chmod 200 a.qcow2
  fails_with 1 held_to_modes "$ROOT/scripts/restore-disk" -f -o a.qcow2 vm.xva
  [[ $stderr == *"a.qcow2: cannot be read"* ]]
  chmod 600 a.qcow2
  [ "$(cat a.qcow2)" = precious ]
  nothing_left
}
