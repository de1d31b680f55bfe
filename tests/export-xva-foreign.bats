#!/usr/bin/env bats
# Disks that only qemu reads, in one command: the same bytes as qemu-img convert, and no file that they should not open.

load common
load archive
load export-xva

# source_disk: disk.raw of 20 MiB with four ranges of data, one at its very end.
source_disk() {
  python3 - <<'PY'
import random
data = random.Random(3)
with open("disk.raw", "wb") as disk:
    disk.truncate(20 << 20)
    for at in (0, 3 << 20, (11 << 20) + 4096, (20 << 20) - 70000):
        disk.seek(at)
        disk.write(data.getrandbits(8 * 70000).to_bytes(70000, "little"))
PY
}

# reads_as ARCHIVE RAW [REF]: the disk in ARCHIVE has the bytes of RAW.
reads_as() { xva-unpack -q --disk "${3:-Ref:000}" -o - "$1" | cmp - "$2"; }

# is_exported IMAGE: its archive has the bytes that qemu-img convert finds, and nothing else is left.
is_exported() {
  rm -f out.xva
  run -0 --separate-stderr export_xva -o out.xva "$1"
  [ "${#stderr_lines[@]}" -eq 1 ]
  qemu-img convert -O raw "$1" expected.raw
  reads_as out.xva expected.raw
  [ -z "$(find . -name '*.part*')" ]
}

# KINDS: format, options of qemu-img, ending of the name.
KINDS=(
  'vmdk subformat=monolithicSparse vmdk'
  'vmdk subformat=monolithicFlat vmdk'
  'vmdk subformat=twoGbMaxExtentSparse vmdk'
  'vmdk subformat=twoGbMaxExtentFlat vmdk'
  'vmdk subformat=streamOptimized vmdk'
  'vdi static=off vdi'
  'vdi static=on vdi'
  'vhdx subformat=dynamic vhdx'
  'vhdx subformat=fixed vhdx'
  'qed cluster_size=65536 qed'
  'parallels cluster_size=1048576 hdd'
)

@test "every kind of disk that qemu writes is exported with the bytes that it had" {
  source_disk
  for kind in "${KINDS[@]}"; do
    read -r format option ending <<<"$kind"
    echo "$kind"
    mkdir d
    qemu-img convert -f raw -O "$format" -o "$option" disk.raw d/disk.$ending
    is_exported d/disk.$ending
    cmp expected.raw disk.raw
    # Only what the disk holds is in the archive.
    [ "$(members out.xva)" = "$(printf 'Ref:000/%08d ' 0 3 11 19)" ]
    rm -r d
  done
}

@test "a VMDK split in parts is one disk, in their order" {
  truncate -s 5G disk.raw
  for at in 0 2047 2048 4095 5119; do
    printf 'part at %s' $at | dd of=disk.raw bs=1M seek=$at conv=notrunc status=none
  done
  qemu-img convert -f raw -O vmdk -o subformat=twoGbMaxExtentSparse disk.raw split.vmdk
  [ "$(ls split-s00?.vmdk | wc -l)" -ge 3 ]
  export_xva -o out.xva split.vmdk
  [ "$(members out.xva)" = "$(printf 'Ref:000/%08d ' 0 2047 2048 4095 5119)" ]
  reads_as out.xva disk.raw
}

@test "zeros that a descriptor names are zeros, and what lies after them stays in its place" {
  head -c 1M /dev/urandom >a-flat.vmdk
  cat >a.vmdk <<'END'
# Disk DescriptorFile
version=1
CID=12345678
parentCID=ffffffff
createType="custom"
RW 1024 FLAT "a-flat.vmdk" 1024
RW 4096 ZERO
RW 1024 FLAT "a-flat.vmdk" 0
END
  { tail -c 512k a-flat.vmdk && head -c 2M /dev/zero && head -c 512k a-flat.vmdk; } >expected.raw
  export_xva -o out.xva a.vmdk
  reads_as out.xva expected.raw
}

@test "snapshots are read with their parents, and a parent that is not theirs is refused" {
  source_disk
  qemu-img convert -f raw -O vmdk disk.raw base.vmdk
  qemu-img create -q -f vmdk -F vmdk -b base.vmdk snapshot.vmdk
  qemu-io -f vmdk -c 'write -q -P 9 5M 100k' snapshot.vmdk
  is_exported snapshot.vmdk
  qemu-img convert -f raw -O qed disk.raw base.qed
  qemu-img create -q -f qed -F qed -b base.qed over.qed
  qemu-io -f qed -c 'write -q -P 9 5M 100k' over.qed
  is_exported over.qed
  qemu-img create -q -f qed -F raw -b disk.raw over-raw.qed
  is_exported over-raw.qed
  # Where the file is missing, once is enough.
  mkdir elsewhere
  mv base.vmdk elsewhere/
  fails_with 1 export_xva -o out.xva snapshot.vmdk
  [[ $stderr == *"names $PWD/base.vmdk: there is no such file" ]]
  qemu-img convert -f raw -O vmdk disk.raw base.vmdk
  fails_with 3 export_xva -o out.xva snapshot.vmdk
  [[ $stderr == *"has the CID "*", expected "* ]]
}

