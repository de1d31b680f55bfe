# Sourced by restore-disk: what the user says.

usage() {
  cat <<USAGE
usage: $command [-O qcow2|vpc|raw|vmdk] [-o FILE] [--disk REF] ARCHIVE

Writes a disk of ARCHIVE, an XVA, as an image: sparse, straight from the archive, and checked before
it gets its name.

  -O FORMAT            qcow2, vpc (VHD), raw or vmdk (default: what FILE ends with, or qcow2)
  -o FILE              the image (default: the name of the archive with that of the format, here)
  --disk REF           which disk; only where ARCHIVE has more than one. xva-headers --list names
                       them
  -f, --force          replace FILE if it is there
  --no-verify          check no checksum of the archive, and do not read the image back
  -q, --quiet          print errors only, and show no progress
  --version            print the version
  -h, --help           this text

Example: $command -O vpc -o system.vhd --disk Ref:000 web.xva

An ARCHIVE that is compressed in one piece cannot be read from the middle. It is decompressed into
FILE where that is raw, else into a temporary file beside it, which is sparse, and then converted.
What is not whole yet stands in a folder restore-disk.part.XXXXXX beside FILE, which only a kill -9
leaves behind: it may be removed.
USAGE
  if [ "$share" = "$here" ]; then
    cat <<USAGE

The programs are taken from \$XVA_BIN_DIR, or from PATH where they are of this version; otherwise
they are built, with cargo.
USAGE
  fi
  cat <<USAGE

Exit status: that of the filter that failed: 1 system, 2 usage, 3 damaged archive, 4 sound but not
answerable.
USAGE
}

# parse_options ARGUMENT...
parse_options() {
  format='' output='' disk='' force=no verify=yes archives=() given=' '
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --version | -V) version restore-disk; exit ;;
      -q | --quiet) quiet=yes; shift; continue ;;
      -f | --force) force=yes; shift; continue ;;
      --no-verify) verify=no; shift; continue ;;
      --) shift; archives+=("$@"); break ;;
      --?*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
      -) fail "-: the archive is read at several places, which standard input cannot be: save it first; for a raw disk there is xva-unpack --disk" 2 ;;
      -?*) ;;
      *) archives+=("$1"); shift; continue ;;
    esac
    [[ $given != *" $1 "* ]] || fail "$1 is given twice; see --help" 2
    given+="$1 "
    case $1 in
      -O) format=${2:-} ;;
      -o) output=${2:-} ;;
      --disk) disk=${2:-} ;;
      *) fail "unknown option $1; $(did_you_mean "$1")see --help" 2 ;;
    esac
    [ $# -gt 1 ] || fail "$1 needs a value; see --help" 2
    [ -n "$2" ] || [ "$1" = --disk ] || fail "$1: found an empty value; see --help" 2
    shift 2
  done
  [ ${#archives[@]} -eq 1 ] || fail "found ${#archives[@]} archives, expected one; see --help" 2
  archive=${archives[0]}
  # To a filter - would be standard input.
  [ "$archive" != - ] || archive=./-
  is_at_hand "$archive"
}
