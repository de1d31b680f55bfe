#!/usr/bin/env bats
# What an image can make the header tools do: little memory, few descriptors, one line, no file but those it may name.

load common
load qcow2-images
load opened-files

# child NAME PARENT: a differencing VHD of 1 MiB without a block, over the raw file whose name is PARENT, as printf has it.
child() { python3 "$ROOT/tests/vhd_child.py" "$@"; }

# overlay NAME BACKING: a QCOW2 of 1 MiB over the raw file whose name is BACKING, as printf has it.
overlay() {
  # shellcheck disable=SC2059
  new "$1" -u -F raw -b "$(printf "$2")" 1M
}

# both STATUS NAME ARG...: both tools end with STATUS and one line over an image in the directory `images` that names NAME.
both() {
  mkdir -p images
  child images/top.vhd "$2"
  overlay images/top.qcow2 "$2"
  fails_with "$1" timeout 10 vhd-headers "${@:3}" images/top.vhd
  fails_with "$1" timeout 10 qcow-headers "${@:3}" images/top.qcow2
}

# follow NAME ARG...: both tools read the file NAME, in which all is data.
follow() {
  mkdir -p images
  child images/top.vhd "$1"
  overlay images/top.qcow2 "$1"
  run -0 vhd-headers --sectors "${@:2}" images/top.vhd
  [ "$output" = '{"virtual_size":1048576,"cluster_bits":9,"data_clusters":[[0,2047]]}' ]
  run -0 qcow-headers "${@:2}" images/top.qcow2
  [ "$output" = '{"virtual_size":1048576,"cluster_bits":16,"data_clusters":[[0,15]]}' ]
}

@test "a file elsewhere is not opened, however it is named" {
  truncate -s 1M secret
  for name in "$PWD/secret" ../secret ./../secret a/../../secret ..//./secret "../../$(basename "$PWD")/secret"; do
    both 4 "$name"
    says "--search-path"
  done
  for name in /etc/passwd /proc/self/environ /proc/self/fd/0 /dev/zero /dev/stdin; do
    both 4 "$name"
    says "outside the directory of the image"
  done
  # Nobody is sent to a directory where the file is not.
  for name in "$PWD/elsewhere/gone" ../gone; do
    both 1 "$name"
    says "not found"
    [[ $stderr != *search-path* ]]
  done
  follow ../secret --search-path .
  follow "$PWD/secret" --search-path "$PWD"
}

@test "a name of no file is one line, and nothing is waited for" {
  mkdir images
  both 1 missing
  both 1 'images.d/../missing'
  both 1 "$(printf 'x%.0s' {1..300})"
  both 1 'new\nline\33[2J'
  mkdir images/folder
  both 1 folder
  both 1 folder/
  ln -s loop images/loop
  both 1 loop
  mkfifo images/pipe
  both 4 pipe
  ln -s /dev/full images/device
  both 4 device
  python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("images/socket")'
  both 4 socket
}

@test "names of thousands of bytes are one line" {
  name=$(printf 'x%.0s' {1..5000})
  child top.vhd "$name"
  fails_with 1 vhd-headers top.vhd
  child top.vhd "$(printf '%s/' {1..20000})x"
  fails_with 3 vhd-headers top.vhd
  says 'parent locator'
  overlay top.qcow2 base
  poke top.qcow2 16 '\0\0\23\210'
  fails_with 3 qcow-headers top.qcow2
  says 5000
}

@test "a name that is not UTF-8 is followed, and is in no map" {
  mkdir images
  truncate -s 1M "images/$(printf 'b\377se.raw')"
  follow 'b\377se.raw'
  both 4 'b\377se.raw' --output map
  says UTF-8
}

