#!/usr/bin/env bats
# Which file is meant by a name in an image. A wrong one would be a wrong disk, without a word.

load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  DATA='"data_clusters":[[0,15]]}'
}

# disk NAME [COMMAND]: a QCOW2 of 4 MiB, empty but for what the qemu-io COMMAND writes.
disk() {
  qemu-img create -q -f qcow2 "$1" 4M
  [ $# -eq 1 ] || qemu-io -f qcow2 -c "$2" "$1" >/dev/null
}

# over NAME BACKING: a QCOW2 of 4 MiB without data of its own.
over() { qemu-img create -q -f qcow2 -u -F qcow2 -b "$2" "$1" 4M; }

@test "a backing file that cannot be used is not replaced by another of its name" {
  mkdir own sp
  disk sp/base.qcow2
  over own/over.qcow2 base.qcow2
  for obstacle in 'mkfifo own/base.qcow2' 'mkdir own/base.qcow2' 'ln -s nowhere own/base.qcow2' 'ln -s base.qcow2 own/base.qcow2' true; do
    $obstacle
    run --separate-stderr qcow-headers --search-path sp own/over.qcow2
    [ "$status" -eq 1 ] || [ "$status" -eq 4 ]
    [ "$output" = "{\"exit_status\":$status" ]
    rm -rf own/base.qcow2
  done
}

@test "names in a backing file start from its own directory, also when the image is standard input" {
  mkdir -p D/sub
  disk D/sub/c.qcow2 'write -P 7 0 1M'
  disk D/c.qcow2
  qemu-img create -q -f qcow2 -F qcow2 -b c.qcow2 D/sub/b.qcow2
  qemu-img create -q -f qcow2 -F qcow2 -b sub/b.qcow2 D/top.qcow2
  [[ $(qcow-headers D/top.qcow2) == *"$DATA" ]]
  [[ $(qcow-headers --search-path D - <D/top.qcow2) == *"$DATA" ]]
  fails_with 1 qcow-headers - <D/top.qcow2
}

@test "the directory of the image is where the system finds it: .. after a symbolic link" {
  mkdir -p cwd other/dir
  ln -s ../other/dir cwd/link
  disk other/base.qcow2 'write -P 7 0 1M'
  qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 other/over.qcow2
  disk cwd/base.qcow2
  cd cwd
  [[ $(qcow-headers link/../over.qcow2) == *"$DATA" ]]
  [[ $(qcow-headers ../other/over.qcow2) == *"$DATA" ]]
}

@test "descriptors have no neighbours that an image could name" {
  echo secret >secret
  qemu-img create -q -f qcow2 -u -F raw -b 9 d.qcow2 4M
  fails_with 1 qcow-headers /dev/fd/8 8<d.qcow2 9<secret
  fails_with 1 qcow-headers /proc/self/fd/8 8<d.qcow2 9<secret
  qemu-img create -q -f qcow2 -u -F raw -b shm/secret d.qcow2 4M
  run --separate-stderr qcow-headers /dev/stdin <d.qcow2
  [ "$status" -eq 1 ] || [ "$status" -eq 4 ]
}

@test "an absolute name is allowed by the directory it is given under" {
  mkdir real
  ln -s real link
  disk real/base.qcow2 'write -P 7 0 1M'
  over real/over.qcow2 "$PWD/link/base.qcow2"
  [[ $(qcow-headers link/over.qcow2) == *"$DATA" ]]
  fails_with 4 qcow-headers real/over.qcow2
  [[ $stderr == *"--search-path $PWD/link would allow it" ]]
  [[ $(qcow-headers --search-path link real/over.qcow2) == *"$DATA" ]]
}

@test "a backing file that was moved together with its overlay is found, and said to be" {
  mkdir vm
  disk vm/base.qcow2 'write -P 7 0 1M'
  over vm/middle.qcow2 "$PWD/vm/base.qcow2"
  over vm/top.qcow2 "$PWD/vm/middle.qcow2"
  mv vm backup
  run -0 --separate-stderr qcow-headers backup/top.qcow2
  [[ $output == *"$DATA" ]]
  [[ ${stderr_lines[0]} == *"backup/top.qcow2: the backing file is not where the image says; $PWD/backup/middle.qcow2, the only one of its name, is taken for it" ]]
  [[ ${stderr_lines[1]} == *"backup/middle.qcow2: "*"$PWD/backup/base.qcow2, "* ]]
  run -0 --separate-stderr qcow-headers -q backup/top.qcow2
  [ -z "$stderr" ]
  # In a search path.
  mkdir sp
  mv backup/base.qcow2 sp
  fails_with 1 qcow-headers backup/top.qcow2
  [[ $stderr == *"backing file $PWD/vm/base.qcow2 not found, nor a file of its name in $PWD/backup; qemu-img rebase"* ]]
  run -0 qcow-headers --search-path sp backup/top.qcow2
  [[ $output == *"$DATA" ]]
}

@test "of two files that a backing file may have become none is taken" {
  mkdir own sp other
  over own/over.qcow2 /gone/base.qcow2
  disk own/base.qcow2 'write -P 7 0 1M'
  disk sp/base.qcow2
  fails_with 4 qcow-headers --search-path sp own/over.qcow2
  [[ $stderr == *"two files of its name: found $PWD/own/base.qcow2 and $PWD/sp/base.qcow2, expected one; qemu-img rebase"* ]]
  # One file by two names is one, and an overlay is not its own backing file.
  ln -sf ../own/base.qcow2 sp/base.qcow2
  run -0 qcow-headers --search-path sp own/over.qcow2
  over sp/same.qcow2 /gone/same.qcow2
  fails_with 1 qcow-headers sp/same.qcow2
  disk other/same.qcow2 'write -P 7 0 1M'
  run -0 qcow-headers --search-path other sp/same.qcow2
  [[ $output == *"$DATA" ]]
}

@test "a backing file that is where the image says is not replaced by another of its name" {
  mkdir vm own
  disk vm/base.qcow2 'write -P 7 0 1M'
  disk own/base.qcow2
  over own/over.qcow2 "$PWD/vm/base.qcow2"
  fails_with 4 qcow-headers own/over.qcow2
  [[ $stderr == *"--search-path $PWD/vm would allow it" ]]
  [[ $(qcow-headers --search-path vm own/over.qcow2) == *"$DATA" ]]
  # What stands in its place cannot be used: it is not passed over.
  rm vm/base.qcow2
  mkfifo vm/base.qcow2
  fails_with 4 qcow-headers --search-path vm own/over.qcow2
}

@test "an external data file that was moved together with its image is found" {
  mkdir vm
  qemu-img create -q -f qcow2 -o "data_file=$PWD/vm/disk.data" vm/disk.qcow2 4M
  qemu-io -f qcow2 -c 'write -P 7 0 1M' vm/disk.qcow2 >/dev/null
  mv vm backup
  run -0 --separate-stderr qcow-headers --output map backup/disk.qcow2
  [[ $output == *"$PWD/backup/disk.data"* ]]
  [[ $stderr == *"the external data file is not where the image says"* ]]
  rm backup/disk.data
  fails_with 1 qcow-headers --output map backup/disk.qcow2
  [[ $stderr == *"qemu-img amend -o data_file=NAME"* ]]
}
