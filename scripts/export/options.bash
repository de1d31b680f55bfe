# Sourced by export-xva: its options.

usage() {
  cat <<END
usage: $command [OPTIONS] [-o FILE] IMAGE...

Exports the disks in IMAGE... as one VM, reads the archive back to check it, and only then gives it
its name: $(formats name ' or ') with their parents and backing files, raw disks, and what qemu
reads: $(foreign_names ', '), and OVA, whose machine is exported with its disks.
Without any argument: a small example, to see it work.

  -o FILE              the archive: .xva, .xva.zst or .xva.gz, replaced if it exists (default: the
                       first IMAGE's name with .xva.zst, here)
  --device DEVICE      read the bytes from DEVICE, a raw disk or attached device, and from IMAGE
                       only where data is; once called --disk
  --format FMT         $(formats format ', '), raw, or $(foreign_drivers ', ')
                       or ova: the format of every IMAGE, whatever its magic says. Say raw for
                       raw disks: a guest can write any magic into its own
  --backing-format FMT qcow2 or raw: the format of backing files whose format the image over them
                       does not say
  --search-path DIR    where parents and backing files may lie, besides the directory of IMAGE
                       (repeatable)
  --skip-holes         leave out what the file system reports as holes of the files: for sparse raw
                       and fixed disks
  --name NAME          name of the VM (default: the OVA's, or the first IMAGE's name)
  --memory SIZE        its memory (default: the OVA's, or 1G)
  --vcpus N            its virtual CPUs (default: the OVA's, or 1)
  --firmware FW        bios or uefi (default: the OVA's, or bios)
  --network LABEL      a network to connect it to (repeatable; default: the OVA's, or none)
  --description, --cores-per-socket, --secure-boot, --vtpm, --platform, --cd, --other-config,
  --tag, --generation-id, --template, --random-uuids: what else the VM is, as ova-xml --help says
  --checksum ALGO      xxhash, or sha1 for hosts older than 2019 (default: xxhash)
  --no-verify          do not read the archive back, nor compare the sums of an OVA
  -q, --quiet          print errors only
  -v, --verbose        say what was found and decided
  --version            print the version
  -h, --help           this text

Examples:
  $command -o web.xva.zst --name web --memory 2G system.qcow2 data.vhd
  $command appliance.ova
  $command server-disk1.vmdk
  $command --format raw disk.raw

A compressed raw disk, disk.raw.zst, .gz, .xz or .bz2, is unpacked on the way. An image that changed
while it was read is exported again, three times in all. What is not whole yet stands in a folder
FILE.part.XXXXXX beside FILE, which only a kill -9 leaves behind: it may be removed.
END
  if [ "$share" = "$here" ]; then
    cat <<END
The programs are taken from \$XVA_BIN_DIR, or from PATH where they are of this version; otherwise
they are built, with cargo.
END
  fi
  cat <<END

Exit status: that of the filter that failed: 1 system, 2 usage, 3 damaged image, 4 sound but not
answerable.
END
}

# Expanded as ${search[@]+"${search[@]}"}: to the bash 4.2 of a dom0 an empty array is an unset variable.
search=() progress=() loudness=() skip_holes=()
machine=()  # what else ova-xml is told
networks=() # likewise, where an OVA does not say it
images=()
output='' device='' format='' backing_format='' name='' memory='' vcpus='' firmware=''
checksum=xxhash verify=yes example=no

# Options that may be given more than once; of all others two values are a mistake.
REPEATABLE=' --search-path --network --platform --other-config --tag '
given=' '

# once OPTION: refuses it if it was given before.
once() {
  [[ $REPEATABLE != *" $1 "* ]] || return 0
  [[ $given != *" $1 "* ]] || fail "$1 is given twice; see --help" 2
  given+="$1 "
}

# parse_options ARGUMENT...
parse_options() {
  local arguments=$#
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --version | -V) version export-xva; exit ;;
      --) shift; images+=("$@"); break ;;
      -q | --quiet) once --quiet; quiet=yes loudness=(-q); shift; continue ;;
      -v | --verbose) once --verbose; verbose=yes loudness=(-v); shift; continue ;;
      --no-verify) once "$1"; verify=no; shift; continue ;;
      --skip-holes) once "$1"; skip_holes=("$1"); shift; continue ;;
      --secure-boot | --vtpm | --cd | --template | --random-uuids) once "$1"; machine+=("$1"); shift; continue ;;
      --?*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
      -) fail "-: images are read at several places, which standard input cannot be: save it first; for a raw disk there is xva-pack --scan -" 2 ;;
      -*) ;;
      *) images+=("$1"); shift; continue ;;
    esac
    case $1 in
      --disk) set -- --device "${@:2}" ;;
      -o | --device | --format | --backing-format | --name | --checksum | --search-path | --memory | --vcpus | --firmware) ;;
      --network | --description | --cores-per-socket | --platform | --other-config | --tag | --generation-id) ;;
      *) fail "unknown option $1; $(meant "$1")see --help" 2 ;;
    esac
    [ $# -gt 1 ] || fail "$1 needs a value; see --help" 2
    once "$1"
    take "$1" "$2"
    shift 2
  done
  [ "$quiet$verbose" != yesyes ] || fail "--quiet and --verbose exclude each other; see --help" 2
  [ ! -t 2 ] || [ "$quiet" = yes ] || progress=(--progress)
  if [ ${#images[@]} -eq 0 ]; then
    [ "$arguments" -eq 0 ] || fail "no image named; see --help" 2
    example=yes
    images=("$share/example/example.qcow2")
    output=example.xva.zst
    say "no image named: exporting the example to $output"
  fi
}

# meant OPTION: a question, and a blank after it, if it is nearly one of those in the help.
meant() {
  if [ "$1" = --output ]; then
    echo 'did you mean -o? '
  else
    did_you_mean "$1"
  fi
}

# take OPTION VALUE
take() {
  case $1 in
    -o) output=$2 ;;
    --device) device=$2 ;;
    --format) format=$2 ;;
    --backing-format) backing_format=$2 ;;
    --name) name=$2 ;;
    --checksum) checksum=$2 ;;
    --search-path) search+=("$2") ;;
    --memory) memory=$2 ;;
    --vcpus) vcpus=$2 ;;
    --firmware) firmware=$2 ;;
    --network) networks+=("$1=$2") ;;
    *) machine+=("$1=$2") ;;
  esac
  case $1 in
    -o | --device | --search-path) [ -n "$2" ] || fail "$1 needs a value that is not empty; see --help" 2 ;;
    --backing-format) one_of "$1" "$2" qcow2 raw ;;
    --checksum) one_of "$1" "$2" xxhash sha1 ;;
    --firmware) one_of "$1" "$2" bios uefi ;;
    --format)
      # shellcheck disable=SC2046
      one_of "$1" "$2" $(formats format ' ') raw $(foreign_drivers ' ') ova
      ;;
  esac
}

# one_of OPTION VALUE WORD...: refuses a VALUE that is none of them.
one_of() {
  local word words
  for word in "${@:3}"; do
    [ "$word" != "$2" ] || return 0
  done
  words=$(printf ', %s' "${@:3}")
  fail "$1: found $2, expected one of ${words#, }" 2
}
