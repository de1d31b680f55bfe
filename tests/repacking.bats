#!/usr/bin/env bats
# The recipes of xva-pack/README.md that pack an archive anew: each is run as it stands there.

load common
load archive

# recipe WORD: the block of xva-pack/README.md whose beginning has this in it.
recipe() {
  awk -v word="$1" '/^    / { if (!block) wanted = 0; block = 1; text = text $0 "\n"; if (index($0, word)) wanted = 1; next }
    { if (block && wanted) { printf "%s", text; wanted = 0 } block = 0; text = "" }' "$ROOT/xva-pack/README.md" >recipe.bash
  [ -s recipe.bash ]
}

# A machine of two disks with gaps, of whole MiB.
setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  local block
  truncate -s 12M a.raw
  truncate -s 5M b.raw
  for block in 0 4 5 11; do head -c 70000 /dev/urandom | dd of=a.raw bs=1M seek=$block conv=notrunc status=none; done
  head -c 1M /dev/urandom | dd of=b.raw bs=1M seek=2 conv=notrunc status=none
  machine web web.xva
}

# machine NAME ARCHIVE OPTION...
machine() {
  ova-xml --name "$1" --memory 1G --vcpus 1 --firmware bios --disk Ref:000=12M --disk Ref:001=5M >first.xml
  { xva-pack --scan --ova first.xml --prefix Ref:000 --no-trailer "${@:3}" a.raw &&
    xva-pack --scan --check-ova first.xml --prefix Ref:001 "${@:3}" b.raw; } >"$2"
}

# holds ARCHIVE REF=RAW...: it is sound, and has just these disks.
holds() {
  xva-unpack --verify "$1" >table
  [ "$(grep -c '  whole' table)" -eq $(($# - 1)) ]
  local disk
  for disk in "${@:2}"; do
    xva-unpack -q --disk "${disk%%=*}" -o - "$1" 2>said | cmp - "${disk#*=}" || return
  done
  checksums_agree "$1"
}

@test "some of the disks, as another machine" {
  recipe 'select(.ref == "Ref:000").virtual_size'
  bash -eo pipefail recipe.bash
  holds system.xva Ref:000=a.raw
  xva-unpack --ova system.xva | cmp - system.xml
}

@test "from xxhash to SHA-1 and back is the archive that it was" {
  recipe --checksum\ sha1
  bash -eo pipefail recipe.bash
  holds old.xva Ref:000=a.raw Ref:001=b.raw
  tar -tf old.xva >names
  grep -q 'Ref:001/00000002.checksum' names
  [ "$(grep -c xxhash names)" -eq 0 ]
  mv web.xva first.xva
  mv old.xva web.xva
  sed -i 's/sha1/xxhash/g' recipe.bash
  bash -eo pipefail recipe.bash
  cmp old.xva first.xva
}

@test "a last block that is short is padded" {
  truncate -s 12584448 a.raw
  xva-pack --scan a.raw >short.xva
  xva-headers -q --output map short.xva | xva-pack --map - --pad >padded.xva
  truncate -s 13M a.raw
  xva-unpack -q --disk Ref:0 -o - padded.xva 2>said | cmp - a.raw
  [ "$(tar -tvf padded.xva | awk '/00000012$/ { print $3 }')" -eq 1048576 ]
}

@test "a disk is moved into another machine" {
  head -c 3M /dev/urandom >mail.raw
  ova-xml --name mail --memory 1G --vcpus 1 --firmware bios --disk Ref:000=3M >mail.xml
  xva-pack --scan --ova mail.xml --prefix Ref:000 mail.raw >mail.xva
  recipe 'mail.xva Ref:000'
  bash -eo pipefail recipe.bash
  holds both.xva Ref:000=mail.raw Ref:001=b.raw
}

@test "a machine out of an archive that was cut off has what came, and zeros" {
  # In the middle of the second disk.
  at=$(LC_ALL=C grep -abo 'Ref:001/00000002' web.xva | head -n 1 | cut -d: -f1)
  head -c $((at + 300000)) web.xva >cut.xva
  recipe rescued
  bash -eo pipefail recipe.bash
  truncate -s 0 b.raw
  truncate -s 5M b.raw
  holds whole.xva Ref:000=a.raw Ref:001=b.raw
}

@test "what is not sound is not packed anew" {
  at=$(LC_ALL=C grep -abo 'Ref:000/00000004' web.xva | head -n 1 | cut -d: -f1)
  printf wrong | dd of=web.xva bs=1 seek=$((at + 5000)) conv=notrunc status=none
  cp web.xva mail.xva
  for word in 'select(.ref == "Ref:000").virtual_size' --checksum\ sha1 'mail.xva Ref:000'; do
    recipe "$word"
    run bash -eo pipefail recipe.bash
    [ "$status" -ne 0 ]
    [ "$(ls ./*.xml)" = ./first.xml ]
  done
}
