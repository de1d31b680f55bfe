#!/usr/bin/env bats
# OVA: a machine with its disks, read where they lie in the archive.

load common
load archive
load ovf
load export-xva

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  truncate -s 20M first.raw
  head -c 100k /dev/urandom | dd of=first.raw bs=1M seek=3 conv=notrunc status=none
  truncate -s 7M second.raw
  head -c 100k /dev/urandom | dd of=second.raw bs=1M seek=5 conv=notrunc status=none
  truncate -s 3M blank.raw
}

reads_as() { xva-unpack -q --disk "$3" -o - "$1" | cmp - "$2"; }

# disks_of FORMAT [OPTION]: both disks, under their names in the OVF.
disks_of() {
  qemu-img convert -f raw -O "$1" ${2:+-o "$2"} first.raw m-disk1.vmdk
  qemu-img convert -f raw -O "$1" ${2:+-o "$2"} second.raw m-disk2.vmdk
}

# manifest [BITS]: of m.ovf and its disks, as openssl prints it.
manifest() { openssl dgst "-sha${1:-256}" m.ovf m-disk1.vmdk m-disk2.vmdk; }

@test "an OVA of two disks is that machine, in the order in which it sees them" {
  disks_of vmdk subformat=streamOptimized
  ovf >m.ovf
  tar -cf m.ova m.ovf m-disk1.vmdk m-disk2.vmdk
  run -0 --separate-stderr export_xva -o out.xva m.ova
  [ "${#stderr_lines[@]}" -eq 1 ]
  reads_as out.xva first.raw Ref:000
  reads_as out.xva second.raw Ref:001
  reads_as out.xva blank.raw Ref:002
  ova-xml --name 'web & co = 1=' --memory 3G --vcpus 4 --firmware uefi --network 'VM Network' \
    --disk Ref:000=20M --disk Ref:001=7M --disk Ref:002=3M >expected.xml
  xva-unpack --ova out.xva | cmp - expected.xml
  [ -z "$(find . -name '*.part*')" ]
}

@test "an option goes over what the OVF says" {
  disks_of vmdk subformat=streamOptimized
  ovf >m.ovf
  tar -cf m.ova m.ovf m-disk1.vmdk m-disk2.vmdk
  export_xva -o out.xva --name other --memory 1G --vcpus 1 --firmware bios --network a --network b m.ova
  ova-xml --name other --memory 1G --vcpus 1 --firmware bios --network a --network b \
    --disk Ref:000=20M --disk Ref:001=7M --disk Ref:002=3M >expected.xml
  xva-unpack --ova out.xva | cmp - expected.xml
  # Its disks beside the OVF, and others after them.
  export_xva -o out.xva --format raw second.raw
  export_xva -o out.xva m.ovf
  reads_as out.xva first.raw Ref:000
  qemu-img create -q -f qcow2 more.qcow2 3M
  export_xva -o out.xva m.ova more.qcow2
  reads_as out.xva second.raw Ref:001
  reads_as out.xva blank.raw Ref:003
  fails_with 2 export_xva -o out.xva m.ova m.ova
}

@test "disks of other formats are read where they lie in an OVA" {
  for format in vdi qcow2 vpc vhdx; do
    disks_of $format "$([ $format != vpc ] || echo force_size=on)"
    ovf >m.ovf
    tar -cf m.ova m.ovf m-disk1.vmdk m-disk2.vmdk
    export_xva -o out.xva m.ova
    reads_as out.xva first.raw Ref:000
    reads_as out.xva second.raw Ref:001
  done
}

@test "a disk of an OVA cannot name another file" {
  head -c 1M /dev/urandom >secret.raw
  cp second.raw m-disk2.vmdk
  ovf >m.ovf
  for kind in 'qcow2 -F raw -b secret.raw' 'qed -F raw -b secret.raw'; do
    # shellcheck disable=SC2086
    qemu-img create -q -u -f $kind m-disk1.vmdk 1M
    mkdir vm
    tar -cf vm/m.ova m.ovf m-disk1.vmdk m-disk2.vmdk
    run --separate-stderr export_xva -o out.xva vm/m.ova
    [[ $status =~ [14] ]]
    [ ! -e out.xva ]
    rm -r vm
  done
  printf '# Disk DescriptorFile\nCID=1\nparentCID=ffffffff\nRW 2048 FLAT "secret.raw" 0\n' >m-disk1.vmdk
  tar -cf m.ova m.ovf m-disk1.vmdk m-disk2.vmdk
  fails_with 4 export_xva -o out.xva m.ova
  # Nor can the OVF, when it stands beside its disks.
  sed 's/m-disk1.vmdk/..\/..\/etc\/passwd/' m.ovf >e.ovf
  run --separate-stderr export_xva -o out.xva e.ovf
  [[ $status =~ [14] ]]
  [ ! -e out.xva ]
}

