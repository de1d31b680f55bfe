# Sourced by restore-disk: the way from the archive to the image, for what is read by position and for what is not.

# tell: what a filter said, in $scratch/said, but for the CRC-32.
tell() { sed '/ bytes, crc32 [0-9a-f]\{8\}$/d' "$scratch/said" >&2 || true; }

# tell_warnings: what filters said that did not fail.
tell_warnings() { [ "$quiet" = yes ] || tell; }

# fail_as STATUS: ends with the status of a filter that failed.
fail_as() {
  tell
  exit "$1"
}

# find_blocks: where the blocks of the disk are, in $scratch/map; status 4 where they cannot be found without decompressing all.
find_blocks() { xva-headers --output map ${disk:+--disk="$disk"} -- "$archive" >"$scratch/map" 2>"$scratch/said"; }

# serve NAME COMMAND: the command, in which $uri is the disk where it lies in the archive. The bar of what it reads is called NAME.
serve() {
  rm -f -- "$scratch/nbd"
  # nbdkit's Python is that of the system, whichever comes first in PATH, and so are its modules.
  PATH=/usr/bin:$PATH nbdkit -U "$scratch/nbd" python "$share/nbdkit-map" map=- ${bar:+progress="$1"} --run "PATH=$(printf %q "$PATH"); $2" <"$scratch/map"
}

# unpack OUTPUT: the disk, by xva-unpack, which compares every checksum. $scratch/said then says its CRC-32 where OUTPUT is -, else
# $scratch/table. A file has a bar, on a terminal, where what xva-unpack says goes then.
unpack() {
  local unpacking=(xva-unpack --disk "$disk" -o "$1" -- "$archive")
  if [ "$1" = - ]; then
    "${unpacking[@]}" >/dev/null 2>"$scratch/said"
  elif [ -z "$bar" ]; then
    "${unpacking[@]}" >"$scratch/table" 2>"$scratch/said"
  else
    : >"$scratch/said"
    "${unpacking[@]:0:1}" --progress "${unpacking[@]:1}" >"$scratch/table"
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

# from_stream: the image, of an archive that is read from its beginning.
from_stream() {
  if [ "$format" = raw ]; then
    unpack "$image"
  else
    say "$archive: is compressed in one piece: the disk goes through the temporary file $work/raw"
    unpack "$work/raw" || return
    # Where it is stopped by a full disk it may say so by a signal.
    source=$work/raw bash -c "$convert" || return 1
  fi
}

# by_stream: the image by from_stream, of the disk that is in disk then.
by_stream() {
  local disks
  if [ -z "$disk" ]; then
    disks=$(xva-unpack -q --json --list -- "$archive" | python3 -c 'import json; print(*(disk["ref"] for disk in json.loads(input())["archives"][0]["disks"]), sep="\n")')
    [[ $disks != *$'\n'* ]] || fail "$archive: holds more than one disk: expected --disk with one of them: ${disks//$'\n'/, }" 2
    disk=$disks
  fi
  run from_stream || fail_as $?
  tell_warnings
}

# make_image: the image in the folder, of the disk that is in disk then.
make_image() {
  local status=0
  if is_unpacked; then
    by_stream
    return
  fi
  run find_blocks || status=$?
  if [ "$status" -eq 0 ]; then
    tell_warnings
    [ -n "$disk" ] || disk=$(xva-headers -q --list -- "$archive" | python3 -c 'import json; print(json.loads(input())["ref"])')
    run from_archive || fail_as $?
  elif [ "$status" -eq 4 ] && [ $compressed = yes ]; then
    by_stream
  else
    fail_as "$status"
  fi
}
