# Sourced by the scripts: the formats that a header tool reads, and what a file is by the bytes at its beginning and end. The
# table of them all, which the programs read too, is extents-merge/src/image/formats.table; a new format is a line there.
#
# A header tool takes --output intervals (the default) or map, --search-path DIR as often as you like, and -- IMAGE. Its
# document of intervals begins with {"virtual_size":N, without blanks, and it ends with the statuses in README.md.

# load_table: the lines of the table, FORMAT|KIND|NAME|READER|MAGICS, in TABLE. Installed, it lies beside this.
load_table() {
  local here line
  here=$(dirname -- "${BASH_SOURCE[0]}")
  TABLE=()
  while IFS= read -r line; do TABLE+=("$line"); done < <(
    sed -e '/^#/d' -e '/^$/d' -e 's/ *| */|/g' "$here/formats.table" 2>/dev/null ||
      sed -e '/^#/d' -e '/^$/d' -e 's/ *| */|/g' "$here/../extents-merge/src/image/formats.table"
  )
}
load_table

# lines_of KIND...: the lines of the table of these kinds.
lines_of() {
  local line kind
  for line in "${TABLE[@]}"; do
    kind=${line#*|} kind=${kind%%|*}
    case " $* " in *" $kind "*) printf '%s\n' "$line" ;; esac
  done
}

# fields FIELD SEPARATOR: the format, kind, name (with an article) or tool (the reader) of each of the lines on standard input, joined.
fields() {
  local format kind name tool joined=''
  # shellcheck disable=SC2034
  while IFS='|' read -r format kind name tool _; do joined+=${joined:+$2}${!1}; done
  printf '%s\n' "$joined"
}

# formats FIELD SEPARATOR: the same of the formats that a header tool reads.
formats() { lines_of image | fields "$1" "$2"; }

# What the workspace builds for its users.
# shellcheck disable=SC2034,SC2207
PROGRAMS=($(formats tool ' ') extents-merge xva-pack xva-unpack xva-zstd xva-headers ova-xml)
# The scripts that are commands of theirs too.
# shellcheck disable=SC2034
COMMANDS=(export-xva restore-disk)

# header_tool FORMAT: the program that reads it; nothing for another.
header_tool() {
  local format tool
  while IFS='|' read -r format _ _ tool _; do
    [ "$format" != "$1" ] || echo "$tool"
  done < <(lines_of image)
}

# hex: standard input in hexadecimal, without blanks.
hex() { od -An -v -tx1 | tr -d ' \n'; }

