# Sourced by the scripts: the formats that a header tool reads, and what a disk image is by the bytes at its beginning and
# end. A new format is a line here.

# Each line: the format for --format, its name for people, its header tool, and the magics of which an image has one, as
# OFFSET:HEX; a negative OFFSET counts from the end. A VHD has its magic at the start (dynamic disks) or only at the end.
#
# A header tool takes --output intervals (the default) or map, --search-path DIR as often as you like, and -- IMAGE. Its
# document of intervals begins with {"virtual_size":N, without blanks, and it ends with the statuses in README.md.
FORMATS=(
  'vhd   VHD   vhd-headers  0:636f6e6563746978 -512:636f6e6563746978 -511:636f6e6563746978'
  'qcow2 QCOW2 qcow-headers 0:514649fb'
)
# The same without a tool: formats that only qemu reads.
OTHERS=(
  '- VMDK - 0:4b444d56'
  '- VHDX - 0:7668647866696c65'
  '- VDI  - 64:7f10dabe'
)

# formats FIELD SEPARATOR: the format, name or tool of every line of the table, joined.
formats() {
  local format name tool joined=''
  # shellcheck disable=SC2034
  while read -r format name tool _; do joined+=${joined:+$2}${!1}; done < <(printf '%s\n' "${FORMATS[@]}")
  printf '%s\n' "$joined"
}

# What the workspace builds for its users.
# shellcheck disable=SC2034,SC2207
PROGRAMS=($(formats tool ' ') extents-merge xva-pack xva-unpack xva-zstd xva-headers ova-xml)
# The scripts that are commands of theirs too.
# shellcheck disable=SC2034
COMMANDS=(export-xva restore-disk)

# header_tool FORMAT: the program that reads it; nothing for another.
header_tool() {
  local format tool
  while read -r format _ tool _; do
    [ "$format" != "$1" ] || echo "$tool"
  done < <(printf '%s\n' "${FORMATS[@]}")
}

# has_magic FILE OFFSET:HEX...: whether FILE has one of the magics.
has_magic() {
  local magic offset
  for magic in "${@:2}"; do
    offset=${magic%:*} magic=${magic#*:}
    [ "$(bytes_at "$1" "$offset" $((${#magic} / 2)))" != "$magic" ] || return 0
  done
  return 1
}

# bytes_at FILE OFFSET COUNT: so many bytes of FILE in hexadecimal; a negative OFFSET counts from the end.
bytes_at() {
  if [ "$2" -lt 0 ]; then tail -c "${2#-}" -- "$1"; else tail -c "+$(($2 + 1))" -- "$1"; fi 2>/dev/null |
    head -c "$3" | od -An -tx1 | tr -d ' \n'
}

# looks_like IMAGE FIELD LINE...: that field of every line one of whose magics IMAGE has, the last one first, with blanks
# between them.
looks_like() {
  local image=$1 field=$2 format name magics found=''
  # shellcheck disable=SC2034,SC2086
  while read -r format name _ magics; do
    ! has_magic "$image" $magics || found="${!field}${found:+ $found}"
  done < <(printf '%s\n' "${@:3}")
  printf '%s\n' "$found"
}

# magic_format IMAGE: the names of the formats whose magic it has.
magic_format() { looks_like "$1" name "${FORMATS[@]}"; }

# format_of IMAGE: its format for --format, by its magic; calls `fail` where that is not known.
format_of() {
  local found
  found=$(looks_like "$1" format "${FORMATS[@]}")
  case $found in
    *' '*)
      found=$(magic_format "$1")
      fail "$1: looks like a ${found// / and like a }: say which with --format" 4
      ;;
    ?*) echo "$found" ;;
    *)
      found=$(looks_like "$1" name "${OTHERS[@]}")
      [ -z "$found" ] || fail "$1: is a $found: see \"Other formats\" in README.md" 4
      fail "$1: neither a $(formats name ' nor a '): if it is a raw disk, say so with --format raw" 4
      ;;
  esac
}
