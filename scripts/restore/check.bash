# Sourced by restore-disk: whether the image that was written reads back as what was in the archive.

# said_crc: the CRC-32 of the disk, as xva-unpack found it in the archive.
said_crc() {
  if [ -s "$scratch/table" ]; then
    awk 'NR > 1 && $7 != "-" { print $7 }' "$scratch/table"
  else
    sed -n 's/.* bytes, crc32 \([0-9a-f]\{8\}\)$/\1/p' "$scratch/said" | tail -n 1
  fi
}

# written_crc: that of the image, as our own programs read it.
written_crc() {
  # The prefix is only what the bar is called.
  local packing=(xva-pack --pad --report "$scratch/report" --prefix checking ${bar:+--progress})
  case $format in
    raw) "${packing[@]}" --scan -- "$image" ;;
    *) "$(header_tool "${format/vpc/vhd}")" --output map -- "$image" | "${packing[@]}" --map - ;;
  esac >/dev/null || return
  sed -n 's/.*"disk":{"bytes":[0-9]*,"crc32":"\([0-9a-f]\{8\}\)".*/\1/p' "$scratch/report"
}

# Whether qemu reads the image as it does $source: status 3 if not, for a shell that nbdkit starts, too.
# shellcheck disable=SC2016
compare='qemu-img compare -q -f raw -F vmdk -- "$source" "$image"; case $? in 0) ;; 1) exit 3 ;; *) exit 1 ;; esac'

# is_as_written: whether the image holds what xva-unpack found in the archive: status 3 if not, another where that cannot be known.
is_as_written() {
  local said written
  # Of a VMDK only qemu knows how to read it.
  if [ "$format" = vmdk ] && [ -e "$work/raw" ]; then
    source=$work/raw bash -c "$compare"
    return
  elif [ "$format" = vmdk ]; then
    # shellcheck disable=SC2016
    serve checking 'source=$uri; '"$compare"
    return
  fi
  said=$(said_crc) && written=$(written_crc) && [ -n "$said" ] && [ -n "$written" ] || return 1
  [ "$said" = "$written" ] || return 3
}
