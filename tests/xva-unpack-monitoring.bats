# What a program that watches over backups asks: several archives in one call, and one JSON document.

load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  head -c 3000000 /dev/urandom >d.raw
  ova-xml --name vm --memory 1G --vcpus 1 --firmware bios --disk Ref:000=3M,name=system >ova.xml
  xva-pack --pad --scan --ova ova.xml d.raw >good.xva
  cp good.xva bad.xva
  printf x | dd of=bad.xva bs=1 seek=1500000 conv=notrunc status=none
  xz -k good.xva
}

@test "each of several archives gets a line, and the worst status is that of the call" {
  run -0 --separate-stderr xva-unpack --verify good.xva good.xva
  [ "${#lines[@]}" -eq 2 ] && [ -z "$stderr" ]
  [[ ${lines[0]} =~ ^good.xva:\ sound:\ [0-9]+\ bytes\ \([0-9.]+\ MiB\),\ 1\ disk,\ every\ checksum\ is\ right$ ]]
  for order in 'bad.xva good.xva' 'good.xva bad.xva' 'good.xva.xz good.xva bad.xva missing.xva'; do
    # shellcheck disable=SC2086
    run -3 --separate-stderr xva-unpack --verify $order
    [ "${#lines[@]}" -eq "$(wc -w <<<"$order")" ]
    [[ $output == *"good.xva: sound: "* && $output == *"bad.xva: damaged: status 3"* ]]
    [[ $stderr == *"xva-unpack: bad.xva: "*"archives are not known to be sound" ]]
  done
  run -1 --separate-stderr xva-unpack good.xva.xz missing.xva good.xva
  [[ $output == *"good.xva.xz: unsupported: status 4"*"missing.xva: failed: status 1"*"good.xva: sound: "* ]]
  run -0 xva-unpack --list good.xva good.xva
  [ "$(grep -c '^good.xva:$' <<<"$output")" -eq 2 ] && [ "$(grep -c '^Ref:000 ' <<<"$output")" -eq 2 ]
}

@test "the document of a sound archive says what the table does" {
  crc=$(python3 -c 'import zlib; print("%08x" % zlib.crc32(open("d.raw", "rb").read().ljust(3 << 20, b"\0")))')
  xva-unpack --json good.xva >answer
  [ "$(wc -l <answer)" -eq 1 ]
  [ "$(jq -c '[keys, (.archives[0] | keys), (.archives[0].disks[0] | keys)]' answer)" = '[["archives","exit_status"],["archive","bytes","disks","error","exit_status","findings","findings_count","has_ova","verdict"],["blocks","blocks_of_disk","bytes","checksum","crc32","name","ref","state","virtual_size","wanted_size"]]' ]
  jq -e --arg crc "$crc" '.exit_status == 0 and (.archives[0] | .archive == "good.xva" and .verdict == "sound" and .error == null
    and .has_ova and .findings == [] and .findings_count == 0 and .exit_status == 0)
    and (.archives[0].disks == [{ref: "Ref:000", name: "system", virtual_size: 3145728, wanted_size: 3145728, blocks: 3,
      blocks_of_disk: 3, bytes: 3145728, checksum: "xxhash", crc32: $crc, state: "whole"}])' answer
  xva-unpack --json --list good.xva | jq -e '.archives[0] | .verdict == "unchecked" and .disks[0].crc32 == null'
  xva-unpack --json --all -o out good.xva | jq -e '.archives[0].disks[0].state == "whole"'
  cmp <(head -c 3000000 out/Ref:000.raw) d.raw
}

@test "the document tells of damage, and is whole whatever happened" {
  run -3 --separate-stderr xva-unpack --json bad.xva
  [ "${#stderr_lines[@]}" -eq 1 ]
  jq -e --arg said "${stderr#xva-unpack: }" '.exit_status == 3 and .archives[0].verdict == "damaged" and .archives[0].error == $said
    and (.archives[0].findings[0] | .severity == "damaged" and .byte > 0 and (.what | length > 0))' <<<"$output"
  run -3 --separate-stderr xva-unpack --json --keep-going bad.xva
  jq -e '.archives[0] | .findings_count == 1 and .disks[0].state == "damaged"' <<<"$output"
  run -3 --separate-stderr xva-unpack --json good.xva missing.xva good.xva.xz bad.xva
  [ "$(jq -c '[.exit_status, [.archives[] | [.archive, .verdict, .exit_status]]]' <<<"$output")" = '[3,[["good.xva","sound",0],["missing.xva","failed",1],["good.xva.xz","unsupported",4],["bad.xva","damaged",3]]]' ]
}

@test "--all --force replaces several disks, whatever inodes the file system gives out" {
  { xva-pack --scan --pad --no-trailer d.raw && xva-pack --scan --pad --prefix Ref:1 d.raw; } >two.xva
  mkdir out
  for round in 1 2 3; do
    xva-unpack -q --all --force -o out two.xva >/dev/null || { echo "round $round"; return 1; }
  done
  cmp <(head -c 3000000 out/Ref:1.raw) d.raw
}
