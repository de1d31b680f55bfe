# Sourced by restore-disk: the way from the archive to the image, for what is read by position and for what is not.

# tell: what a filter said, in $work/said, but for the CRC-32.
tell() { sed '/ bytes, crc32 [0-9a-f]\{8\}$/d' "$work/said" >&2 || true; }

# tell_warnings: what filters said that did not fail.
tell_warnings() { [ "$quiet" = yes ] || tell; }

# fail_as STATUS: ends with the status of a filter that failed.
fail_as() {
  tell
  exit "$1"
}

# find_blocks: where the blocks of the disk are, in $work/map; status 4 where they cannot be found without decompressing all.
find_blocks() { xva-headers --output map ${disk:+--disk="$disk"} -- "$archive" >"$work/map" 2>"$work/said"; }

# serve NAME COMMAND: the command, in which $uri is the disk where it lies in the archive. The bar of what it reads is called NAME.
serve() {
  rm -f -- "$sockets/nbd"
  # nbdkit's Python is that of the system, whichever comes first in PATH, and so are its modules.
  PATH=/usr/bin:$PATH nbdkit -U "$sockets/nbd" python "$share/nbdkit-map" map=- ${bar:+progress="$1"} --run "PATH=$(printf %q "$PATH"); $2" <"$work/map"
}

# unpack OUTPUT: the disk, by xva-unpack, which compares every checksum. $work/said then says its CRC-32 where OUTPUT is -, else
# $work/table. A file has a bar, on a terminal, where what xva-unpack says goes then.
unpack() {
  local unpacking=(xva-unpack --disk "$disk" -o "$1" -- "$archive")
  if [ "$1" = - ]; then
    "${unpacking[@]}" >/dev/null 2>"$work/said"
  elif [ -z "$bar" ]; then
    "${unpacking[@]}" >"$work/table" 2>"$work/said"
  else
    : >"$work/said"
    "${unpacking[@]:0:1}" --progress "${unpacking[@]:1}" >"$work/table"
  fi
}

# The image, by qemu-img, from the raw disk $source; for a shell that nbdkit starts, too, with a umask of its own.
# shellcheck disable=SC2016
convert='umask 077; exec qemu-img convert $bar -f raw -O "$format" $options -- "$source" "$image" >&2'

# from_archive: the image, straight from the archive, while another process compares the checksums.
from_archive() {
  local verifying='' status=0
  if [ "$verify" = yes ]; then
    unpack - &
    verifying=$!
  fi
  # shellcheck disable=SC2016
  serve "$disk" 'source=$uri bar=; '"$convert" || status=1
  # Whether it was the archive, qemu-img does not say.
  [ -n "$verifying" ] || [ "$status" -eq 0 ] || unpack - || status=$?
  [ -z "$verifying" ] || wait "$verifying" || status=$?
  return "$status"
}

# from_stream: the image, of an archive that is decompressed from its beginning.
from_stream() {
  if [ "$format" = raw ]; then
    unpack "$image"
  else
    say "$archive: is compressed in one piece: the disk goes through the temporary file $work/raw"
    unpack "$work/raw" && source=$work/raw bash -c "$convert"
  fi
}

# make_image: the image in the folder, of the disk that is in disk then.
make_image() {
  local status=0 disks
  run find_blocks || status=$?
  if [ "$status" -eq 0 ]; then
    tell_warnings
    [ -n "$disk" ] || disk=$(xva-headers -q --list -- "$archive" | python3 -c 'import json; print(json.loads(input())["ref"])')
    run from_archive || fail_as $?
  elif [ "$status" -eq 4 ] && [ $compressed = yes ]; then
    if [ -z "$disk" ]; then
      disks=$(xva-unpack -q --list -- "$archive" | awk 'NR > 1 { print $1 }')
      [[ $disks != *$'\n'* ]] || fail "$archive: holds more than one disk: expected --disk with one of them: ${disks//$'\n'/, }" 2
      disk=$disks
    fi
    run from_stream || fail_as $?
    tell_warnings
  else
    fail_as "$status"
  fi
}
