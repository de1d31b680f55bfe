#!/usr/bin/env bats
# What becomes shorter while it is read has changed: status 1, try again. What was short from the beginning is damaged.

load common

# A disk that does not fit into pipes and buffers.
setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  head -c 16M /dev/urandom >disk.raw
}

# cut_while_read CHANGE COMMAND...: the command ends with status 1 and says so in its last line, where CHANGE happens once its
# first output has come.
cut_while_read() {
  local change=$1 status=0
  shift
  "$@" 2>errors | { head -c 1000 >/dev/null; eval "$change"; cat >rest; } || status=${PIPESTATUS[0]}
  cat errors
  [ "$status" -eq 1 ]
  [[ $(tail -n 1 errors) == *"changed while it was read: "* ]]
}

@test "a raw disk that becomes shorter while it is packed has changed" {
  for mode in --scan '--scan --skip-holes' '--extents extents'; do
    for change in 'truncate -s 8M disk.raw' 'truncate -s 0 disk.raw' 'head -c 4M /dev/zero >disk.raw' 'truncate -s 16776704 disk.raw'; do
      head -c 16M /dev/urandom >disk.raw
      echo '{"virtual_size":16777216,"cluster_bits":20,"data_clusters":[[0,15]]}' >extents
      # shellcheck disable=SC2086
      cut_while_read "$change" xva-pack $mode disk.raw
      has_no_end rest
    done
  done
  [[ $(cat errors) == *"disk.raw: changed while it was read: "* ]]
}

@test "a raw disk on standard input that becomes shorter while it is packed has changed" {
  cut_while_read 'truncate -s 8M disk.raw' bash -c 'xva-pack --scan - <disk.raw'
}

@test "a file of a map that becomes shorter while it is read has changed, plain and compressed" {
  qemu-img convert -O qcow2 disk.raw plain.qcow2
  head -c 16M <(seq 1 3000000) >text.raw
  # What is packed is larger than what is read.
  qemu-img convert -c -O qcow2 text.raw compressed.qcow2
  qemu-img create -q -f qcow2 -F qcow2 -b plain.qcow2 leaf.qcow2
  for image in plain compressed leaf; do
    for change in 'truncate -s 1M IMAGE' 'truncate -s 0 IMAGE' 'truncate -s -512 IMAGE' 'head -c 1M /dev/zero >new; cat new >IMAGE'; do
      for foreign in '.' 'map(del(.state))'; do
        cp --sparse=always plain.qcow2 kept
        cp compressed.qcow2 kept.too
        sleep 0.03
        qcow-headers --output map $image.qcow2 | jq "$foreign" >map
        cut_while_read "${change//IMAGE/${image/leaf/plain}.qcow2}" xva-pack --map map
        has_no_end rest
        mv kept plain.qcow2
        mv kept.too compressed.qcow2
      done
    done
  done
}

@test "an archive that becomes shorter while it is read has changed, in every task" {
  xva-pack --scan disk.raw >whole.xva
  for change in 'truncate -s 8M a.xva' 'truncate -s 0 a.xva' 'head -c 8M whole.xva >a.xva' 'head -c 4M /dev/urandom >a.xva'; do
    cp whole.xva a.xva
    cut_while_read "$change" xva-unpack --disk Ref:0 -o - a.xva
    cp whole.xva a.xva
    cut_while_read "$change" bash -c 'xva-unpack --disk Ref:0 -o - - <a.xva'
  done
  cp whole.xva a.xva
  cut_while_read 'truncate -s 8M a.xva' xva-unpack --keep-going --disk Ref:0 -o - a.xva
}

@test "what was short from the beginning is damaged" {
  qemu-img convert -O qcow2 disk.raw a.qcow2
  qcow-headers --output map a.qcow2 | jq 'map(del(.state))' >map
  truncate -s 8M a.qcow2
  fails_with 3 qcow-headers a.qcow2
  fails_with 3 xva-pack --map map
  head -c 8M <(xva-pack --scan disk.raw) >a.xva
  fails_with 3 xva-unpack --verify a.xva
  fails_with 3 xva-unpack --list a.xva
}
