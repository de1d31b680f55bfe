# Sourced by export-xva: writes the archive, reads it back, and gives it its name.

# pack I PACK-OPTION...: the members of disk I.
pack() {
  local way=${disk_ways[$1]} image=${disk_images[$1]}
  local packing=(xva-pack --checksum="$checksum" --pad ${progress[@]+"${progress[@]}"} ${loudness[@]+"${loudness[@]}"} "${@:2}")
  case $way in
    raw) "${packing[@]}" --scan ${skip_holes[@]+"${skip_holes[@]}"} -- "$image" ;;
    compressed) unpack "${disk_readers[$1]}" "$image" | "${packing[@]}" --scan - ;;
    foreign) pack_foreign "$1" "${packing[@]}" ;;
    *)
      if [ -n "$device" ]; then
        headers "$way" -- "$image" | extents-merge | "${packing[@]}" -- "$device"
      else
        headers "$way" --output map -- "$image" | "${packing[@]}" --map -
      fi
      ;;
  esac
}

# archive: the whole archive on stdout; the trailer comes last, so only a whole archive has one.
archive() {
  local i last=$((${#disk_images[@]} - 1)) ova_option=--ova trailer=(--no-trailer) reference
  for ((i = 0; i <= last; i++)); do
    [ "$i" -lt "$last" ] || trailer=()
    reference=$(printf 'Ref:%03d' "$i")
    say_step "$reference: ${disk_images[i]}, ${disk_sizes[i]} bytes ($(for_people "${disk_sizes[i]}"))"
    # In a file: what <(...) names, the bash 4.2 of a dom0 closes after the first command of the function that it is given to.
    pack "$i" --prefix "$reference" "$ova_option=$scratch/ova.xml" ${trailer[@]+"${trailer[@]}"} || return
    ova_option=--check-ova
  done
}

# write_part: the archive, compressed, in $work/archive; status 74 where it cannot be written. A disk that is full will be so
# the next time too.
write_part() {
  local statuses=(0 0)
  archive | "${compress[@]}" >"$work/archive" 2>"$scratch/compressing" || statuses=("${PIPESTATUS[@]}")
  # Where the archive broke off, what compresses it fails too, and has nothing to add; where that one fails first, the archive ends
  # by SIGPIPE.
  case ${statuses[0]} in
    0 | 141)
      cat "$scratch/compressing" >&2
      [ "${statuses[1]}" -eq 0 ] || return 74
      ;;
  esac
  return "${statuses[0]}"
}

verify_part() { xva-unpack --verify -q ${progress[@]+"${progress[@]}"} -- "$work/archive" >/dev/null; }

# make_archive: what all of the above is for.
make_archive() {
  local i disks=() part=$work/archive status=0 found replaced=''
  for i in "${!disk_sizes[@]}"; do disks+=(--disk "$(printf 'Ref:%03d' "$i")=${disk_sizes[i]}"); done
  ova-xml --name="${name:-${base%.*}}" --memory="${memory:-1G}" --vcpus="${vcpus:-1}" --firmware="${firmware:-bios}" \
    ${machine[@]+"${machine[@]}"} ${networks[@]+"${networks[@]}"} "${disks[@]}" >"$scratch/ova.xml" 2>"$scratch/said" || status=$?
  show_said
  if [ "$status" -ne 0 ]; then
    # What was said is about options that nobody may have typed.
    [ -z "${machine_of:-}" ] || say "$machine_of: what its OVF says of the machine is overridden by options of the same names"
    exit "$status"
  fi
  again run write_part || status=$?
  [ "$status" -ne 74 ] || fail "$output: cannot be written" 1
  [ "$status" -eq 0 ] || exit "$status"
  if [ "$verify" = yes ]; then
    say_step "checking"
    run verify_part || fail "$output: the archive does not read back as it was written" 3
  fi
  if [ $example = yes ]; then
    found=$(xva-unpack -q --disk Ref:000 -o - -- "$part" | sha256sum | cut -d' ' -f1)
    [ "$found" = "$(cat "$share/example/example.sha256")" ] || fail "the disk in $output is not that of the example" 3
    say "the disk in $output is that of the example, byte for byte"
  fi
  keep_attributes "$part"
  [ ! -e "$output" ] || replaced=', in place of the one that was there'
  mv -T -- "$part" "$output"
  found=$(stat -c %s -- "$output")
  say "$output: $found bytes ($(for_people "$found")), disks: ${#disk_images[@]}$([ "$verify" = no ] || echo ', checked')$replaced;" \
    "on the host: xe vm-import filename=$(printf %q "$output")"
}
