#!/usr/bin/env bats
# Inputs of export-xva that are not simply a file at rest: compressed, open elsewhere, sparse, without something they need.

load common
load archive
load export-xva
load qcow2-images

reads_as() { xva-unpack -q --disk Ref:000 -o - "$1" | cmp - "$2"; }

# packed FILE: FILE.gz, .zst, .xz and .bz2.
packed() {
  gzip -k "$1"
  zstd -q "$1"
  xz -k "$1"
  bzip2 -k "$1"
}

@test "a compressed raw disk is unpacked on the way" {
  seq 1 600000 >disk.raw
  truncate -s 5M disk.raw
  packed disk.raw
  for ending in gz zst xz bz2; do
    run -0 --separate-stderr export_xva -o out.xva disk.raw.$ending
    [ "${#stderr_lines[@]}" -eq 1 ]
    reads_as out.xva disk.raw
    xva-unpack --ova out.xva | grep -q '>disk<'
    # Its name need not say that it is raw where --format does.
    mv disk.raw.$ending what.$ending
    fails_with 4 export_xva -o out.xva what.$ending
    [[ $stderr != *--format* ]]
    export_xva -o out.xva --format raw what.$ending
    reads_as out.xva disk.raw
  done
  [ -z "$(find . -name '*.part*')" ]
}

@test "a compressed image is called what it is, with the commands that export it" {
  qemu-img create -q -f qcow2 disk.qcow2 3M
  qemu-img create -q -f vmdk disk.vmdk 3M
  qemu-img create -q -f vpc -o subformat=fixed,force_size=on disk.raw 3M
  for image in 'disk.qcow2 QCOW2' 'disk.vmdk VMDK' 'disk.raw VHD'; do
    read -r image name <<<"$image"
    packed $image
    for ending in gz zst xz bz2; do
      mv $image before
      fails_with 4 export_xva -o out.xva $image.$ending
      [[ $stderr == *"holds a $name: "* && $stderr != *--format* ]]
      # What is advised works.
      if [ $name != VHD ]; then
        eval "$(sed "s|.*holds a $name: ||; s|$ROOT/scripts/export-xva|export_xva -o out.xva|" <<<"$stderr")"
        rm out.xva $image
      fi
      mv before $image
    done
  done
}

@test "a compressed disk that was cut off is damage" {
  seq 1 600000 >disk.raw
  packed disk.raw
  for ending in gz zst xz bz2; do
    truncate -s -100 disk.raw.$ending
    fails_with 3 export_xva -o out.xva disk.raw.$ending
    [[ $stderr == *"disk.raw.$ending: is damaged: "* ]]
  done
}

@test "a file that only begins like a compressed one is a raw disk where --format says so" {
  { printf '\037\213\010' && seq 1 300000; } >disk.raw
  truncate -s 2M disk.raw
  run -0 --separate-stderr export_xva --format raw -o out.xva disk.raw
  [[ $stderr == *"exported as raw, as --format says, though it looks like a gzip file"* ]]
  reads_as out.xva disk.raw
}

# held_open COMMAND...: in the background, until the end of the test.
held_open() {
  mkfifo hold
  "$@" <hold >/dev/null 2>&1 3>&- &
  exec 7>hold
}

@test "an image that qemu holds open for writing is exported with a warning" {
  qemu-img create -q -f qcow2 a.qcow2 3M
  qemu-img create -q -f qcow2 read.qcow2 3M
  qemu-io -f qcow2 -c 'write -q 1M 1M' a.qcow2
  qemu-img create -q -f qcow2 -F qcow2 -b a.qcow2 over.qcow2
  run -0 --separate-stderr export_xva -o out.xva a.qcow2
  [[ $stderr != *"open for writing"* ]]
  held_open qemu-io -f qcow2 a.qcow2
  # By its lock, which shows byte 101 for a writer.
  await grep -q ":$(stat -c %i a.qcow2) " /proc/locks
  # Also where it is another image that has its data from there.
  run -0 --separate-stderr export_xva -o out.xva over.qcow2
  over=$stderr
  run -0 --separate-stderr export_xva -o out.xva a.qcow2
  exec 7>&-
  wait
  [[ $stderr == *"a.qcow2: another program has it open for writing"* ]]
  [[ $over == *"/a.qcow2: another program has it open for writing"* ]]
  run -0 --separate-stderr export_xva -o out.xva a.qcow2
  [[ $stderr != *"open for writing"* ]]
  # Who only reads is no trouble.
  rm hold
  held_open qemu-io -r -f qcow2 read.qcow2
  await grep -q ":$(stat -c %i read.qcow2) " /proc/locks
  run -0 --separate-stderr export_xva -o out.xva read.qcow2
  exec 7>&-
  wait
  [[ $stderr != *"open for writing"* ]]
}

