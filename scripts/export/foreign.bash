# Sourced by export-xva: disks that only qemu reads, and OVA.
#
# foreign_disk.py looks into the image before qemu does, and tells it which files to open. Its bytes are then read from a file
# system of qemu's own (FUSE); where there is none, from a temporary raw file.

FOREIGN=(vmdk vdi vhdx qed parallels)

foreign_drivers() {
  local joined
  joined=$(printf "$1%s" "${FOREIGN[@]}")
  printf '%s\n' "${joined#"$1"}"
}

# foreign_names SEPARATOR: as people write them.
foreign_names() {
  local names
  names=$(foreign_drivers "$1")
  names=${names^^}
  echo "${names/PARALLELS/Parallels}"
}

# is_foreign FORMAT
is_foreign() { [[ " ${FOREIGN[*]} ova " == *" $1 "* ]]; }

# foreign_format IMAGE: one of them, if its magic says so, and its name: what a guest writes into its raw disk shall not
# make qemu open other files. Nothing for others.
foreign_format() {
  local found name endings
  found=$(matches "$1")
  [[ $found != *$'\n'* ]] || return 0
  name=$(fields name ' ' <<<"$found") found=$(fields format ' ' <<<"$found")
  # The first file of an OVA may be another one than its OVF.
  case $found:${1,,} in xml:*.ovf | tar:*.ova) found=ova ;; esac
  is_foreign "$found" || return 0
  case $found in
    parallels) endings='hdd|hds|parallels' ;;
    ova) endings='ova|ovf' ;;
    *) endings=$found ;;
  esac
  [[ ${1,,} =~ \.($endings)$ ]] || fail "$1: is $name by its beginning, but not by its name: if it is one, say --format $found" 4
  echo "$found"
}

need_foreign() {
  need qemu-img qemu-utils
  need python3 python3
}

# Nothing of the environment tells it what to load and how names are written.
python=(python3 -E -B -X utf8)

# foreign_disk TASK ARGUMENT...: see there.
foreign_disk() { FORMATS=$(lines_of image qemu compressed) VERIFY=$verify "${python[@]}" "$share/export/foreign_disk.py" "$@"; }

# take_machine OVA: sets machine_disks, and from its OVF what no option says.
take_machine() {
  local line value facts
  facts=$(foreign_disk machine "$1")
  [ -z "${machine_of:-}" ] || fail "$1: is a machine, as $machine_of is: expected one" 2
  machine_of=$1
  ovf_networks=()
  while IFS= read -r line; do
    value=${line#*=}
    case ${line%%=*} in
      name) name=${name:-$value} ;;
      memory) memory=${memory:-$value} ;;
      vcpus) vcpus=${vcpus:-$value} ;;
      firmware) firmware=${firmware:-$value} ;;
      network) ovf_networks+=("--network=$value") ;;
      disks) [[ ! $value =~ ^[0-9]+$ ]] || machine_disks=$value ;;
    esac
  done <<<"$facts"
  [ "$machine_disks" -gt 0 ] || fail "$1: has no disks" 4
  say_step "$1: name $name, memory ${memory:-1G}, ${vcpus:-1} vcpus, firmware ${firmware:-bios}," \
    "networks: ${ovf_networks[*]#--network=}, disks: $machine_disks"
  [ ${#networks[@]} -gt 0 ] || networks=(${ovf_networks[@]+"${ovf_networks[@]}"})
}

# say_who_writes I: where a program holds a file that the image names open for writing; the image itself was looked at.
say_who_writes() {
  local file
  for file in "$scratch/disk$1"/file*; do
    [ "$file" -ef "${disk_images[$1]}" ] || is_at_rest "$file" || { say_open "$(readlink -- "$file")"; return; }
  done
}

# prepare_foreign I: makes the folder of disk I, see foreign_disk.py, and prints its size.
prepare_foreign() {
  local folder=$scratch/disk$1
  rm -rf -- "$folder"
  mkdir -- "$folder"
  foreign_disk disk "$folder" "${disk_readers[$1]}" "${disk_images[$1]}" "${disk_numbers[$1]}" "$backing_format" ${search[@]+"${search[@]}"}
}

# attach_foreign I: its bytes become those of the file raw in its folder.
attach_foreign() {
  local folder=$scratch/disk$1 raw=$scratch/disk$1/raw
  : >"$raw"
  if type -P qemu-storage-daemon >/dev/null && qemu-storage-daemon --daemonize --pidfile "$folder/pid" --blockdev "$(cat "$folder/node")" \
    --export "type=fuse,id=raw,node-name=disk,mountpoint=${raw//,/,,}" >"$folder/daemon" 2>&1 &&
    [ "$(stat -c %s -- "$raw")" = "${disk_sizes[$1]}" ]; then
    return
  fi
  detach_foreign "$folder"
  say "${disk_images[$1]}: qemu cannot show it as a file here (FUSE), so it is unpacked into a temporary one first"
  rm -f -- "$raw" "$work/unpacked"
  # Beside the archive, where there is room.
  qemu-img convert -O raw "json:$(cat "$folder/node")" "$work/unpacked" ||
    fail "${disk_images[$1]}: could not be unpacked into a file beside $output" 1
  ln -s -- "$work/unpacked" "$raw"
}

# runs PID: whether that process does. One that has ended is there for as long as init does not ask how, in a container for ever.
runs() { [[ $(cat "/proc/$1/stat" 2>/dev/null) =~ \)\ [^ZX] ]]; }

# detach_foreign FOLDER: ends the daemon, which takes its file system with it.
detach_foreign() {
  local pid attempt
  [ -s "$1/pid" ] || return 0
  pid=$(cat "$1/pid")
  kill -TERM "$pid" 2>/dev/null || true
  for ((attempt = 0; attempt < 100; attempt++)); do
    runs "$pid" || break
    sleep 0.05
  done
  if runs "$pid" && kill -KILL "$pid" 2>/dev/null; then
    umount -- "$1/raw" 2>/dev/null || fusermount3 -u -- "$1/raw" 2>/dev/null || true
  fi
  rm -f -- "$1/pid"
}

# pack_foreign I PACK-COMMAND...
pack_foreign() {
  local folder=$scratch/disk$1 size status=0 compared=0 sums
  size=$(prepare_foreign "$1") || return
  [ "$size" = "${disk_sizes[$1]}" ] || { warn "${disk_images[$1]}: changed while it was read: found $size bytes; try again"; return 1; }
  attach_foreign "$1"
  # While the disk is packed: the archive has no name before both are done.
  "${python[@]}" "$share/export/manifest.py" "$folder" >/dev/null &
  sums=$!
  extents-merge -- "$folder/extents" | "${@:2}" -- "$folder/raw" || status=$?
  detach_foreign "$folder"
  [ "$status" -eq 0 ] || kill "$sums" 2>/dev/null || true
  wait "$sums" 2>/dev/null || compared=$?
  [ "$status" -ne 0 ] || status=$compared
  [ "$status" -ne 0 ] || foreign_disk unchanged "$folder" || status=$?
  rm -rf -- "$folder" "$work/unpacked"
  return "$status"
}
