#!/usr/bin/env bats
# qcow-headers and the files that an image names: backing files and data files, which may lie anywhere or be anything.

load common
load qcow2-images

@test "a backing file is followed, and --no-backing leaves it out" {
  new base.qcow2 1M
  fill base.qcow2 0 1M
  new disk.qcow2 -F qcow2 -b base.qcow2 1M
  run -0 qcow-headers disk.qcow2
  [[ $output == *'[[0,15]]}' ]]
  run -0 qcow-headers --no-backing disk.qcow2
  [[ $output == *'[]}' ]]
}

@test "a relative backing name belongs to the directory of the image that has it" {
  mkdir -p a/b
  new a/base.qcow2 1M
  fill a/base.qcow2 0 1
  new a/b/middle.qcow2 -F qcow2 -b ../base.qcow2 1M
  new a/disk.qcow2 -F qcow2 -b b/middle.qcow2 1M
  run -0 qcow-headers a/disk.qcow2
  [[ $output == *'[[0,0]]}' ]]
  fails_with 4 qcow-headers a/b/middle.qcow2
  says "--search-path $PWD/a would allow it"
  run -0 qcow-headers --search-path a a/b/middle.qcow2
}

@test "a backing format that is not said is not guessed" {
  truncate -s 1M base
  new disk.qcow2 -F raw -b base 1M
  new other.qcow2 1M
  # The extension's type becomes one that nobody knows.
  poke disk.qcow2 "$(LC_ALL=C grep -m 1 -obUaP '\xe2\x79\x2a\xca' disk.qcow2 | cut -d: -f1)" '\x01\x02\x03\x04'
  fails_with 4 qcow-headers disk.qcow2
  says '--backing-format'
  run -0 qcow-headers --backing-format raw disk.qcow2
  [[ $output == *'[[0,15]]}' ]]
  fails_with 3 qcow-headers --backing-format qcow2 disk.qcow2
  run -0 qcow-headers --no-backing disk.qcow2
}

@test "foreign formats and protocols below are status 4 by name" {
  qemu-img create -q -f vpc base.vhd 1M
  new vhd.qcow2 -F vpc -b base.vhd 1M
  fails_with 4 qcow-headers vhd.qcow2
  says vpc
  for name in nbd://127.0.0.1:1/ 'json:{"driver":"null-co"}' file:base.vhd; do
    new protocol.qcow2 -u -F raw -b "$name" 1M
    fails_with 4 qcow-headers protocol.qcow2
    says "${name%%:*}"
  done
}

@test "a file name with a colon after a slash is a file name" {
  truncate -s 1M a:b
  new disk.qcow2 -u -F raw -b ./a:b 1M
  run -0 qcow-headers disk.qcow2
  [[ $output == *'[[0,15]]}' ]]
}

@test "pipes and devices that an image names are not opened" {
  mkfifo pipe
  new pipe.qcow2 -u -F raw -b pipe 1M
  fails_with 4 timeout 5 qcow-headers pipe.qcow2
  new zero.qcow2 -u -F raw -b /dev/zero 1M
  fails_with 4 timeout 5 qcow-headers --search-path /dev zero.qcow2
}

@test "a loop of backing files is damage" {
  new a.qcow2 1M
  new b.qcow2 -F qcow2 -b a.qcow2 1M
  qemu-img rebase -u -F qcow2 -b b.qcow2 a.qcow2
  fails_with 3 qcow-headers a.qcow2
  says loop
  new self.qcow2 1M
  ln -s self.qcow2 other-name.qcow2
  qemu-img rebase -u -F qcow2 -b other-name.qcow2 self.qcow2
  fails_with 3 qcow-headers self.qcow2
}

@test "the extents of an image with a data file need no data file, the map does" {
  new disk.qcow2 -o data_file=disk.data 1M
  fill disk.qcow2 64k 64k
  run -0 qcow-headers --output map disk.qcow2
  [[ $output == *"\"start\": 65536, \"length\": 65536,"*"\"offset\": 65536, \"filename\": \"$PWD/disk.data\"}"* ]]
  truncate -s 100000 disk.data
  fails_with 3 qcow-headers --output map disk.qcow2
  rm disk.data
  run -0 qcow-headers disk.qcow2
  [[ $output == *'[[1,1]]}' ]]
  fails_with 1 qcow-headers --output map disk.qcow2
  says 'external data file disk.data not found'
}

@test "a chain of 30 layers with clusters of 2 MiB takes less than 16 MiB" {
  new 0.qcow2 -o cluster_size=2M 64M
  fill 0.qcow2 0 2M
  for layer in {1..29}; do
    options=cluster_size=2M
    [ $((layer % 2)) -eq 0 ] || options+=,extended_l2=on
    new "$layer.qcow2" -o "$options" -F qcow2 -b "$((layer - 1)).qcow2" 64M
    fill "$layer.qcow2" "$((layer * 2))M" 64k
  done
  in_memory 16384 qcow-headers 29.qcow2 >/dev/null
}

@test "a chain of 100 layers with clusters of 2 MiB takes no more than one of 30" {
  new 000.qcow2 -o cluster_size=2M 64M
  fill 000.qcow2 0 2M
  new template -o cluster_size=2M -F qcow2 -b 000.qcow2 64M
  fill template 2M 64k
  # Copies of one overlay, each of which names the one before it.
  python3 - <<'PYTHON'
import subprocess
for layer in range(1, 100):
    name = b"%03d.qcow2" % layer
    subprocess.run(["cp", "--sparse=always", "template", name], check=True)
    with open(name, "r+b") as image:
        header = image.read(4096).replace(b"000.qcow2", b"%03d.qcow2" % (layer - 1))
        image.seek(0)
        image.write(header)
PYTHON
  run -0 in_memory 16384 qcow-headers 099.qcow2
  [ "$output" = '{"virtual_size":67108864,"cluster_bits":21,"data_clusters":[[0,1]]}' ]
}
