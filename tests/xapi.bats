#!/usr/bin/env bats
# The programs that xapi.conf can name in place of vhd-tool and qemu-img, and what xapi makes of their answers.

load common
load qcow2-images

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir real
  for program in vhd-tool qemu-img; do
    printf '#!/bin/sh\necho "real %s"\nprintf "%%s\\n" "$@"\nexit 7\n' $program >real/$program
    chmod +x real/$program
  done
  export REAL_VHD_TOOL=$PWD/real/vhd-tool REAL_QEMU_IMG=$PWD/real/qemu-img
  export XVA_BIN_DIR=${XVA_BIN_DIR:-$ROOT/target/release}
  WRAPPERS=$ROOT/scripts/xapi
}

# lost PROGRAM IMAGE READER: the chunks with data that READER leaves out of what PROGRAM's map says; none where it says
# nothing, because READER reads the whole disk then.
lost() {
  local cluster size
  cluster=$(qemu-img info -f qcow2 --output=json "$2" | jq '."cluster-size"') || return
  size=$(qemu-img info -f qcow2 --output=json "$2" | jq '."virtual-size"') || return
  [ -e "$2.raw" ] || qemu-img convert -f qcow2 -O raw "$2" "$2.raw" || return
  "$1" map "$2" --output=json >map || { [ ! -s map ]; return; }
  python3 "$ROOT/tests/xapi_reads.py" "$3" "$cluster" "$size" "$2.raw" <map
}

# nothing_lost IMAGE: what the wrapper prints loses nothing, whoever reads it.
nothing_lost() {
  local reader
  for reader in xapi qcow2-to-stdout; do
    run -0 --separate-stderr lost "$WRAPPERS/qemu-img" "$1" "$reader"
    [ -z "$output" ] || { echo "$reader loses $output"; return 1; }
  done
}

@test "2 MiB clusters and 5.5 MiB: xapi loses chunk 4 of qemu-img's map, none of ours" {
  qemu-img create -q -f qcow2 -o cluster_size=2M d.qcow2 5632k
  change d.qcow2 'write -P 7 0 5632k'
  [ "$(lost qemu-img d.qcow2 xapi)" = "4" ]
  [ "$(lost qemu-img d.qcow2 qcow2-to-stdout)" = "4 5" ]
  nothing_lost d.qcow2
}

@test "extended L2: xapi loses the chunks of lone subclusters of qemu-img's map, none of ours" {
  qemu-img create -q -f qcow2 -o extended_l2=on d.qcow2 32M
  change d.qcow2 'write -P 7 10m 2k' 'write -P 7 22526k 4k'
  [[ " $(lost qemu-img d.qcow2 xapi) " == *" 10 21"* ]]
  nothing_lost d.qcow2
}

@test "a backing file of 4 KiB clusters: xapi loses chunks of qemu-img's map, none of ours" {
  qemu-img create -q -f qcow2 -o cluster_size=4k base.qcow2 32M
  change base.qcow2 'write -P 7 10m 4k' 'write -P 7 22524k 8k'
  qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 d.qcow2
  [[ " $(lost qemu-img d.qcow2 xapi) " == *" 10 21"* ]]
  nothing_lost d.qcow2
}

@test "a raw backing file with holes: xapi loses chunks of qemu-img's map, none of ours" {
  truncate -s 32M base.raw
  qemu-io -f raw -c 'write -P 7 10m 4k' -c 'write -P 7 31m 4k' base.raw >/dev/null
  truncate -s 40M base.raw
  qemu-img create -q -f qcow2 -F raw -b base.raw d.qcow2
  [ "$(lost qemu-img d.qcow2 xapi)" = "10 31" ]
  nothing_lost d.qcow2
}

@test "every cluster size, the last cluster partial: nothing is lost of the wrapper's map" {
  for cluster in 512 4k 64k 1M 2M; do
    qemu-img create -q -f qcow2 -o "cluster_size=$cluster" d.qcow2 7680512
    change d.qcow2 'write -P 7 1000k 100k' 'write -P 7 5M 512' 'write -P 7 7680000 512'
    nothing_lost d.qcow2
    rm d.qcow2.raw
  done
}

@test "the map has whole clusters of the image itself, and none past the last" {
  qemu-img create -q -f qcow2 -o cluster_size=2M d.qcow2 5632k
  change d.qcow2 'write -P 7 5M 512'
  "$WRAPPERS/qemu-img" map d.qcow2 --output=json |
    jq -e '[.[] | [.start, .length, .data]] == [[0, 4194304, false], [4194304, 2097152, true]]'
}

@test "vhd-tool's two listings have the form of vhd-tool's, byte for byte, in blocks of 1 MiB" {
  qemu-img create -q -f vpc -o subformat=dynamic,force_size=on d.vhd 20M
  qemu-io -f vpc -c 'write 0 4M' -c 'write 12M 2M' d.vhd >/dev/null
  "$WRAPPERS/vhd-tool" read_headers d.vhd >list
  printf '{"virtual_size":20971520,"cluster_bits":20,"data_clusters":[0,1,2,3,12,13]}' | cmp - list
  "$WRAPPERS/vhd-tool" read_headers_interval d.vhd >intervals
  printf '{"virtual_size":20971520,"cluster_bits":20,"data_clusters":[[0,3],[12,13]]}' | cmp - intervals
}

@test "a damaged image is no answer: nothing on stdout, and a status" {
  qemu-img create -q -f qcow2 d.qcow2 1G
  change d.qcow2 'write -P 7 0 64k' 'write -P 7 700M 64k'
  truncate -s 200k d.qcow2
  run --separate-stderr -3 "$WRAPPERS/qemu-img" map d.qcow2 --output=json
  [ -z "$output" ]
  qemu-img create -q -f vpc d.vhd 20M
  qemu-io -f vpc -c 'write 13M 512' d.vhd >/dev/null
  truncate -s 100k d.vhd
  for command in read_headers read_headers_interval; do
    run --separate-stderr -3 "$WRAPPERS/vhd-tool" $command d.vhd
    [ -z "$output" ]
  done
  run --separate-stderr -1 "$WRAPPERS/vhd-tool" read_headers missing.vhd
  [ -z "$output" ]
}

@test "every other subcommand goes to the real program, arguments and status as they are" {
  run -7 "$WRAPPERS/qemu-img" info 'a b' --output=json
  [ "$output" = $'real qemu-img\ninfo\na b\n--output=json' ]
  run -7 "$WRAPPERS/qemu-img" map -f raw x --output=json
  run -7 "$WRAPPERS/vhd-tool" stream --source x
  [ "$output" = $'real vhd-tool\nstream\n--source\nx' ]
  run -7 "$WRAPPERS/vhd-tool"
  run -7 "$WRAPPERS/vhd-tool" read_headers
}

@test "a wrapper that would call itself says so" {
  for program in qemu-img vhd-tool; do
    REAL_QEMU_IMG=$WRAPPERS/qemu-img REAL_VHD_TOOL=$WRAPPERS/vhd-tool run -1 "$WRAPPERS/$program" create x
    [[ $output == *"itself"* ]]
  done
}