@test "what is not sound in an OVA is refused with one sentence" {
  disks_of vmdk subformat=streamOptimized
  while IFS='|' read -r expected edit sentence; do
    ovf | sed "$edit" >m.ovf
    tar -cf m.ova m.ovf m-disk1.vmdk m-disk2.vmdk
    echo "$edit"
    fails_with "$expected" export_xva -o out.xva m.ova
    [[ $stderr == *"$sentence"* ]]
  done <<'LIST'
4|s/^<Envelope/<!DOCTYPE a [<!ENTITY b "c">]><Envelope/|declares a document type
3|s/<References>/<References/|is not sound XML
4|s/VirtualSystem /VirtualSystemCollection /; s/<.VirtualSystem>/<\/VirtualSystemCollection>/|found 0 machines
3|s/m-disk1.vmdk/missing.vmdk/|which is not in it
4|s/m-disk1.vmdk"/m-disk1.vmdk" ovf:compression="gzip"/|is compressed
4|s/ovf:capacity="20"/ovf:capacity="20" ovf:parentRef="second"/|is the difference to another one
3|s/ovf:capacity="3"/ovf:capacity="x"/|found x for a capacity
4|s/byte . 2^20/furlongs/|found the unit furlongs
4|s/disk.first/disk\/third/|which the OVF does not describe
LIST
  ovf >m.ovf
  tar -cf m.ova m.ovf m-disk1.vmdk m-disk2.vmdk
  truncate -s 40000 m.ova
  fails_with 3 export_xva -o out.xva m.ova
  [[ $stderr == *"ends before its member m-disk1.vmdk does" ]]
  { ovf && head -c 5M /dev/zero | tr '\0' ' '; } >m.ovf
  tar -cf m.ova m.ovf m-disk1.vmdk m-disk2.vmdk
  fails_with 4 export_xva -o out.xva m.ova
  [[ $stderr == *"found an OVF of "* ]]
  [ "$(ls *.xva 2>/dev/null)" = "" ]
}

@test "the OVF may stand anywhere in the archive, also in a folder with its disks" {
  disks_of vmdk subformat=streamOptimized
  ovf >m.ovf
  manifest >m.mf
  mkdir folder
  cp m.ovf m.mf m-disk1.vmdk m-disk2.vmdk folder
  tar -cf last.ova m-disk2.vmdk m.mf m-disk1.vmdk m.ovf
  tar -cf dots.ova ./m.mf ./m.ovf ./m-disk1.vmdk ./m-disk2.vmdk
  tar -cf folder.ova folder
  for ova in last dots folder; do
    export_xva -o out.xva $ova.ova
    reads_as out.xva first.raw Ref:000
    reads_as out.xva second.raw Ref:001
  done
  # A name leads to no other member than its own.
  rm folder/m.mf
  sed 's/m-disk1.vmdk/..\/m-disk1.vmdk/' m.ovf >folder/m.ovf
  tar -cf up.ova folder
  fails_with 3 export_xva -o out.xva up.ova
  [[ $stderr == *"describes the file ../m-disk1.vmdk, which is not in it" ]]
}

