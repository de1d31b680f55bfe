# Sourced by export-xva, whose `fail` it calls: what a disk image is by the bytes at its beginning and end.

# magic FILE OFFSET: eight bytes of FILE in hexadecimal; a negative OFFSET counts from the end.
magic() {
  if [ "$2" -lt 0 ]; then tail -c "${2#-}" -- "$1"; else tail -c "+$(($2 + 1))" -- "$1"; fi 2>/dev/null |
    head -c 8 | od -An -tx1 | tr -d ' \n'
}

# container IMAGE: the name of an image format that only qemu reads.
container() {
  case $(magic "$1" 0) in
    4b444d56*) echo VMDK ;;
    7668647866696c65) echo VHDX ;;
    *) [[ $(magic "$1" 64) != 7f10dabe* ]] || echo VDI ;;
  esac
}

# magic_format IMAGE: QCOW2, VHD, both with a blank between them, or nothing, by its magic. A VHD has it at the start
# (dynamic disks) or only at the end.
magic_format() {
  local conectix=636f6e6563746978 kinds=()
  [[ $(magic "$1" 0) != 514649fb* ]] || kinds+=(QCOW2)
  for offset in 0 -512 -511; do
    [ "$(magic "$1" $offset)" != $conectix ] || { kinds+=(VHD); break; }
  done
  echo "${kinds[*]:-}"
}

# format_of IMAGE: vhd or qcow2, by its magic.
format_of() {
  case $(magic_format "$1") in
    QCOW2) echo qcow2 ;;
    VHD) echo vhd ;;
    *' '*) fail "$1: looks like a QCOW2 and like a VHD: say which with --format" 4 ;;
    *)
      [ -z "$(container "$1")" ] || fail "$1: is a $(container "$1"): see \"Other formats\" in README.md" 4
      fail "$1: neither a VHD nor a QCOW2: if it is a raw disk, say so with --format raw" 4
      ;;
  esac
}