@test "a file that a program without locks has open for writing is told too, whatever its name" {
  name='a [b]*?.vdi'
  qemu-img create -q -f vdi "$name" 3M
  exec 7<>"$name"
  run -0 --separate-stderr export_xva -o out.xva "$name" 
  exec 7>&-
  [[ $stderr == *"$name: another program has it open for writing"* ]]
  exec 7<"$name"
  run -0 --separate-stderr export_xva -o out.xva "$name" 
  exec 7<&-
  [[ $stderr != *"open for writing"* ]]
}

@test "--skip-holes reads no holes of raw and fixed disks" {
  truncate -s 3G disk.raw
  printf data | dd of=disk.raw bs=1M seek=2000 conv=notrunc status=none
  qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on disk.raw disk.vhd
  for image in '--format raw disk.raw' disk.vhd; do
    # shellcheck disable=SC2086
    strace -f -o trace -e trace=pread64,read,preadv,splice,copy_file_range "$ROOT/scripts/export-xva" -o out.xva --skip-holes $image || skip "no strace here"
    [ "$(grep -cE '= (1048576|[0-9]{7,})$' trace)" -lt 200 ]
    [ "$(members out.xva)" = "$(printf 'Ref:000/%08d ' 0 2000 3071)" ]
  done
}

@test "what is missing is not tried again, and advice can be followed" {
  qemu-img create -q -f qcow2 base.qcow2 3M
  qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 over.qcow2
  mv base.qcow2 gone.qcow2
  fails_with 1 export_xva -o out.xva over.qcow2
  [[ $stderr != *attempt* ]]
  mv gone.qcow2 base.qcow2
  # The format of the backing file taken out.
  python3 - <<'PY'
data = bytearray(open("over.qcow2", "rb").read())
at = data.find(bytes.fromhex("e2792aca"))
data[at:at + 4] = bytes.fromhex("12345678")
open("over.qcow2", "wb").write(data)
PY
  fails_with 4 export_xva -o out.xva over.qcow2
  [[ $stderr == *--backing-format* ]]
  export_xva -o out.xva --backing-format qcow2 over.qcow2
}

@test "an empty disk is called by its name" {
  : >disk.raw
  fails_with 4 export_xva -o out.xva --format raw disk.raw
  [[ $stderr == *"disk.raw: is empty"* ]]
  qemu-img create -q -f qcow2 zero.qcow2 0
  fails_with 4 export_xva -o out.xva zero.qcow2
  [[ $stderr == *"zero.qcow2: its disk is empty"* ]]
}

@test "on a terminal every step is named, and the end says how to import it" {
  qemu-img create -q -f qcow2 a.qcow2 3M
  qemu-img create -q -f vdi 'b c.vdi' 3M
  script -qec "'$ROOT/scripts/export-xva' -o 'v m.xva' --name=web a.qcow2 'b c.vdi'" /dev/null </dev/null | tr -d '\r' >shown
  grep -q 'Ref:000 1/2 ' shown
  grep -q 'Ref:001 2/2 ' shown
  grep -q 'checking ' shown
  tail -n 1 shown | grep -qF "disks: 2, checked; on the host: xe vm-import filename=v\\ m.xva"
  run -0 --separate-stderr export_xva -q -o q.xva a.qcow2
  [ -z "$stderr" ]
  run -0 --separate-stderr export_xva -v -o q.xva a.qcow2
  [[ $stderr == *"Ref:000: a.qcow2, 3145728 bytes"*"export-xva: checking"* && $stderr == *"qcow-headers: a.qcow2: QCOW2 version 3"* ]]
}

@test "what is encrypted is refused before anything is written, in one line" {
  encrypting qemu-img create -q -f qcow2 --object secret,id=s,data=abc -o encrypt.format=luks,encrypt.key-secret=s a.qcow2 3M
  qemu-img create -q -f qcow2 -u -F qcow2 -b a.qcow2 over.qcow2 3M
  for image in a over; do
    fails_with 4 export_xva -o out.xva $image.qcow2
    [[ $stderr == *"a.qcow2: is encrypted: "*"(--device of export-xva)" ]]
  done
  # What is advised works: here the ciphertext stands for what a device shows.
  truncate -s 3M shown.raw
  export_xva -o out.xva --device shown.raw a.qcow2
  encrypting qemu-img create -q -f luks --object secret,id=s,data=abc -o key-secret=s a.luks 3M
  fails_with 4 export_xva -o out.xva a.luks
  [[ $stderr == *"a.luks: is a LUKS volume, which is encrypted: open it with cryptsetup"* ]]
}