@test "what stands in the log of a VHDX alone is in the archive, and the image is left as it was" {
  qemu-img create -q -f vhdx a.vhdx 20M
  qemu-io -f vhdx -c 'write -q -P 5 3M 1M' a.vhdx
  python3 "$ROOT/tests/vhdx_log.py" a.vhdx 05 09
  run -1 qemu-img convert -O raw a.vhdx expected.raw
  [[ $output == *"log that needs to be replayed"* ]]
  cp a.vhdx replayed.vhdx
  cp a.vhdx before
  qemu-img check -q -r all replayed.vhdx
  qemu-img convert -O raw replayed.vhdx expected.raw
  qemu-io -f raw -c 'read -q -P 9 3M 4k' expected.raw
  export_xva -o out.xva a.vhdx
  reads_as out.xva expected.raw
  cmp a.vhdx before
}

@test "without the file system of qemu the same archive comes out of a temporary file" {
  source_disk
  qemu-img convert -f raw -O vmdk disk.raw a.vmdk
  mkdir fake
  printf '#!/bin/sh\nexit 1\n' >fake/qemu-storage-daemon
  chmod +x fake/qemu-storage-daemon
  run -0 --separate-stderr env PATH="$PWD/fake:$PATH" "$ROOT/scripts/export-xva" -o out.xva a.vmdk
  [[ $stderr == *"a.vmdk: qemu cannot show it as a file here"*"temporary one"* ]]
  reads_as out.xva disk.raw
  [ -z "$(find . -name '*.part*')" ]
}

@test "an image that was cut off is damage, by however little" {
  source_disk
  for kind in "${KINDS[@]}"; do
    read -r format option ending <<<"$kind"
    # Their last bytes are no data.
    [[ $option != subformat=streamOptimized && $format != vhdx ]] || continue
    for cut in 1 80000; do
      mkdir d
      qemu-img convert -f raw -O "$format" -o "$option" disk.raw d/disk.$ending
      file=$(find d -name '*[sf-]001.vmdk' -o -name '*-flat.vmdk')
      truncate -s -$cut "${file:-d/disk.$ending}"
      echo "$kind, $cut bytes"
      fails_with 3 export_xva -o out.xva d/disk.$ending
      [ ! -e out.xva ]
      rm -r d
    done
  done
  qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw s.vmdk
  truncate -s -5000 s.vmdk
  run --separate-stderr export_xva -o out.xva s.vmdk
  [[ $status =~ [13] ]]
  [[ $stderr == *s.vmdk* ]]
  [ ! -e out.xva ]
}

# descriptor NAME LINE...: a VMDK of these lines.
descriptor() {
  { printf '# Disk DescriptorFile\nversion=1\nCID=12345678\n' && printf '%s\n' "${@:2}"; } >"$1"
}

@test "no file outside of the folder is opened, whatever an image names" {
  mkdir secret vm sp
  head -c 1M /dev/urandom >secret/flat.vmdk
  cp secret/flat.vmdk sp/
  mkfifo vm/pipe
  flat() { descriptor vm/a.vmdk 'parentCID=ffffffff' 'createType="monolithicFlat"' "RW 2048 FLAT \"$1\" 0"; }
  # Positive controls first.
  cp secret/flat.vmdk vm/flat.vmdk
  flat flat.vmdk
  export_xva -o out.xva vm/a.vmdk
  reads_as out.xva secret/flat.vmdk
  flat ../sp/flat.vmdk
  export_xva -o out.xva --search-path sp vm/a.vmdk
  rm out.xva
  for name in "$PWD/secret/flat.vmdk" ../secret/flat.vmdk ./../secret/flat.vmdk; do
    flat "$name"
    fails_with 4 export_xva -o out.xva vm/a.vmdk
    [[ $stderr == *"say --search-path $PWD/secret" ]]
  done
  for name in /dev/zero 'nbd:localhost:1' 'json:{}' 'file:/etc/passwd' \
    'fat:/etc' 'http://localhost/x'; do
    flat "$name"
    fails_with 4 export_xva -o out.xva vm/a.vmdk
  done
  flat pipe
  fails_with 4 export_xva -o out.xva vm/a.vmdk
  # A parent is a name too, and so is what stands in the descriptor of a sparse file.
  descriptor vm/a.vmdk 'parentCID=12345678' 'parentFileNameHint="../secret/flat.vmdk"' 'RW 2048 FLAT "flat.vmdk" 0'
  fails_with 4 export_xva -o out.xva vm/a.vmdk
  flat ../secret/flat.vmdk
  python3 - <<'PY'
import struct
text = open("vm/a.vmdk", "rb").read()
header = b"KDMV" + struct.pack("<IIQQQQ", 1, 3, 0, 128, 1, 20)
open("vm/embedded.vmdk", "wb").write(header.ljust(512, b"\0") + text.ljust(20 * 512, b"\0"))
PY
  fails_with 4 export_xva -o out.xva vm/embedded.vmdk
  [[ $stderr == *"say --search-path $PWD/secret" ]]
  # An extent that is itself a descriptor, which qemu would follow.
  cp vm/embedded.vmdk vm/inner.vmdk
  descriptor vm/a.vmdk 'parentCID=ffffffff' 'createType="twoGbMaxExtentSparse"' 'RW 2048 SPARSE "inner.vmdk"'
  fails_with 3 export_xva -o out.xva vm/a.vmdk
  qemu-img create -q -f qed -u -F raw -b ../secret/flat.vmdk vm/a.qed 1M
  fails_with 4 export_xva -o out.xva vm/a.qed
  [ ! -e out.xva ]
}