# has_magic BEGINNING END MAGIC...: whether a file with these edges, in hexadecimal, has one of the magics; see the table.
has_magic() {
  local magic part offset digits first last piece at fits LC_ALL=C
  for magic in "${@:3}"; do
    fits=yes
    for part in ${magic//+/ }; do
      offset=${part%%:*} digits=${part#*:} first=${offset%%..*} last=${offset##*..}
      case $offset in
        name) piece='' first=0 last=0 ;;
        -*)
          piece='' first=0 last=0
          [ ${#2} -lt $((2 * ${offset#-})) ] || piece=${2:${#2} - 2 * ${offset#-}}
          ;;
        *) piece=${1:2 * first:2 * (last - first) + ${#digits}} ;;
      esac
      for ((at = 0; at <= last - first; at++)); do
        # A question mark fits any digit.
        # shellcheck disable=SC2053
        [[ ${piece:2 * at:${#digits}} != $digits ]] || continue 2
      done
      fits=no
      break
    done
    [ $fits = no ] || return 0
  done
  return 1
}

# matches IMAGE: the lines of the table that it looks like: more than one if its end says something else than its beginning; of
# a raw disk only that, if there is nothing else.
matches() {
  local beginning end line magics first='' last='' named=''
  beginning=$(head -c 33792 -- "$1" 2>/dev/null | hex)
  end=$(tail -c 512 -- "$1" 2>/dev/null | hex)
  for line in "${TABLE[@]}"; do
    magics=${line##*|}
    # shellcheck disable=SC2086
    [ -n "$first" ] || ! has_magic "$beginning" '' $magics || first=$line
    # shellcheck disable=SC2086
    [ -n "$last" ] || ! has_magic '' "$end" $magics || last=$line
    case $magics in name:*) [[ $1 != *"${magics#name:}" ]] || named=$line ;; esac
  done
  [ "$first" != "$last" ] || last=''
  if [ -n "$last" ]; then
    case $first in *'|raw|'*) first='' ;; esac
  fi
  [ -n "$first$last" ] || first=$named
  printf '%s' "${first:+$first$'\n'}" "${last:+$last$'\n'}"
}

# looks_like IMAGE KIND...: the names, with articles, of the formats of these kinds that it looks like; nothing for others.
looks_like() {
  local format kind name joined=''
  while IFS='|' read -r format kind name _; do
    case " ${*:2} " in *" $kind "*) joined+=${joined:+ and like }$name ;; esac
  done < <(matches "$1")
  printf '%s\n' "$joined"
}

# The kinds of files of which the guest does not see the bytes as they are: all but raw disks.
# shellcheck disable=SC2034
CONTAINERS=(image qemu compressed archive text)

# is_at_hand FILE: ends the script, which calls it `fail`, where FILE is none that can be read at several places.
is_at_hand() {
  [ ! -d "$1" ] || fail "$1: is a directory: expected a file or block device" 1
  [ ! -p "$1" ] || fail "$1: is a pipe, which cannot be read at several places: save it in a file first" 2
  [ ! -c "$1" ] || fail "$1: is a terminal or another device that is no disk: expected a file or block device" 2
  if [ ! -f "$1" ] && [ ! -b "$1" ]; then
    local reason
    reason=$(LC_ALL=C stat -L -- "$1" 2>&1 >/dev/null) || true
    case $reason in
      *': Permission denied') fail "$1: cannot be looked at: Permission denied" 1 ;;
      *) fail "$1: no such file or block device" 1 ;;
    esac
  fi
  [ -r "$1" ] || fail "$1: cannot be read: Permission denied" 1
}

# beginning_of FILE: what its first bytes are.
beginning_of() {
  local digits text='' i
  digits=$(head -c 8 -- "$1" | hex)
  case $digits in *[!0]*) ;; *) echo "zeros at its beginning"; return ;; esac
  for ((i = 0; i < ${#digits}; i += 2)); do
    case ${digits:i:2} in
      22 | 5c | [01]? | 7f | [89a-f]?) text+="\\x${digits:i:2}" ;;
      *) text+=$(printf %b "\\x${digits:i:2}") ;;
    esac
  done
  echo "\"$text\" at its beginning"
}

# unpacked READER FILE: the command that decompresses it, and the name of what comes out.
unpacked() {
  local inner=${2%.*}
  [ "$inner" != "$2" ] || inner=$2.unpacked
  echo "$1 $(printf %q "$2") > $(printf %q "$inner")"
}

# for_people BYTES: such as 1.5 GiB.
for_people() {
  local tenths=$((10 * $1)) unit=B next
  for next in KiB MiB GiB TiB; do
    [ "$tenths" -ge 10240 ] || break
    tenths=$((tenths / 1024)) unit=$next
  done
  echo "$((tenths / 10)).$((tenths % 10)) $unit"
}

# format_of IMAGE: its format for --format, by its magic; calls `fail` where that is not known.
format_of() {
  local found format kind name reader
  found=$(matches "$1")
  case $found in
    *$'\n'*) fail "$1: looks like $(fields name ' and like ' <<<"$found"): say which with --format" 4 ;;
    '')
      [ -s "$1" ] || [ ! -f "$1" ] || fail "$1: is an empty file: expected a disk image" 3
      fail "$1: is not a known disk image: found $(beginning_of "$1"); if it is a raw disk, say so with --format raw" 4
      ;;
  esac
  IFS='|' read -r format kind name reader _ <<<"$found"
  case $kind in
    image) echo "$format" ;;
    qemu)
      [ "$format" != luks ] || fail "$1: is $name, which is encrypted: open it with cryptsetup, and export the device that this makes" 4
      fail "$1: is $name: convert it first: qemu-img convert -O qcow2 $(printf %q "$1") $(printf %q "${1%.*}.qcow2")" 4
      ;;
    compressed) fail "$1: is $name: decompress it first: $(unpacked "$reader" "$1")" 4 ;;
    raw) fail "$1: is $name: if it is to be exported as it is, say so with --format raw" 4 ;;
    *)
      [ "$reader" = - ] || name="$name, which $reader reads"
      fail "$1: is $name: expected a disk image" 3
      ;;
  esac
}
