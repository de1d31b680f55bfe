# Sourced by restore-disk: the image that will be written, its format and its name.

# look_at_output: refuses, before anything is read, what cannot become the image.
look_at_output() {
  [ "$output" != - ] || fail "-: an image is not written in order: expected the name of a file; for a raw disk there is xva-unpack --disk REF -o -" 2
  if [ -z "$format" ]; then
    case $output in
      *.vhd | *.vpc) format=vpc ;;
      *.raw | *.img) format=raw ;;
      *.vmdk) format=vmdk ;;
      *.vdi | *.vhdx | *.qed | *.ova | *.xva) fail "$output: no image of this kind can be written: expected .qcow2, .vhd, .vmdk or .raw, or -O" 2 ;;
      *) format=qcow2 ;;
    esac
  fi
  options=''
  case $format in
    qcow2 | raw | vmdk) suffix=$format ;;
    # Otherwise qemu rounds the size up to what cylinders, heads and sectors can say.
    vpc | vhd) format=vpc suffix=vhd options="-o subformat=dynamic,force_size=on" ;;
    *) fail "$format: unknown format: expected qcow2, vpc, raw or vmdk" 2 ;;
  esac
  if [ -z "$output" ]; then
    output=$(basename -- "$archive")
    for ending in .zst .zstd .gz .xva; do output=${output%"$ending"}; done
    output=$output${disk:+-${disk//[:\/]/-}}.$suffix
  fi

  follow_link
  # What stands before a colon qemu takes for a protocol, unless a slash comes first.
  [[ $output == /* ]] || output=./${output#./}
  [ ! "$output" -ef "$archive" ] || fail "$output: is the archive that is read: expected another" 2
  [ ! -d "$output" ] || fail "$output: is a directory" 1
  [ ! -e "$output" ] || [ -f "$output" ] || fail "$output: is not a file: expected one; xva-unpack --disk writes to devices" 2
  [ ! -e "$output" ] || [ $force = yes ] || fail "$output: already exists: expected a new name, or --force" 2
  can_take_its_place
}

# take_name: gives the image its name; without --force not that of a file that has come in the meantime.
take_name() {
  if [ $force = yes ]; then
    mv -T -- "$image" "$output"
  elif ! ln -T -- "$image" "$output" 2>/dev/null; then
    # It is there by now, or the file system has no hard links.
    mv -n -T -- "$image" "$output" 2>/dev/null || true
    [ ! -e "$image" ] || fail "$output: cannot be written, or exists by now: expected a new name, or --force" 1
  fi
}
