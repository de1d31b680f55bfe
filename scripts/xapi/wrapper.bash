# Sourced by the wrappers vhd-tool and qemu-img: where the filters are, where parents may lie, and how the real program
# is started. xapi gives its children PATH=/sbin:/usr/sbin:/bin:/usr/bin, nothing else, and the directory /.

# Where the filters are, if they are neither beside the wrappers nor in the bin of their prefix (/opt/xva-tools/bin for
# /opt/xva-tools/scripts/xapi): the line to edit.
installed=/usr/local/bin

# fail STATUS SENTENCE: xapi logs it, finds no answer on stdout, and reads the whole disk.
fail() { printf '%s: %s\n' "${0##*/}" "$2" >&2 || true; exit "$1"; }

# find_filters NAME...: sets $filters to the directory that has them. XVA_BIN_DIR is for tests: xapi would not hand it on.
find_filters() {
  local here name places
  here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
  places=("$here" "$here/../../bin" "$installed")
  [ -z "${XVA_BIN_DIR:-}" ] || places=("$XVA_BIN_DIR")
  for filters in "${places[@]}"; do
    for name in "$@"; do [ -x "$filters/$name" ] || continue 2; done
    return 0
  done
  fail 1 "$* not found: expected in one of: ${places[*]}"
}

# find_search_paths IMAGE: sets the array $search to --search-path options for the directories in which the parents of an
# image of xapi lie: those of its storage repository, under every name by which an image may call them. The filters compare
# names by their text.
find_search_paths() {
  local directory name swapped directories=()
  directory=$(dirname -- "$1")
  case $1 in
    # LINSTOR: every volume in a directory of its own, where its name is 0.
    */drbd/by-res/*/*) directories=("${directory%/*}") ;;
    # The same by the number of its device. All of /dev would be too much.
    /dev/drbd*) directories=(/dev/drbd/by-res) ;;
    # LVM: VG_XenStorage-SR/VHD-VDI, also as mapper/VG_XenStorage--SR-VHD--VDI with the dashes of both names doubled.
    /dev/mapper/*)
      name=${1##*/} name=${name//--//} name=${name%%-*}
      directories=(/dev/mapper "/dev/${name//\//-}")
      ;;
    /dev/*/*) directories=("$directory" /dev/mapper) ;;
    /dev/*) directories=(/dev/mapper) ;;
    # Files: /run/sr-mount/SR, which is /var/run/sr-mount/SR too, and may be a link to where it is mounted.
    *)
      for name in "$directory" "$(cd -P -- "$directory" 2>/dev/null && pwd)" "/run/sr-mount/${directory##*/}"; do
        swapped=$name
        case $name in
          */var/run/sr-mount/*) swapped=${name%%/var/run/sr-mount/*}/run/sr-mount/${name#*/var/run/sr-mount/} ;;
          */run/sr-mount/*) swapped=${name%%/run/sr-mount/*}/var/run/sr-mount/${name#*/run/sr-mount/} ;;
        esac
        [ ! "$name" -ef "$directory" ] || directories+=("$name")
        [ ! "$swapped" -ef "$directory" ] || directories+=("$swapped")
      done
      ;;
  esac
  search=()
  for name in ${directories[@]+"${directories[@]}"}; do search+=("--search-path=$name"); done
}

# run_real PROGRAM ARGUMENT...: becomes the real program, with the environment that this script was given: bash itself sets
# PWD, SHLVL and _.
run_real() {
  local variable environment=()
  [ ! "$1" -ef "$0" ] || fail 1 "$1 is this script itself: expected the real program"
  while IFS= read -r -d '' variable; do
    [[ $variable != *=* ]] || environment+=("$variable")
  done </proc/self/environ
  exec env -i -- ${environment[@]+"${environment[@]}"} "$@"
}
