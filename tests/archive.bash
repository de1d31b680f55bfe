# Loaded by tests that read archives back with programs that others wrote.

# restore ARCHIVE PREFIX OUT: GNU tar unpacks, xva-img joins the blocks; only for --checksum sha1, all that xva-img
# 1.4 knows, and whole MiB (it drops the rest).
restore() {
  mkdir unpacked
  tar -xf "$1" -C unpacked
  xva-img disk-export "unpacked/$2" "$3"
  rm -r unpacked
}

# checksums_agree ARCHIVE: sha1sum and xxhsum say what the checksum members say.
checksums_agree() {
  mkdir checked
  tar -xf "$1" -C checked
  local member block found=0
  for member in checked/*/*.checksum checked/*/*.xxhash; do
    [ -e "$member" ] || continue
    found=$((found + 1))
    block=${member%.*}
    case $member in
      *.checksum) [ "$(cat "$member")" = "$(sha1sum <"$block" | cut -d' ' -f1)" ] || return 1 ;;
      *.xxhash) [ "$(tr A-F a-f <"$member")" = "$(xxhsum -q -H64 <"$block" | cut -d' ' -f1)" ] || return 1 ;;
    esac
  done
  rm -r checked
  # Not a test of an archive without any.
  [ $found -gt 0 ]
}

# members ARCHIVE: names of the blocks, in order, on one line.
members() {
  tar -tf "$1" | grep -v '\.' | tr '\n' ' '
}

# raw FILE SIZE [BLOCK...]: a disk with random data somewhere in each of the numbered 1 MiB blocks.
raw() {
  local file=$1 size=$2 block
  shift 2
  truncate -s "$size" "$file"
  for block; do
    head -c 5000 /dev/urandom | dd of="$file" bs=4096 seek=$((block * 256 + 7)) conv=notrunc status=none
  done
}

# metadata REF=SIZE...: ova.xml of a machine with these disks.
metadata() {
  ova-xml --name vm --memory 1G --vcpus 1 --firmware bios "${@/#/--disk=}"
}
