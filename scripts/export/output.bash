# Sourced by export-xva: the archive that will be written, its name and its compression.

# look_at_output: refuses, before anything is read, what cannot become the archive.
look_at_output() {
  local image i found
  # To a filter - would be standard input.
  for i in "${!images[@]}"; do [ "${images[i]}" != - ] || images[i]=./-; done
  [ "$device" != - ] || device=./-
  [ -z "$device" ] || [ ${#images[@]} -eq 1 ] || fail "--device goes with one image; see --help" 2
  base=$(basename -- "${images[0]}")
  base=$(uncompressed_name "$base")
  output=${output:-${base%.*}.xva.zst}

  # shellcheck disable=SC2034
  case $output in
    *.zst | *.zstd) compress=(xva-zstd) ;;
    *.gz) need gzip gzip; compress=(gzip -c) ;;
    *.xva) compress=(cat) ;;
    -) fail "-: the archive is read back to check it: expected the name of a file, not standard output" 2 ;;
    *) fail "$output: the name must end with .xva, .xva.zst or .xva.gz" 2 ;;
  esac

  follow_link
  [ ! -d "$output" ] || fail "$output: is a directory" 1
  [ ! -e "$output" ] || [ -f "$output" ] || fail "$output: is a device or pipe: expected the name of a file" 2
  for image in "${images[@]}" ${device:+"$device"}; do
    [ ! "$output" -ef "$image" ] || {
      found=$(looks_like "$image" archive compressed)
      fail "$output: is what would be exported${found:+, and $found: expected a disk image}" 2
    }
  done
  [ ! -f "$output" ] || [ -z "$(looks_like "$output" image qemu)" ] || fail "$output: is a disk image: expected the name of an archive" 2
  can_take_its_place
}

# reads_no_output FORMAT IMAGE: fails if $output is a file that IMAGE names, its backing or data file, say. Which they are, the
# header tool knows: it refuses (status 2) what is its own standard output, and into this one it cannot write.
reads_no_output() {
  local status=0
  [ -f "$output" ] || return 0
  headers "$1" --output map -- "$2" 1<"$output" 2>/dev/null || status=$?
  [ "$status" -ne 2 ] || fail "$output: is a file that $2 is read with: expected another name" 2
}
