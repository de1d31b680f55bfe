#!/usr/bin/env bats
# What a shell could take for more than a name, and environments that change what its words mean: the scripts do what they always do.

load common
load ovf
load export-xva

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  export XVA_BIN_DIR=${XVA_BIN_DIR:-$ROOT/target/release}
  head -c 3M /dev/urandom >a.raw
  truncate -s 5M a.raw
  ova-xml --name vm --memory 1G --vcpus 1 --firmware bios --disk Ref:000=5M >ova.xml
  xva-pack --scan --ova ova.xml --prefix Ref:000 a.raw >vm.xva
}

restore() { "$ROOT/scripts/restore-disk" "$@"; }

@test "no name is a command or a number, with newlines in it neither" {
  for name in $'w\n+archives[$(touch pwned)0]+y' $'w\n+output[$(touch pwned)0]+y' '$(touch pwned)' 'a`touch pwned`' $'5\n9'; do
    cp vm.xva "$name.xva"
    restore "$name.xva"
    qemu-img compare -f qcow2 -F raw "./$name.qcow2" a.raw
    restore -O raw -o "$name.raw" vm.xva
    cmp "$name.raw" a.raw
    export_xva -o "$name.2.xva" --format raw "$name.raw"
    xva-unpack -q --disk Ref:000 -o - "$name.2.xva" | cmp - a.raw
    [ ! -e pwned ]
  done
}

@test "a link to a name that ends with a newline replaces that file and no other" {
  for script in restore 'export_xva --format raw'; do
    case $script in restore) source=vm.xva ;; *) source=a.raw ;; esac
    echo old >$'t\n'
    echo precious >t
    ln -sf $'t\n' link.xva
    $script $([ "$script" != restore ] || echo -f -O raw) -o link.xva $source
    [ "$(cat t)" = precious ]
    [ "$(stat -c %s $'t\n')" -gt 100000 ]
  done
}

@test "an empty name is refused, and not the default" {
  fails_with 2 restore -o '' vm.xva
  fails_with 2 restore -O '' vm.xva
  [ ! -e vm.qcow2 ]
}

@test "what cannot be compared is not called checked" {
  mkdir bin
  cp "$XVA_BIN_DIR"/{{vhd,qcow,xva}-headers,extents-merge,xva-pack,xva-zstd,ova-xml} bin
  # One that does not come to say its CRC.
  printf '#!/bin/sh\n%q "$@" 2>/dev/null\n' "$XVA_BIN_DIR/xva-unpack" >bin/xva-unpack
  chmod +x bin/xva-unpack
  XVA_BIN_DIR=$PWD/bin fails_with 1 restore -o b.qcow2 vm.xva
  [[ $stderr == *"b.qcow2: the image cannot be read back" ]]
  [ ! -e b.qcow2 ]
}

@test "on a disk that becomes full an image is a system error, and is not there" {
  unshare --mount --map-root-user mount -t tmpfs tmpfs /mnt 2>reason || skip "no mount: $(head -n 1 reason)"
  zstd -q vm.xva -o one.xva.zst
  export ROOT
  # shellcheck disable=SC2016
  unshare --mount --map-root-user bash -c '
    set -u
    mkdir small
    for size in 2900 3080 3100 3140 3200 6160; do
      mount -t tmpfs -o size=${size}k tmpfs small
      for archive in vm.xva one.xva.zst; do
        for format in raw vmdk vpc; do
          status=0
          "$ROOT/scripts/restore-disk" -O $format -o small/d $archive 2>said || status=$?
          echo "$size $archive $format: $status $(tail -n 1 said)"
          case $status in
            0) qemu-img compare -q -f $format -F raw small/d a.raw || exit 3 ;;
            1) [ -s said ] && [ ! -e small/d ] || exit 4 ;;
            *) exit 5 ;;
          esac
          rm -f small/d
          [ -z "$(ls -A small)" ] || exit 6
        done
      done
      umount small
    done' >said.of-all || { cat said.of-all; return 1; }
  # Some fit and some do not, or this shows nothing.
  grep -q ': 0' said.of-all
  grep -q ': 1' said.of-all
}

