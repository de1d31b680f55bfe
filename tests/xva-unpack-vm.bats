#!/usr/bin/env bats
# A whole VM: ova-xml, xva-pack, zstd, and back by xva-unpack.

load common

@test "a VM of two disks comes back with its disks and their CRC" {
  truncate -s 7340544 a.raw
  truncate -s 3M b.raw
  head -c 1000000 /dev/urandom | dd of=a.raw bs=1M seek=3 conv=notrunc status=none
  printf x | dd of=a.raw bs=1 seek=7340543 conv=notrunc status=none
  head -c 5000 /dev/urandom | dd of=b.raw bs=1M seek=1 conv=notrunc status=none
  ova-xml --name web --memory 2G --vcpus 2 --firmware uefi --disk Ref:000=7340544 --disk Ref:001=3M --network lan > ova.xml
  for disk in a b; do
    qemu-img map -f raw --output=json $disk.raw > $disk.json
  done
  { xva-pack --pad --ova ova.xml --prefix Ref:000 --no-trailer --report a.report a.raw < a.json &&
    xva-pack --pad --check-ova ova.xml --prefix Ref:001 --checksum sha1 --report b.report b.raw < b.json; } |
    zstd -q > vm.xva.zst

  zstd -dc vm.xva.zst | xva-unpack --verify > verified
  grep -q 'sound: .* 2 disks' verified
  grep -q "^Ref:000 .* $(jq -r .archived.crc32 a.report) .*whole  *web 0$" verified
  grep -q "^Ref:001 .* $(jq -r .disk.crc32 b.report) .*whole  *web 1$" verified

  zstd -dc vm.xva.zst | xva-unpack --all -o out --size Ref:000=7340544 > table
  cmp a.raw out/Ref:000.raw
  cmp b.raw out/Ref:001.raw
  grep -q "^Ref:000 .* $(jq -r .disk.crc32 a.report) " table
  zstd -dc vm.xva.zst | xva-unpack --ova | cmp - ova.xml
}
