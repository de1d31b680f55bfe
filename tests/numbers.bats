#!/usr/bin/env bats
# Sizes and offsets that no file has: 2^63 bytes and more, negative ones, and numbers that are none. Every reader of
# numbers refuses them in one line; none wraps around.

load common
load qcow2-images
# shellcheck source=scripts/image-format.bash
. "$ROOT/scripts/image-format.bash"

# 2^63, the edge of 64 bits, and far past it.
HUGE=(9223372036854775808 18446744073709551615 18446744073709551616 99999999999999999999999999)
NONE=(-1 1.5 1e3 '"1"' null)

# refused COMMAND...: status 2, 3 or 4, one line, and no document or end of archive.
refused() {
  run --separate-stderr "$@"
  [[ $status == [234] ]] || { echo "status $status: $*: $stderr"; return 1; }
  [ "${#stderr_lines[@]}" -eq 1 ] || { echo "not one line: $*: $stderr"; return 1; }
  [[ $output != *']}' && $output != *']' ]] || { echo "an answer: $*: $output"; return 1; }
}

@test "a document with such a number is refused" {
  truncate -s 1M disk
  for number in "${HUGE[@]}" "${NONE[@]}"; do
    for document in \
      "{\"virtual_size\":$number,\"cluster_bits\":20,\"data_clusters\":[[0,0]]}" \
      "{\"virtual_size\":1048576,\"cluster_bits\":$number,\"data_clusters\":[[0,0]]}" \
      "{\"virtual_size\":1048576,\"cluster_bits\":20,\"data_clusters\":[[$number,$number]]}" \
      "{\"virtual_size\":1048576,\"cluster_bits\":20,\"data_clusters\":[$number]}"; do
      printf '%s' "$document" >document
      refused extents-merge document
      refused xva-pack --extents document disk
    done
  done
  # A run past the disk is refused; one that begins in it is cut off.
  printf '{"virtual_size":1048576,"cluster_bits":20,"data_clusters":[[0,18446744073709551615]]}' >document
  [ "$(extents-merge document)" = '{"virtual_size":1048576,"cluster_bits":20,"data_clusters":[[0,0]]}' ]
}

@test "a map of qemu-img or nbdinfo with such a number is refused" {
  for number in "${HUGE[@]}" "${NONE[@]}"; do
    for map in \
      "[{\"start\":0,\"length\":$number,\"zero\":false,\"data\":true}]" \
      "[{\"start\":$number,\"length\":512,\"zero\":false,\"data\":true}]" \
      "[{\"start\":0,\"length\":512,\"zero\":true},{\"start\":512,\"length\":$number,\"zero\":true}]" \
      "[{\"offset\":0,\"length\":$number,\"type\":0,\"description\":\"data\"}]" \
      "[{\"offset\":$number,\"length\":512,\"type\":0,\"description\":\"data\"}]" \
      "[{\"offset\":0,\"length\":512,\"type\":3},{\"offset\":512,\"length\":$number,\"type\":3}]"; do
      printf '%s' "$map" >map
      refused extents-merge map
    done
  done
}

@test "a map with such a number is not followed" {
  truncate -s 1M disk
  for number in "${HUGE[@]}" "${NONE[@]}"; do
    for entry in \
      "\"start\":0,\"length\":$number,\"zero\":true" \
      "\"start\":$number,\"length\":512,\"zero\":true" \
      "\"start\":0,\"length\":$number,\"data\":true,\"zero\":false,\"filename\":\"disk\",\"offset\":0" \
      "\"start\":0,\"length\":512,\"data\":true,\"zero\":false,\"filename\":\"disk\",\"offset\":$number" \
      "\"start\":0,\"length\":512,\"compression\":\"zlib\",\"cluster_size\":512,\"skip\":0,\"zero\":false,\"filename\":\"disk\",\"offset\":0,\"host_length\":$number" \
      "\"start\":0,\"length\":512,\"compression\":\"zlib\",\"cluster_size\":$number,\"skip\":0,\"zero\":false,\"filename\":\"disk\",\"offset\":0,\"host_length\":512" \
      "\"start\":0,\"length\":512,\"compression\":\"zlib\",\"cluster_size\":512,\"skip\":$number,\"zero\":false,\"filename\":\"disk\",\"offset\":0,\"host_length\":512"; do
      printf '[{%s}]' "$entry" >map
      refused xva-pack --map - <map
    done
  done
}