@test "on a full disk an export says so, whatever is exported" {
  unshare --mount --map-root-user mount -t tmpfs tmpfs /mnt 2>reason || skip "no mount: $(head -n 1 reason)"
  qemu-img convert -f raw -O qcow2 a.raw a.qcow2
  qemu-img convert -f raw -O vmdk a.raw a.vmdk
  export ROOT
  # shellcheck disable=SC2016
  unshare --mount --map-root-user bash -c '
    set -u
    mkdir small full
    mount -t tmpfs -o size=1M tmpfs small
    head -c 2M /dev/zero >small/fill 2>/dev/null
    for image in a.qcow2 a.vmdk "--format raw a.raw"; do
      for suffix in xva xva.zst xva.gz; do
        # A full place for temporary files is passed by.
        for temporary in /tmp small; do
          status=0
          TMPDIR=$temporary "$ROOT/scripts/export-xva" -o small/a.$suffix $image 2>said || status=$?
          echo "$image $suffix $temporary: $status $(cat said)"
          [ "$status" -eq 1 ] && grep -q "No space left" said && tail -n 1 said | grep -q "a.$suffix: cannot be written" || exit 3
          [ "$(ls -A small)" = fill ] || exit 4
        done
      done
    done' >said.of-all || { cat said.of-all; return 1; }
}

@test "what may not be read is a system error, and no unknown image" {
  held_to_modes true || skip "no setpriv that takes capabilities away"
  qemu-img convert -f raw -O qcow2 a.raw a.qcow2
  mkdir shut
  cp a.qcow2 shut
  chmod 000 a.qcow2 shut
  for image in a.qcow2 shut/a.qcow2; do
    fails_with 1 held_to_modes "$ROOT/scripts/export-xva" -o a.xva $image
    [[ $stderr == *"$image: cannot be "*": Permission denied" ]]
  done
  chmod 700 shut
}

@test "a raw image of an archive needs neither qemu nor nbdkit" {
  mkdir tools
  for tool in /usr/bin/* /bin/*; do
    case ${tool##*/} in qemu* | nbd*) ;; *) ln -sf "$tool" tools ;; esac
  done
  xva-zstd vm.xva >vm.xva.zst
  for archive in vm.xva vm.xva.zst; do
    PATH=$PWD/tools restore -f -o b.raw $archive
    cmp b.raw a.raw
  done
}

@test "an archive that is replaced is said to be" {
  export_xva -o b.xva --format raw a.raw
  run -0 export_xva -o b.xva --format raw a.raw
  [[ $output == *", checked, in place of the one that was there; on the host: "* ]]
  # What it would be by default may be what was given by mistake.
  xva-zstd b.xva >c.xva.zst
  fails_with 2 export_xva c.xva.zst
  [[ $stderr == *"c.xva.zst: is what would be exported, and a zstd file: expected a disk image" ]]
}

@test "what an environment may set changes nothing" {
  qemu-img convert -f raw -O vmdk -o subformat=streamOptimized a.raw m-disk1.vmdk
  qemu-img convert -f raw -O vmdk -o subformat=streamOptimized a.raw m-disk2.vmdk
  ovf | sed 's/web/é/' >m.ovf
  ln -s "$XVA_BIN_DIR" bin
  for setting in CDPATH=. POSIXLY_CORRECT=1 SHELLOPTS=noclobber PYTHONSAFEPATH=1 PYTHONIOENCODING=ascii PYTHONOPTIMIZE=2 \
    'LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0'; do
    echo "$setting"
    # shellcheck disable=SC2086
    env PATH="/usr/bin:/bin:$PATH" XVA_BIN_DIR=bin $setting "$ROOT/scripts/restore-disk" -f -o a.qcow2 vm.xva
    qemu-img compare -f qcow2 -F raw a.qcow2 a.raw
    # shellcheck disable=SC2086
    env PATH="/usr/bin:/bin:$PATH" XVA_BIN_DIR=bin $setting "$ROOT/scripts/export-xva" -o m.xva m.ovf
    xva-unpack -q --disk Ref:000 -o - m.xva | cmp - a.raw
    xva-unpack --ova m.xva | grep -q 'é &amp; co = 1='
  done
}
