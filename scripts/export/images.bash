# Sourced by export-xva: what each image is, how large its disk is, and what is said of it before anything is written.

# What is exported, one entry a disk: its image, how it is read (a format of a header tool, raw, compressed or foreign), the
# program that unpacks it or qemu's driver for it, its number in an OVA, and its size in bytes.
disk_images=() disk_ways=() disk_readers=() disk_numbers=() disk_sizes=()

# Bytes of the largest disk: 100 million blocks less one, of which the importer can compare the names.
LARGEST=104857600000000

# add_disk IMAGE WAY [READER [NUMBER]]
add_disk() {
  disk_images+=("$1") disk_ways+=("$2") disk_readers+=("${3:-}") disk_numbers+=("${4:-0}")
}

# look_at_images: what each image is, by its name and its magic, and what is needed to read it. What is refused here is so
# before anything is installed or built.
look_at_images() {
  local image
  [ -z "$device" ] || [ -e "$device" ] || fail "$device: no such device or file" 1
  [ -z "$device" ] || [ -z "$format" ] || [ -n "$(header_tool "$format")" ] || refuse_device
  ways=() readers=()
  for image in "${images[@]}"; do
    [[ -e $image || ! $image =~ ^([a-z][a-z0-9+]*://|json:|nbd:) ]] || fail "$image: is not a file here: get it first" 4
    is_at_hand "$image"
    way='' reader=''
    look_at_image "$image"
    ways+=("$way") readers+=("$reader")
  done
  [ -z "$device" ] || [ -n "$(header_tool "${ways[0]}")" ] || refuse_device
  [ -z "$backing_format" ] || [[ " ${ways[*]} ${readers[*]} " == *\ qcow2\ * || " ${readers[*]} " == *\ qed\ * ]] ||
    fail "--backing-format goes with a QCOW2 or QED" 2
  [ ${#skip_holes[@]} -eq 0 ] || [[ " ${ways[*]} " =~ \ (raw|$(formats format '|'))\  ]] ||
    fail "--skip-holes goes with $(formats name ', ') or a raw disk" 2
}

refuse_device() { fail "--device needs $(formats name ' or ') that says where data is" 2; }

# look_at_image IMAGE: sets way, and reader where there is one.
look_at_image() {
  local packer found
  packer=$(packer_of "$1")
  if [ -n "$packer" ]; then
    way=compressed reader=$packer
    need_packer "$packer"
    [ -z "$format" ] || [ "$format" = raw ] || refuse_packed "$1" "$packer" "of which only raw disks are unpacked on the way"
  elif [ "$format" = raw ]; then
    way=raw
    found=$(looks_like "$1" "${CONTAINERS[@]}")
    [ -z "$found" ] || say "$1: exported as raw, as --format says, though it looks like $found"
  elif [ -n "$format" ]; then
    way=$format
  else
    way=$(foreign_format "$1")
    [ -n "$way" ] || way=$(format_of "$1")
  fi
  if is_foreign "$way"; then
    reader=$way way=foreign
    need_foreign
    [ ! -b "$1" ] || fail "$1: is a device: $reader is read from files" 4
  fi
  [ -b "$1" ] || [ -s "$1" ] || fail "$1: is empty: found 0 bytes, expected a disk" 4
  is_at_rest "$1" || say_open "$1"
}

say_open() {
  say "$1: another program has it open for writing, a running VM perhaps: what is exported may be of different moments," \
    "without what the guest had not yet written; shut the VM down or export a snapshot of it"
}

# is_at_rest IMAGE: fails if a program holds it open for writing, as far as one can see: by the locks of qemu, which holds its
# byte 101 for that, or in the lists of open files of those processes that this user may look at.
is_at_rest() {
  local inode kind start end line entry flags
  [ -f "$1" ] || return 0
  inode=$(stat -Lc %i -- "$1")
  while read -r _ kind _ _ _ line start end _; do
    case $kind in OFDLCK | POSIX) ;; *) continue ;; esac
    [ "$end" != EOF ] || end=101
    if [ "${line##*:}" = "$inode" ] && ((start <= 101 && end >= 101)); then return 1; fi
  done < <(grep -v -- '->' /proc/locks 2>/dev/null || true)
  # The name of an open file may be looked for, what it leads to need not be asked, which could wait for a server that is gone.
  entry=$(readlink -f -- "$1" | sed 's/[][*?\\]/\\&/g')
  while IFS= read -r entry; do
    flags=$(sed -n 's/^flags:[[:space:]]*//p' "${entry/\/fd\//\/fdinfo\/}" 2>/dev/null) || continue
    # The last octal digit is how it was opened: 0 for reading.
    [ -z "$flags" ] || [ $((0$flags & 3)) -eq 0 ] || return 1
  done < <(find /proc/[0-9]*/fd -maxdepth 1 -lname "$entry" 2>/dev/null || true)
  return 0
}

# headers FORMAT ARG...: the header tool for FORMAT.
headers() {
  local options=() directory
  for directory in ${search[@]+"${search[@]}"}; do options+=(--search-path="$directory"); done
  [ "$1" != qcow2 ] || [ -z "$backing_format" ] || options+=(--backing-format="$backing_format")
  "$(header_tool "$1")" ${options[@]+"${options[@]}"} ${skip_holes[@]+"${skip_holes[@]}"} ${loudness[@]+"${loudness[@]}"} "${@:2}"
}

# size_of WAY IMAGE: bytes of the virtual disk. The image is read to its end, as it will be for the archive: what is damaged,
# encrypted or not to be had is so before any output. Which files hold its data is in $scratch/named afterwards.
size_of() {
  : >"$scratch/named"
  if [ "$1" = raw ]; then
    if [ -b "$2" ]; then blockdev --getsize64 "$2"; else stat -Lc %s -- "$2"; fi
  elif [ -n "$device" ]; then
    # The document is one line, perhaps a very long one: keep its beginning only.
    local beginning
    beginning=$(headers "$1" -- "$2" | { head -c 60; cat >/dev/null; }) || return
    [[ ! $beginning =~ ^\{\"virtual_size\":([0-9]+) ]] || echo "${BASH_REMATCH[1]}"
  else
    # The first entry of a map says the size, the first one of a file its state and its name. A map without entries is that of
    # an empty disk.
    headers "$1" --output map -- "$2" | { grep -oE '"virtual_size": [0-9]+|"state": .*' || true; } >"$scratch/named" || return
    sed -n '1s/^"virtual_size": //p' "$scratch/named" | grep . || echo 0
  fi
}

# say_who_writes_below IMAGE: where a program holds a file open for writing that IMAGE has its data from.
say_who_writes_below() {
  local name
  # Names with quotes or worse in them are not looked into.
  while IFS= read -r name; do
    [ "$name" -ef "$1" ] || is_at_rest "$name" || { say_open "$name"; return; }
  done < <(sed -n 's/.*"filename": "\([^"\\]*\)"}.*/\1/p' "$scratch/named")
}

# look_into_images: reads every image to its end, and says what is wrong with it before anything is written.
look_into_images() {
  local i j image count
  make_workspace
  # A VMDK may have more parts than files may be open by default.
  ulimit -S -n "$(ulimit -H -n)" 2>/dev/null || true
  for i in "${!images[@]}"; do
    image=${images[i]}
    if [ "${readers[i]}" = ova ]; then
      take_machine "$image"
      for ((j = 0; j < machine_disks; j++)); do add_disk "$image" foreign ova "$j"; done
    else
      add_disk "$image" "${ways[i]}" "${readers[i]}"
    fi
  done
  count=${#disk_images[@]}
  for ((i = 0; i < count; i++)); do
    image=${disk_images[i]}
    case ${disk_ways[i]} in
      compressed) look_into_compressed "$image" "${disk_readers[i]}" ;;
      foreign)
        again prepare_foreign "$i" >"$scratch/size"
        size=$(cat "$scratch/size")
        say_who_writes "$i"
        ;;
      *)
        again size_of "${disk_ways[i]}" "$image" >"$scratch/size"
        size=$(cat "$scratch/size")
        [ "${disk_ways[i]}" = raw ] || reads_no_output "${disk_ways[i]}" "$image"
        say_who_writes_below "$image"
        ;;
    esac
    [ "$size" -gt 0 ] || fail "$image: its disk is empty: found 0 bytes" 4
    [ "$size" -le "$LARGEST" ] || fail "$image: its disk is too large for an archive: found $size bytes, expected at most $LARGEST" 4
    disk_sizes+=("$size")
  done
}