@test "with strace: qemu and its reader open nothing of a refused image but the image" {
  strace -o trace true 2>/dev/null || skip "no strace here"
  mkdir secret vm
  head -c 1M /dev/urandom >secret/flat.vmdk
  descriptor vm/a.vmdk 'parentCID=ffffffff' 'createType="monolithicFlat"' 'RW 2048 FLAT "../secret/flat.vmdk" 0'
  run -4 strace -f -o trace -e trace=open,openat,openat2 "$ROOT/scripts/export-xva" -o out.xva vm/a.vmdk
  grep -q 'vm/a.vmdk' trace
  ! grep -q 'secret/flat' trace
}

@test "descriptors that qemu would read otherwise than they are written are refused" {
  head -c 1M /dev/urandom >flat.vmdk
  while IFS='|' read -r status line; do
    descriptor a.vmdk 'parentCID=ffffffff' 'createType="monolithicFlat"' "$line"
    echo "$line"
    fails_with "$status" export_xva -o out.xva a.vmdk
  done <<'LIST'
4|NOACCESS 2048 FLAT "flat.vmdk" 0
4|RW 2048 VMFSRDM "flat.vmdk" 0
3|RW 2049 FLAT "flat.vmdk" 0
3|RW 1024 FLAT "flat.vmdk" 1025
3|RW 0 FLAT "flat.vmdk" 0
3|RW 9999999999999999999 FLAT "flat.vmdk" 0
3|RW 2048 FLAT
3|RW 2048 SPARSE "flat.vmdk"
3|createType="none"
LIST
  descriptor a.vmdk 'parentCID=ffffffff' 'encryption.keySafe = "vmware:key"' 'RW 2048 FLAT "flat.vmdk" 0'
  fails_with 4 export_xva -o out.xva a.vmdk
  [[ $stderr == *"is encrypted" ]]
  # Read-only data is data.
  descriptor a.vmdk 'parentCID=ffffffff' 'createType="monolithicFlat"' 'RDONLY 2048 FLAT "flat.vmdk" 0'
  export_xva -o out.xva a.vmdk
  reads_as out.xva flat.vmdk
}

@test "only the name and the magic together make a foreign disk; --format says it too" {
  source_disk
  qemu-img convert -f raw -O vmdk disk.raw disk.img
  fails_with 4 export_xva -o out.xva disk.img
  [[ $stderr == *"is a VMDK by its beginning, but not by its name"*"--format vmdk" ]]
  export_xva -o out.xva --format vmdk disk.img
  reads_as out.xva disk.raw
  fails_with 3 export_xva -o out.xva --format vdi disk.img
  fails_with 2 export_xva -o out.xva --format vmdk --device disk.raw disk.img
  run -0 --separate-stderr export_xva -o out.xva --format raw disk.img
  [[ $stderr == *"looks like a VMDK"* ]]
}

@test "strange names of foreign disks are only names" {
  source_disk
  for name in $'-a, "b"\n\377 é.vmdk' 'json:{}.vmdk' 'a:b,c=d.vmdk'; do
    qemu-img convert -f raw -O vmdk -o subformat=twoGbMaxExtentSparse disk.raw x.vmdk
    mv x.vmdk "./$name"
    export_xva -o "./out, put.xva" --name strange -- "$name"
    reads_as "./out, put.xva" disk.raw
  done
}

@test "an interrupted export leaves no daemon and no mount" {
  source_disk
  qemu-img convert -f raw -O vmdk disk.raw a.vmdk
  mkdir bin
  ln -s "$XVA_BIN_DIR"/* bin/
  rm bin/xva-pack
  printf '#!/bin/sh\necho >"%s/packing"\nexec sleep 1000\n' "$PWD" >bin/xva-pack
  chmod +x bin/xva-pack
  XVA_BIN_DIR=$PWD/bin env --default-signal "$ROOT/scripts/export-xva" -o out.xva a.vmdk 2>said &
  await [ -e packing ]
  kill -TERM $!
  local status=0
  wait $! || status=$?
  [ "$status" -eq 143 ]
  rm -r bin packing said
  [ "$(echo *)" = "a.vmdk disk.raw" ]
  run -1 grep -q "$PWD" /proc/mounts
  [ -z "$(pgrep -f "$PWD/out.xva")" ]
}
