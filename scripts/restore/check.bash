# Sourced by restore-disk: whether the image that was written reads back as what was in the archive.

# said_crc: the CRC-32 of the disk, as xva-unpack found it in the archive.
said_crc() {
  if [ -s "$work/table" ]; then
    awk 'NR > 1 && $7 != "-" { print $7 }' "$work/table"
  else
    sed -n 's/.* bytes, crc32 \([0-9a-f]\{8\}\)$/\1/p' "$work/said" | tail -n 1
  fi
}

# written_crc: that of the image, as our own programs read it.
written_crc() {
  # The prefix is only what the bar is called.
  local packing=(xva-pack --pad --report "$work/report" --prefix checking ${bar:+--progress})
  case $format in
    raw) "${packing[@]}" --scan -- "$image" ;;
    *) "$(header_tool "${format/vpc/vhd}")" --output map -- "$image" | "${packing[@]}" --map - ;;
  esac >/dev/null || return
  sed -n 's/.*"disk":{"bytes":[0-9]*,"crc32":"\([0-9a-f]\{8\}\)".*/\1/p' "$work/report"
}

# is_as_written: whether the image holds what xva-unpack found in the archive.
is_as_written() {
  # Of a VMDK only qemu knows how to read it.
  # shellcheck disable=SC2016
  case $format in
    vmdk)
      if [ -e "$work/raw" ]; then
        qemu-img compare -q -f raw -F vmdk -- "$work/raw" "$image"
      else
        serve checking 'exec qemu-img compare -q -f raw -F vmdk -- "$uri" "$image"'
      fi
      ;;
    *) [ "$(written_crc)" = "$(said_crc)" ] ;;
  esac
}
