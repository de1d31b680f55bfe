#!/usr/bin/env bats
# Where the wrappers find the filters and the parents of an image, and what the real programs are given.

load common
load xapi-child
load qcow2-images

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  install_wrappers
  # As in dom0, where /var/run is a link to /run.
  mkdir -p run/sr-mount/SR run/sr-mount/OTHER var
  ln -s ../run var/run
}

# disk MIB...: d.raw, with data in these MiB.
disk() {
  local mib
  rm -f d.raw
  truncate -s 20M d.raw
  for mib; do
    printf x | dd of=d.raw bs=1M seek="$mib" conv=notrunc status=none
  done
}

# relinked DIRECTORY NAMED: a chain of two in DIRECTORY, the parent under an absolute name in NAMED; in QCOW2 and VHD.
relinked() {
  qemu-img create -q -f qcow2 "$1/base.qcow2" 20M
  change "$1/base.qcow2" 'write -P 7 3M 64k'
  qemu-img create -q -u -f qcow2 -F qcow2 -b "$2/base.qcow2" "$1/d.qcow2" 20M
  change "$1/d.qcow2" 'write -P 7 9M 64k'
  qemu-img create -q -f vpc -o subformat=dynamic,force_size=on "$1/base.vhd" 20M
  python3 "$ROOT/tests/vhd_block.py" "$1/base.vhd" 1 7
  python3 "$ROOT/tests/vhd_child.py" "$1/d.vhd" "file://$2/base.vhd" "$1/base.vhd"
  python3 "$ROOT/tests/vhd_block.py" "$1/d.vhd" 4 7
}

# whole IMAGES: that what lies in the directory IMAGES is answered, and that nothing is lost.
whole() {
  disk 3 9
  becomes answer qcow2 "$1/d.qcow2" d.raw
  disk 2 3 8 9
  becomes answer vhd "$1/d.vhd" d.raw
}

@test "a relinked parent is found under both names of the directory of the storage" {
  local given named
  for given in run var/run; do
    for named in run var/run; do
      relinked "run/sr-mount/SR" "$PWD/$named/sr-mount/SR"
      whole "$PWD/$given/sr-mount/SR"
    done
  done
}

@test "a storage whose directory is a link to where it is mounted: its parents are found under either name" {
  mkdir -p run/sr-mount/smb/server/SR2
  ln -s smb/server/SR2 run/sr-mount/SR2
  local named
  for named in run/sr-mount/SR2 run/sr-mount/smb/server/SR2 var/run/sr-mount/smb/server/SR2; do
    relinked run/sr-mount/SR2 "$PWD/$named"
    whole "$PWD/run/sr-mount/SR2"
  done
}

@test "what lies outside of the storage is not opened, and nothing is said" {
  relinked run/sr-mount/OTHER "$PWD/run/sr-mount/OTHER"
  local format named
  for named in run/sr-mount/OTHER var/run/sr-mount/OTHER run/sr-mount/SR/../OTHER; do
    qemu-img create -q -u -f qcow2 -F qcow2 -b "$PWD/$named/base.qcow2" run/sr-mount/SR/d.qcow2 20M
    python3 "$ROOT/tests/vhd_child.py" run/sr-mount/SR/d.vhd "file://$PWD/$named/base.vhd" run/sr-mount/OTHER/base.vhd
    run -4 --separate-stderr child "$PREFIX/scripts/xapi/qemu-img" map "$PWD/run/sr-mount/SR/d.qcow2" --output=json
    [ -z "$output" ]
    [[ $stderr == *"lies outside"* ]]
    run -4 --separate-stderr child "$PREFIX/scripts/xapi/vhd-tool" read_headers "$PWD/run/sr-mount/SR/d.vhd"
    [ -z "$output" ]
    [[ $stderr == *"lies outside"* ]]
  done
}

# searched IMAGE: where the wrappers search, with blanks between.
searched() {
  bash -euc '. "$0"; find_search_paths "$1"; echo ${search[@]+"${search[@]#--search-path=}"}' "$PREFIX/scripts/xapi/wrapper.bash" "$1"
}

@test "volumes of LVM and LINSTOR are searched for where each storage has them, and nowhere else" {
  local group=VG_XenStorage-7f2c-11aa
  [ "$(searched "/dev/$group/VHD-a")" = "/dev/$group /dev/mapper" ]
  [ "$(searched "/dev/mapper/VG_XenStorage--7f2c--11aa-VHD--a--b")" = "/dev/mapper /dev/$group" ]
  [ "$(searched /dev/dm-3)" = /dev/mapper ]
  [ "$(searched /dev/drbd/by-res/xcp-volume-a/0)" = /dev/drbd/by-res ]
  [ "$(searched /dev/drbd1003)" = /dev/drbd/by-res ]
  [ "$(searched /dev/loop0)" = /dev/mapper ]
}

@test "the wrappers work through a link, beside the filters, and with XVA_BIN_DIR" {
  relinked run/sr-mount/SR "$PWD/run/sr-mount/SR"
  local image=$PWD/run/sr-mount/SR/d.qcow2
  ln -s "$PREFIX/scripts/xapi/qemu-img" link
  child "$PWD/link" map "$image" --output=json >through-link
  jq -e '[.[] | select(.data)] | length == 2' through-link
  mv "$PREFIX"/bin/* "$PREFIX/scripts/xapi/"
  child "$PREFIX/scripts/xapi/qemu-img" map "$image" --output=json | cmp - through-link
  mkdir 'other bin'
  mv "$PREFIX"/scripts/xapi/{*-headers,extents-merge} 'other bin'
  sed -i 's|^installed=.*|installed=/nowhere|' "$PREFIX/scripts/xapi/wrapper.bash"
  run -1 --separate-stderr child "$PREFIX/scripts/xapi/qemu-img" map "$image" --output=json
  [ -z "$output" ]
  child "XVA_BIN_DIR=$PWD/other bin" "$PREFIX/scripts/xapi/qemu-img" map "$image" --output=json | cmp - through-link
}

@test "the real program is given its arguments and its environment, unchanged, and nothing is read for it" {
  local program
  cat >real <<'S'
#!/usr/bin/python3
import os, sys
print(sys.argv[1:])
for each in open("/proc/self/environ", "rb").read().split(b"\0"):
    print(each)
print(os.getcwd())
sys.exit(7)
S
  chmod +x real
  local environment=("PATH=$PATH" 'A=with  blanks' $'B=two\nlines' 'C=')
  for program in vhd-tool qemu-img; do
    for arguments in serve 'info a b' 'map -f raw x --output=json' ''; do
      read -ra words <<<"$arguments"
      # What the system has python3 for, and no shell script in between, which would add variables.
      run -7 child "${environment[@]}" "$PWD/real" ${words[@]+"${words[@]}"}
      printf '%s\n' "$output" | grep -v '^b.REAL' >expected
      run -7 child "${environment[@]}" "REAL_VHD_TOOL=$PWD/real" "REAL_QEMU_IMG=$PWD/real" \
        "$PREFIX/scripts/xapi/$program" ${words[@]+"${words[@]}"}
      printf '%s\n' "$output" | grep -v '^b.REAL' | diff expected -
    done
  done
}