@test "in a folder of links to nodes elsewhere, as LVM has it, chains are followed" {
  mkdir nodes vg images
  truncate -s 1M nodes/dm-0
  ln -s ../nodes/dm-0 vg/VHD-base
  child nodes/dm-1 VHD-base
  ln -s ../nodes/dm-1 vg/VHD-leaf
  run -0 vhd-headers --sectors vg/VHD-leaf
  [ "$output" = '{"virtual_size":1048576,"cluster_bits":9,"data_clusters":[[0,2047]]}' ]
  fails_with 1 vhd-headers nodes/dm-1
  run -0 vhd-headers --search-path vg nodes/dm-1
  overlay nodes/dm-2 VHD-base
  ln -s ../nodes/dm-2 vg/QCOW-leaf
  run -0 qcow-headers vg/QCOW-leaf
  fails_with 1 qcow-headers nodes/dm-2
  # Only the parents of VHDs are looked for under a search path: an id tells whether they are the right ones.
  fails_with 1 qcow-headers --search-path vg nodes/dm-2
}

@test "more layers than descriptors are one line" {
  new 0.qcow2 1M
  for layer in {1..70}; do
    cp 0.qcow2 "$layer.qcow2"
    qemu-img rebase -q -u -f qcow2 -F qcow2 -b "$((layer - 1)).qcow2" "$layer.qcow2"
  done
  fails_with 1 bash -c 'ulimit -n 64; qcow-headers 70.qcow2'
  run -0 bash -c 'ulimit -n 64; qcow-headers 50.qcow2'
}

# sound: one image of every kind.
sound() {
  new a.qcow2 -o cluster_size=4k 8M
  fill a.qcow2 0 8k
  fill a.qcow2 7M 4k
  new b.qcow2 -o extended_l2=on,compression_type=zstd -F qcow2 -b a.qcow2 8M
  fill b.qcow2 4k 8k
  qemu-img create -q -f vpc -o subformat=dynamic,force_size=on a.vhd 20M
  qemu-io -f vpc -c 'write -q -P 7 0 1k' -c 'write -q -P 8 8M 1k' a.vhd
  qemu-img create -q -f vpc -o subformat=fixed,force_size=on b.vhd 1M
  child c.vhd b.raw
  truncate -s 1M b.raw
}

@test "damage of any kind ends within the limits, with one line and no document" {
  sound
  python3 "$ROOT/tests/hostile_images.py" a.qcow2 b.qcow2 a.vhd b.vhd c.vhd
  run -0 python3 "$ROOT/tests/hostile_runs.py" 20 ./*.[0-9][0-9][0-9]
  echo "$output"
}

@test "over damaged images nothing is opened but what lies beside them" {
  sound
  python3 "$ROOT/tests/hostile_images.py" a.qcow2 b.qcow2 a.vhd b.vhd c.vhd
  # Some of them, as tracing takes its time.
  traced python3 "$ROOT/tests/hostile_runs.py" 1 ./*.[0-9][02468]5
  opens_only "$PWD/"
  [ "$(wc -l <opened)" -gt 30 ]
}

@test "whatever an image names, nothing is opened that it may not name" {
  mkdir images allowed
  truncate -s 1M secret images/own allowed/own
  mkfifo images/pipe
  ln -s /dev/full images/device
  for name in /etc/passwd /proc/self/environ /proc/self/fd/0 /dev/zero /dev/stdin "$PWD/secret" ../secret ./../secret \
    a/../../secret ..//./secret "../$(basename "$PWD")/secret" pipe device missing own ../allowed/own '\377\n' \
    "$(printf 'x%.0s' {1..300})" "images/../../secret" "$PWD/images/../secret" nbd://localhost/x 'json:{}' file:../secret; do
    number=$((number + 1))
    child "images/$number.vhd" "$name"
    overlay "images/$number.qcow2" "$name"
  done
  # shellcheck disable=SC2016
  traced bash -c 'for tool in $0; do "$tool" --version; done
    for image in images/*.vhd; do vhd-headers "$image"; vhd-headers --sectors --search-path allowed "$image"; done
    for image in images/*.qcow2; do qcow-headers "$image"; qcow-headers --search-path allowed --output map "$image"; done
    true' "$(formats tool ' ')" >/dev/null 2>&1
  opens_only "$PWD/images/" "$PWD/allowed/"
  grep -q "^$PWD/images/own$" opened
  grep -q "^$PWD/allowed/own$" opened
  run -1 grep -E 'pipe|device|secret' opened
}
