#!/usr/bin/env bats
# scripts/nbdkit-map: what a map describes is served over NBD, byte for byte, or not at all.

load common

# serve MAP COMMAND: runs the command, in which $uri is the disk that the map describes.
serve() {
  nbdkit -U - python "$ROOT/scripts/nbdkit-map" "map=$1" --run "$2"
}

# A disk with data of every kind: random, repeated, zero; its size no multiple of a cluster.
make_truth() {
  head -c 3M /dev/urandom >truth.raw
  head -c 2M <(yes 'what is repeated is compressed') >>truth.raw
  truncate -s 20M truth.raw
  head -c 700K /dev/urandom >>truth.raw
  truncate -s 23069184 truth.raw
}

# is_truth MAP: qemu and nbdcopy find the bytes of the disk through the map.
is_truth() {
  # shellcheck disable=SC2016
  serve "$1" 'qemu-img compare -f raw -F raw "$uri" truth.raw && nbdcopy "$uri" copied.raw' || return
  cmp copied.raw truth.raw
}

@test "a QCOW2 is served whole, plain and in both compressions" {
  make_truth
  qemu-img convert -O qcow2 truth.raw plain.qcow2
  qemu-img convert -c -O qcow2 truth.raw zlib.qcow2
  qemu-img convert -c -O qcow2 -o compression_type=zstd truth.raw zstd.qcow2
  for image in plain zlib zstd; do
    qcow-headers --output map $image.qcow2 >map
    is_truth map
  done
}

@test "random chains of VHDs, which qemu cannot read, and of QCOW2s are served as the guest sees them" {
  local format image
  for format in vhd qcow2; do
    random-chains $format 7100000 5 . >images
    while read -r image; do
      cd "$(dirname "$image")"
      [ $format = vhd ] && vhd-headers --output map "$(basename "$image")" >map || qcow-headers --output map "$(basename "$image")" >map
      is_truth map || { echo "$image"; return 1; }
      cd - >/dev/null
    done <images
    rm -r 71*
  done
}

@test "what the map calls zero is a hole to nbdinfo, and all else is data" {
  make_truth
  qemu-img convert -O qcow2 -o cluster_size=64k truth.raw image.qcow2
  qcow-headers --output map image.qcow2 >map
  # shellcheck disable=SC2016
  serve map 'nbdinfo --map --json "$uri"' >nbd.json
  extents-merge --cluster-bits 16 nbd.json >by_nbd
  qcow-headers image.qcow2 | extents-merge --cluster-bits 16 >by_headers
  cmp by_nbd by_headers
}

@test "clusters of which a layer above shows parts are served in parts" {
  head -c 4M <(yes 'below') >below.raw
  qemu-img convert -c -O qcow2 below.raw below.qcow2
  qemu-img create -q -f qcow2 -o cluster_size=4k -b below.qcow2 -F qcow2 above.qcow2
  for at in 8k 100k 1044k; do qemu-io -c "write -q -P 3 $at 4k" -c "write -q -z $((${at%k} + 12))k 4k" above.qcow2; done
  qemu-img convert -O raw above.qcow2 truth.raw
  qcow-headers --output map above.qcow2 >map
  is_truth map
}

@test "a map on standard input" {
  make_truth
  qemu-img convert -O qcow2 truth.raw image.qcow2
  # shellcheck disable=SC2016
  qcow-headers --output map image.qcow2 | serve - 'nbdcopy "$uri" copied.raw'
  cmp copied.raw truth.raw
}

@test "an image that was changed after the map was made is not served" {
  make_truth
  qemu-img convert -O qcow2 truth.raw image.qcow2
  qcow-headers --output map image.qcow2 >map
  sleep 0.02
  qemu-io -c 'write -q -P 1 1M 64k' image.qcow2
  fails_with 1 serve map true
  [[ $stderr == *"image.qcow2"*"changed"* ]]
}

@test "an image that changes, or is replaced, while it is served gives errors and no bytes" {
  make_truth
  qemu-img convert -O qcow2 truth.raw image.qcow2
  cp image.qcow2 other.qcow2
  qcow-headers --output map image.qcow2 >map
  # shellcheck disable=SC2016
  run serve map 'nbdcopy "$uri" null: && sleep 0.02 && qemu-io -c "write -q -P 1 1M 64k" image.qcow2 && ! nbdcopy "$uri" null:'
  [ "$status" -eq 0 ]
  [[ $output == *"image.qcow2: has changed"* ]]
  qcow-headers --output map image.qcow2 >map
  # shellcheck disable=SC2016
  run serve map 'nbdcopy "$uri" null: && mv other.qcow2 image.qcow2 && ! nbdcopy "$uri" null:'
  [ "$status" -eq 0 ]
  [[ $output == *"image.qcow2: has changed"* ]]
}

# map ENTRY...: a map of these entries, in the file `map`.
map() {
  local IFS=,
  echo "[$*]" >map
}

