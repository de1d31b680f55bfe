#!/usr/bin/env bats
# Two hundred pipelines over random chains: what the importer's rules find in each archive is the disk, byte for byte.

load common

# Other chains than those with which the other tests begin.
FIRST_SEED=5000000
CHAINS=50

# one_of NUMBER WORD...: one of the words, by the number.
one_of() {
  local words=("${@:2}")
  echo "${words[$1 % ${#words[@]}]}"
}

# imported SIZE: reads an archive on stdin, and compares its disk with truth.raw, whose last block is padded to SIZE.
imported() {
  python3 "$ROOT/tests/importer.py" /dev/stdin out "Ref:0=$1" || return
  truncate -s "$(stat -c %s truth.raw)" out/Ref:0.raw
  cmp out/Ref:0.raw truth.raw || return
  rm -r out
}

# soak FORMAT HEADERS: each chain through its extents and through its map, with options that its seed decides.
soak() {
  local image seed size options squeeze
  random-chains "$1" $FIRST_SEED $CHAINS . >images
  [ "$(wc -l <images)" -eq $CHAINS ]
  while read -r image; do
    seed=$(basename "$(dirname "$image")")
    cd "$seed"
    image=$(basename "$image")
    size=$((($(stat -c %s truth.raw) + 1048575) / 1048576 * 1048576))
    squeeze=$(one_of "$seed" gzip zstd)
    options=(--pad --checksum "$(one_of "$seed" xxhash sha1)" --jobs "$(one_of "$seed" 1 2 8)")
    [ $((seed % 4)) -ne 3 ] || options+=(--keep-zeros)
    "$2" --output "$(one_of "$seed" intervals list map)" "$image" | extents-merge | xva-pack "${options[@]}" truth.raw |
      $squeeze -1 | $squeeze -d | imported "$size" || { echo "extents, seed $seed"; return 1; }
    "$2" --output map "$image" | xva-pack "${options[@]}" --map - | imported "$size" || { echo "map, seed $seed"; return 1; }
    cd ..
    rm -r "$seed"
  done <images
}

@test "a hundred pipelines over random QCOW2 chains" {
  soak qcow2 qcow-headers
}

@test "a hundred pipelines over random VHD chains" {
  soak vhd vhd-headers
}
