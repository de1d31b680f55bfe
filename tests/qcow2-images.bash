# Loaded by the .bats files about QCOW2: makes and damages images in a line each.

# new NAME [OPTION...] SIZE: an image by qemu-img.
new() {
  local name=$1
  shift
  qemu-img create -q -f qcow2 "${@:1:$#-1}" "$name" "${@: -1}"
}

# encrypting COMMAND...: a qemu-img that encrypts, up to ten times: it measures how long a key takes to make, and fails where that
# is less than the clock of the processor can tell.
encrypting() {
  local attempt
  for attempt in {1..10}; do
    [ "$attempt" -eq 1 ] || sleep 0.1
    ! "$@" || return 0
  done
  return 1
}

# fill NAME OFFSET LENGTH
fill() {
  qemu-io -f qcow2 -c "write -q -P 7 $2 $3" "$1"
}

# change NAME COMMAND...: the commands of qemu-io, on an image.
change() {
  local image=$1 command commands=()
  shift
  for command; do commands+=(-c "$command"); done
  qemu-io -f qcow2 "${commands[@]}" "$image" >/dev/null
}

# poke FILE OFFSET BYTES: writes printf's idea of BYTES into a file.
poke() {
  # shellcheck disable=SC2059
  printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# says TEXT: the one line on stderr has it.
says() {
  [[ $stderr == *"$1"* ]] || { echo "'$stderr' does not say '$1'"; return 1; }
}

# incomplete: what was printed is no document that anybody could take for an answer.
incomplete() {
  [[ $output != *']}'* && $output != *$']\n' ]] || { echo "a complete document: $output"; return 1; }
}