@test "what is no map, or leads out of a file, is refused with one line and a status of the filters" {
  truncate -s 1M file
  local place='"offset": 0, "filename": "file"'
  fails_with 2 nbdkit -U - python "$ROOT/scripts/nbdkit-map" --run true
  fails_with 2 nbdkit -U - python "$ROOT/scripts/nbdkit-map" image=file --run true
  fails_with 1 serve nowhere true
  [[ $stderr == "nbdkit-map: nowhere: No such file or directory" ]]
  head -c 1000 /dev/urandom >map
  printf '\377' | dd of=map conv=notrunc status=none
  fails_with 3 serve map true
  [[ $stderr == "nbdkit-map: map: not a map: found bytes that are no text, expected what --output map prints" ]]
  map '{"start": 0, "length": 512, "zero": false, "offset": 0, "filename": "elsewhere"}'
  fails_with 1 serve map true
  [[ $stderr == "nbdkit-map: map: elsewhere: No such file or directory in $PWD: start nbdkit in the directory that the map was made in" ]]
  for text in '' '[' '[1]' '{}' '[[]]' '[{"start": 0, "length": 9, "zero": true}' '[{}]' '[{"start": 0, "length": 1, "start": 0, "zero": true}]'; do
    echo "$text" >map
    fails_with 3 serve map true
  done
  head -c 100000 <(yes '[') >map
  fails_with 3 serve map true
  map '{"start": 1, "length": 9, "zero": true}'
  fails_with 3 serve map true
  map '{"start": 0, "length": 0, "zero": true}'
  fails_with 3 serve map true
  map '{"start": 0, "length": 9223372036854775807, "zero": true}' '{"start": 9223372036854775807, "length": 9, "zero": true}'
  fails_with 3 serve map true
  map "{\"start\": 0, \"length\": 1048577, $place}"
  fails_with 3 serve map true
  map '{"start": 0, "length": 512, "offset": -512, "filename": "file"}'
  fails_with 3 serve map true
  map '{"start": 0, "length": 512, "data": true}'
  fails_with 4 serve map true
  map "{\"start\": 0, \"length\": 512, \"compressed\": true, $place}"
  fails_with 4 serve map true
  map "{\"start\": 0, \"length\": 512, $place, \"compression\": \"lzma\", \"host_length\": 9, \"cluster_size\": 512, \"skip\": 0}"
  fails_with 4 serve map true
  map "{\"start\": 0, \"length\": 512, $place, \"compression\": \"zlib\", \"host_length\": 9, \"cluster_size\": 512, \"skip\": 1}"
  fails_with 3 serve map true
  map "{\"start\": 0, \"length\": 512, $place, \"compression\": \"zlib\", \"host_length\": 9, \"cluster_size\": 99999999, \"skip\": 1}"
  fails_with 3 serve map true
  for kind in '{}' '[]' null 1 true; do
    map "{\"start\": 0, \"length\": 512, $place, \"compression\": $kind, \"host_length\": 9, \"cluster_size\": 512, \"skip\": 0}"
    fails_with 4 serve map true
  done
  # An entry inside another, or inside what is none.
  local first='{"start": 0, "length": 5, "zero": true}'
  for inside in "$first" "[$first]" "{\"y\": $first}"; do
    for other in null '{}' '[]' 0; do
      map "$other" "{\"start\": 5, \"length\": 5, \"zero\": true, \"x\": $inside}"
      fails_with 3 serve map true
    done
  done
  map "$first" "[{\"start\": 5, \"length\": 5, \"zero\": true}]"
  fails_with 3 serve map true
  for state in null 1 '{}' '{"st_size": "1048576"}' '{"device_size": 1048576}'; do
    map "{\"start\": 0, \"length\": 512, $place, \"state\": $state}"
    fails_with 3 serve map true
  done
  map "{\"start\": 0, \"length\": 512, $place, \"state\": {\"device_size\": \"1048576\"}}"
  fails_with 1 serve map true
  map '{"start": 0, "length": 512, "offset": 0, "filename": "/dev/null"}'
  fails_with 4 serve map true
  mkfifo pipe
  map '{"start": 0, "length": 512, "offset": 0, "filename": "pipe"}'
  fails_with 4 serve map true
}

@test "damaged clusters are read errors, in bounded memory" {
  qemu-img create -q -f qcow2 image.qcow2 4M
  head -c 8K /dev/urandom >file
  # A bomb: 64 MiB of zeros in a few bytes, which claims to be a cluster of 64 KiB.
  head -c 64M /dev/zero | zstd -q -c >bomb.zst
  local entry='"start": 0, "length": 65536, "compressed": true, "host_length": 8192, "cluster_size": 65536, "skip": 0'
  for kind in zlib zstd; do
    map "{$entry, \"offset\": 0, \"filename\": \"file\", \"compression\": \"$kind\"}"
    # shellcheck disable=SC2016
    run serve map '! nbdcopy "$uri" null:'
    [ "$status" -eq 0 ]
    [[ $output == *"file: the compressed cluster at byte 0 is"* ]]
  done
  map "{\"start\": 0, \"length\": 65536, \"host_length\": $(stat -c %s bomb.zst), \"cluster_size\": 65536, \"skip\": 0, \"offset\": 0, \"filename\": \"bomb.zst\", \"compression\": \"zstd\"}"
  # shellcheck disable=SC2016
  in_memory 131072 nbdkit -U - python "$ROOT/scripts/nbdkit-map" map=map --run 'nbdcopy "$uri" copied'
  cmp copied <(head -c 64K /dev/zero)
}

@test "the status of the program that should have printed the map is that of the plugin" {
  head -c 100 /dev/urandom >image
  qcow-headers --output map image >map || [ $? -eq 3 ]
  fails_with 3 serve map true
  [[ $stderr == *"failed with status 3"* ]]
}

@test "in the background, where nbdkit leaves its directory, relative names still lead to their files" {
  make_truth
  qemu-img convert -O qcow2 truth.raw image.qcow2
  qcow-headers --output map image.qcow2 >map
  nbdkit --unix "$PWD/socket" --pidfile "$PWD/pid" python "$ROOT/scripts/nbdkit-map" map=map
  await test -s pid
  nbdcopy "nbd+unix:///?socket=$PWD/socket" copied.raw
  kill "$(cat pid)"
  cmp copied.raw truth.raw
}