@test "the sums of a manifest are compared, of what is exported" {
  disks_of vmdk subformat=streamOptimized
  ovf >m.ovf
  for algorithm in 1 256 512; do
    manifest $algorithm >m.mf
    tar -cf m.ova m.ovf m.mf m-disk1.vmdk m-disk2.vmdk
    export_xva -o out.xva m.ova
    rm out.xva
    export_xva -o out.xva m.ovf
    reads_as out.xva second.raw Ref:001
    # One digit of each sum in turn.
    for line in 1 2 3; do
      awk -v line=$line 'NR == line { end = length; sub(/.$/, substr($0, end) == "0" ? "1" : "0") } 1' m.mf >wrong
      mkdir -p wrong.d
      cp m.ovf m-disk1.vmdk m-disk2.vmdk wrong.d
      cp wrong wrong.d/m.mf
      tar -cf wrong.ova -C wrong.d m.ovf m.mf m-disk1.vmdk m-disk2.vmdk
      for image in wrong.ova wrong.d/m.ovf; do
        fails_with 3 export_xva -o wrong.xva $image
        [[ $stderr =~ found\ the\ SHA-$algorithm\ [0-9a-f]+,\ expected\ [0-9a-f]+\ according\ to\ .*m.mf$ ]]
        [ ! -e wrong.xva ]
        export_xva --no-verify -o wrong.xva $image
        rm wrong.xva
      done
    done
  done
  # Not only of the file that the OVF names, but of those that are read with it.
  qemu-img convert -f raw -O vmdk -o subformat=monolithicFlat first.raw m-disk1.vmdk
  qemu-img convert -f raw -O vmdk -o subformat=twoGbMaxExtentSparse second.raw m-disk2.vmdk
  openssl dgst -sha256 m.ovf ./*.vmdk >m.mf
  export_xva -o out.xva m.ovf
  for part in m-disk1-flat.vmdk m-disk2-s001.vmdk; do
    cp $part kept
    printf 'other bytes' | dd of=$part bs=1 seek=150000 conv=notrunc status=none
    fails_with 3 export_xva -o wrong.xva m.ovf
    [[ $stderr == *"$part: found the SHA-256 "* ]]
    mv kept $part
  done
  # What changes meanwhile has another sum for that reason.
  mkdir fake
  printf '#!/bin/sh\necho >>m-disk1-flat.vmdk\nexit 1\n' >fake/qemu-storage-daemon
  chmod +x fake/qemu-storage-daemon
  PATH=$PWD/fake:$PATH run -1 --separate-stderr export_xva -o wrong.xva m.ovf
  [[ $stderr == *"m-disk1-flat.vmdk: changed while it was read; try again"* ]]
  [ ! -e wrong.xva ]
  disks_of vmdk subformat=streamOptimized
}

@test "what a manifest does not say is said, and it cannot say two things" {
  disks_of vmdk subformat=streamOptimized
  ovf >m.ovf
  manifest | grep -v m-disk1 >m.mf
  run -0 --separate-stderr export_xva -o out.xva m.ovf
  [ "${stderr_lines[0]}" = "export-xva: m.mf: has no checksum for m-disk1.vmdk" ]
  [ "${#stderr_lines[@]}" -eq 2 ]
  # With the marks of other systems, and sums of two kinds.
  { printf '\xef\xbb\xbf' && { manifest && manifest 1; } | sed 's/(/( /; s/)/ )/; s/$/\r/'; } >m.mf
  export_xva -o out.xva m.ovf
  { manifest && echo 'SHA256(m-disk2.vmdk)= 00'; } >m.mf
  fails_with 3 export_xva -o out.xva m.ovf
  [[ $stderr == *"m.mf: has two checksums for m-disk2.vmdk" ]]
  rm m.mf
  ln -s nowhere m.mf
  fails_with 1 export_xva -o out.xva m.ovf
  rm m.mf
  # A sum of something else is none of ours, and a line that says nothing known cannot be compared.
  { manifest && echo 'SHA256(notes.txt)= 00'; } >m.mf
  export_xva -o out.xva m.ovf
  echo 'MD5(m.ovf)= 00' >>m.mf
  fails_with 4 export_xva -o out.xva m.ovf
  [[ $stderr == *"m.mf: found MD5(m.ovf)= 00, expected SHA256(NAME)="* ]]
}

@test "a network card has the address that the OVF says, if a card can have it" {
  disks_of vmdk subformat=streamOptimized
  while IFS='|' read -r address expected; do
    ovf | sed "s#<rasd:Connection>#<rasd:Address>$address</rasd:Address><rasd:Connection>#" >m.ovf
    export_xva -o out.xva m.ovf
    ova-xml --name 'web & co = 1=' --memory 3G --vcpus 4 --firmware uefi --network "VM Network${expected:+,mac=$expected}" \
      --disk Ref:000=20M --disk Ref:001=7M --disk Ref:002=3M >expected.xml
    xva-unpack --ova out.xva | cmp - expected.xml
  done <<'LIST'
00:50:56:AB:cd:01|00:50:56:ab:cd:01
00-50-56-ab-cd-01|00:50:56:ab:cd:01
005056abcd01|00:50:56:ab:cd:01
01:50:56:ab:cd:01|
00:00:00:00:00:00|
3|
LIST
  # A label that looks like an option of the card is none.
  ovf | sed 's/VM Network/a,mac=zz/' >m.ovf
  export_xva -o out.xva m.ovf
  xva-unpack --ova out.xva | grep -q 'a, mac=zz'
}

@test "what a disk is compressed with is said, and a machine that cannot be is that of the OVF" {
  disks_of vmdk subformat=streamOptimized
  gzip m-disk1.vmdk
  ovf | sed 's/m-disk1.vmdk/m-disk1.vmdk.gz/' >m.ovf
  tar -cf m.ova m.ovf m-disk1.vmdk.gz m-disk2.vmdk
  fails_with 4 export_xva -o out.xva m.ova
  [[ $stderr == *"m-disk1.vmdk.gz: is compressed, as gzip -dc decompresses: "* ]]
  gunzip m-disk1.vmdk.gz
  ovf | sed 's/VirtualQuantity>4</VirtualQuantity>0</' >m.ovf
  run -2 --separate-stderr export_xva -o out.xva m.ovf
  [[ $stderr == *"export-xva: m.ovf: what its OVF says of the machine is overridden by options of the same names" ]]
  export_xva -o out.xva --vcpus 1 m.ovf
  ovf | sed 's/capacity="3"/capacity="999999999999"/' >m.ovf
  fails_with 4 export_xva -o big.xva m.ovf
  [[ $stderr == *"export-xva: m.ovf: its disk is too large for an archive: found "* ]]
  [ ! -e big.xva ]
}