@test "an image with such a number in its header is refused" {
  new a.qcow2 1M
  fill a.qcow2 0 64k
  qemu-img create -q -f vpc -o subformat=dynamic,force_size=on a.vhd 4M
  qemu-io -f vpc -c 'write -q -P 7 0 1k' a.vhd
  python3 - <<'PY'
import struct
from vhd_bytes import FOOTER_CHECKSUM, HEADER_CHECKSUM, sealed_at
def put(image, at, value):
    return image[:at] + struct.pack(">Q", value) + image[at + 8:]
qcow2, vhd = open("a.qcow2", "rb").read(), open("a.vhd", "rb").read()
tail, header = len(vhd) - 512, struct.unpack_from(">Q", vhd, 16)[0]
for value in (1 << 63) - 512, 1 << 63, (1 << 63) + 512, (1 << 64) - 512, (1 << 64) - 1:
    # virtual size, L1 table, name of a backing file of 8 bytes
    for at in 24, 40, 8:
        image = put(qcow2, at, value)
        open(f"{at}-{value}.qcow2", "wb").write(image[:16] + struct.pack(">I", 8 * (at == 8)) + image[20:])
    # data offset, current size, in both footers
    for at in 16, 48:
        image = sealed_at(put(put(vhd, at, value), tail + at, value), 0, 512, FOOTER_CHECKSUM)
        open(f"{at}-{value}.vhd", "wb").write(sealed_at(image, tail, 512, FOOTER_CHECKSUM))
    # BAT
    open(f"bat-{value}.vhd", "wb").write(sealed_at(put(vhd, header + 16, value), header, 1024, HEADER_CHECKSUM))
PY
  for format in $(formats format ' '); do
    for image in *-*."$format"; do
      refused "$(header_tool "$format")" "$image"
      refused "$(header_tool "$format")" --output map "$image"
    done
  done
  for image in *-*.vhd; do
    refused vhd-headers --sectors "$image"
  done
}

@test "an archive with such a number in its headers is refused" {
  python3 - <<'PY'
import io, struct, tarfile
def header(size_field, kind=b"0"):
    info = tarfile.TarInfo("Ref:0/00000000")
    bare = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    bare[124:136], bare[156:157], bare[148:156] = size_field, kind, b" " * 8
    bare[148:156] = b"%06o\0 " % sum(bare)
    return bytes(bare)
def pax(size):
    record = f" size={size}\n"
    length = len(record) + 2
    record = f"{length}{record}".encode()
    assert len(record) == length
    return header(b"%011o\0" % length, b"x") + record.ljust(512, b"\0") + header(b"%011o\0" % 1048576)
numbers = [(1 << 63) - 512, 1 << 63, (1 << 64) - 512, 1 << 64, 1 << 80]
cases = [header(b"\x80" + number.to_bytes(11, "big")) for number in numbers]
cases += [header(b"\xff" * 12), header(b"-0000000001\0"), header(b"99999999999\0"), header(b"777777777777")]
cases += [pax(number) for number in numbers + [-1, "", "0x200", "1e3"] if len(f" size={number}\n") + 2 > 9]
for number, case in enumerate(cases):
    open(f"{number}.xva", "wb").write(case + bytes(2 << 20))
PY
  for archive in *.xva; do
    for task in "--verify $archive" "--list $archive" '--list -' '--disk Ref:0 -o out -' "--keep-going --all -o out/ $archive"; do
      rm -rf out
      # shellcheck disable=SC2086
      run --separate-stderr timeout 20 xva-unpack $task <"$archive"
      [[ $status == [34] ]] || { echo "$archive $task: status $status: $stderr"; return 1; }
      [ ! -f out ]
    done
  done
}

@test "metadata and arguments with such a number are refused" {
  truncate -s 1M disk
  xva-pack --scan disk >disk.xva
  ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk Ref:0=1M >good.xml
  for number in "${HUGE[@]}" -1 1.5 '' 0x100000 1e6; do
    sed "s,virtual_size</name><value>1048576,virtual_size</name><value>$number," good.xml >bad.xml
    run -1 cmp -s good.xml bad.xml
    refused xva-pack --scan --ova bad.xml disk
    { tar -c --format=ustar --transform s/bad/ova/ bad.xml | head -c "$((($(stat -c %s bad.xml) + 1023) / 512 * 512))"; cat disk.xva; } >bad.xva
    run --separate-stderr xva-unpack --verify bad.xva
    [ "$status" -eq 3 ] || { echo "virtual_size $number: status $status"; return 1; }
    refused xva-unpack --all -o out --size "Ref:0=$number" disk.xva
    refused xva-pack --scan --jobs "$number" disk
    refused extents-merge --cluster-bits "$number" /dev/null
    refused ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk "Ref:0=$number"
    refused ova-xml --name a --memory "$number" --vcpus 1 --firmware bios --disk Ref:0=1M
    refused ova-xml --name a --memory 1G --vcpus "$number" --firmware bios --disk Ref:0=1M
  done
  for number in 8E 8388608T 99999999999999999999K; do
    refused ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk "Ref:0=$number"
    refused ova-xml --name a --memory "$number" --vcpus 1 --firmware bios --disk Ref:0=1M
  done
}
