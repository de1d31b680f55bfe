# What --progress shows on a terminal, and that it never claims to be done before all is.

load common

# on_terminal COLUMNS COMMAND: what a terminal that wide shows in the end is in `screen`, all that it ever showed in `frames`.
# Status: that of the command, in which a reader that takes 40 MB a second, so that the bar is drawn, is `slowly`.
on_terminal() {
  local status=0
  # shellcheck disable=SC2016
  slowly='python3 -c "import sys, time
while sys.stdin.buffer.read(1 << 20): time.sleep(1 / 40)"' script -qec "stty cols $1 rows 24; set -o pipefail
    slowly() { eval \"\$slowly\"; }; $2" recorded </dev/null >/dev/null || status=$?
  # script begins and ends the file with a line of its own.
  sed -e '1{/^Script started/d}' -e '${/^Script done/d}' recorded >shown
  python3 "$ROOT/tests/screen.py" "$1" shown >screen && python3 "$ROOT/tests/screen.py" "$1" shown frames >frames || return 99
  return "$status"
}

# image NAME: 48 MiB of data in a disk of 64 MiB.
image() {
  qemu-img create -q -f qcow2 "$1" 64M
  qemu-io -c 'write -q -P 7 0 24M' -c 'write -q -P 9 40M 24M' "$1"
}

# is_steady: in no frame does a column stand elsewhere than in the last one, and per cent never fall.
is_steady() {
  grep '%' frames | sed -E 's/[0-9=> .:-]/ /g; s/(KiB|MiB|GiB| B )\/s/  B\/s/; s/ETA| in/   /' | sed 's/ *$//' | sort -u >columns
  [ "$(wc -l <columns)" -eq 1 ] || { cat frames; return 1; }
  grep -oE '[0-9]+%' frames | sort -n -c
}

# A bar in the end: what stands before it, per cent, and what follows.
ended='\[=+\]  100%  +64\.0/64\.0 MiB +[0-9.]+ [KMG]iB/s +in 0:00:[0-9]{2}'

@test "the bar of a map that streams has the name of the disk, per cent, rate and time left, in any terminal" {
  image a.qcow2
  for columns in 80 120; do
    on_terminal $columns 'qcow-headers --output map a.qcow2 | xva-pack --map - --prefix Ref:7 --progress | slowly'
    grep -qE "^Ref:7 +$ended$" screen
    [ "$(wc -l <screen)" -eq 1 ]
    awk -v columns=$columns 'NR == 1 && length($0) != columns { exit 1 }' screen
    grep -qE '^Ref:7 +\[=*> +\] +[1-9][0-9]?%  +[0-9.]+/64\.0 MiB +[0-9.]+ MiB/s  +ETA 0:00:[0-9]{2}$' frames
    is_steady
  done
  for columns in 10 24 40 60; do
    on_terminal $columns 'qcow-headers --output map a.qcow2 | xva-pack --map - --progress >archive'
    grep -q '100%' screen
  done
}

@test "a disk, its extents and a map in a file have the same bar" {
  image a.qcow2
  qemu-img convert -O raw a.qcow2 a.raw
  qcow-headers a.qcow2 >extents
  qcow-headers --output map a.qcow2 >map
  on_terminal 80 'xva-pack --scan a.raw --progress | slowly'
  grep -qE "^Ref:0 +$ended$" screen
  is_steady
  # Of 48 MiB that are read.
  for command in 'a.raw --extents extents' '--map map'; do
    on_terminal 80 "xva-pack $command --progress | slowly"
    grep -qE "^Ref:0 +${ended//64/48}$" screen
    is_steady
  done
  # A size that nobody knows is none that is made up.
  on_terminal 80 'cat a.raw | xva-pack --scan - --progress >archive'
  grep -qE '^Ref:0 +64\.0 MiB +[0-9.]+ [MG]iB/s +0:00:[0-9]{2}$' screen
  ova-xml --name vm --memory 1G --vcpus 1 --firmware bios --disk Ref:0=67108864 >ova.xml
  on_terminal 80 'cat a.raw | xva-pack --scan - --ova ova.xml --progress | slowly'
  grep -qE "^Ref:0 +$ended$" screen
}

@test "of several disks each has a line, which says how far all of them are, and checking has one too" {
  image a.qcow2
  image b.qcow2
  for columns in 80 120; do
    on_terminal $columns "$ROOT/scripts/export-xva -o vm.xva a.qcow2 b.qcow2"
    grep -qE "^Ref:000 1/2  $ended  all  50%$" <(sed -n 1p screen)
    grep -qE "^Ref:001 2/2  $ended  all 100%$" <(sed -n 2p screen)
    grep -qE "^checking     ${ended//64\\.0/[0-9.]+}$" <(sed -n 3p screen)
    grep -q '^export-xva: vm.xva: .* checked' <(sed -n 4p screen)
    grep -E '^Ref:001 .* all +(5|6|7|8|9)[0-9]%$' frames
  done
}

@test "a terminal that stops what writes from the background (stty tostop) stops no export" {
  image a.qcow2
  on_terminal 80 "stty tostop; timeout --foreground 60 $ROOT/scripts/export-xva -o vm.xva a.qcow2"
  grep -qE "^Ref:000      $ended$" screen
  grep -q '^export-xva: vm.xva: .* checked' screen
  on_terminal 80 "stty tostop; XVA_BIN_DIR=${XVA_BIN_DIR:-$ROOT/target/release} timeout --foreground 60 $ROOT/scripts/restore-disk -o b.qcow2 vm.xva"
  grep -q '^restore-disk: ./b.qcow2: .* checked' screen
}

@test "restore-disk draws the bars that the programs draw, of the data that is read and of what is checked" {
  image a.qcow2
  qcow-headers --output map a.qcow2 | xva-pack --map - >vm.xva 2>said
  export XVA_BIN_DIR=${XVA_BIN_DIR:-$ROOT/target/release}
  for columns in 80 120; do
    on_terminal $columns "$ROOT/scripts/restore-disk -f -o b.qcow2 vm.xva"
    # The disk has 48 MiB of data in 64.
    grep -qE "^Ref:0        ${ended//64/48}$" screen
    grep -qE "^checking     $ended$" screen
    awk -v columns=$columns '/\[=+\]/ && length($0) != columns { exit 1 }' screen
    [ "$(grep -c '%' screen)" -eq 2 ]
  done
  gzip vm.xva
  on_terminal 80 "$ROOT/scripts/restore-disk -o b.raw vm.xva.gz"
  grep -qE '^Ref:0        \[=+\]  100%  ' screen
}

@test "an export that fails leaves no bar of 100 %" {
  image a.qcow2
  qemu-img create -q -f raw file 64M
  printf '[{"start":0,"length":%d,"offset":0,"filename":"file","virtual_size":%d},\n' 33554432 67108864 >map
  printf '{"start":33554432,"length":33554432,"offset":67108864,"filename":"file"}]' >>map
  local status=0
  on_terminal 80 'cat map | xva-pack --map - --progress | slowly' || status=$?
  [ "$status" -eq 3 ]
  grep -qE '^Ref:0 +\[.*\] +[0-9]{1,2}% ' <(sed -n 1p screen)
  grep -q '^xva-pack: standard input: file: data lies outside' <(sed -n 2p screen)
  # All is read, and then found to have changed.
  status=0
  on_terminal 80 'qcow-headers --output map a.qcow2 | xva-pack --map - --progress | { head -c 1M >begun; touch a.qcow2; slowly; }' || status=$?
  [ "$status" -eq 1 ]
  grep -qE '^Ref:0 +\[.*\] +99% ' <(sed -n 1p screen)
  grep -q '^xva-pack: a.qcow2: changed' <(sed -n 2p screen)
  cat frames screen | grep -c 100% && return 1
  status=0
  mkfifo lines
  cat lines >said &
  qcow-headers --output map a.qcow2 | xva-pack --map - --progress=9 9>lines | { head -c 1M >begun; touch a.qcow2; cat >rest; } || status=$?
  wait
  [ "$status" -eq 1 ]
  grep -q '^99/100$' said
  grep -c 100/100 said && return 1
  true
}

@test "xva-unpack shows how far it is, of files and of pipes, and no 100 % where faults are found" {
  image a.qcow2
  image b.qcow2
  "$ROOT/scripts/export-xva" -o vm.xva a.qcow2 b.qcow2
  on_terminal 80 'xva-unpack --progress vm.xva'
  grep -qE "^checking     ${ended//64\\.0/[0-9.]+}$" <(sed -n 1p screen)
  grep -q 'vm.xva: sound: ' screen
  on_terminal 80 'cat vm.xva | xva-unpack --progress >table'
  grep -qE "^checking     ${ended//64\\.0/128}$" <(sed -n 1p screen)
  on_terminal 80 'xva-unpack --progress --disk Ref:001 -o b.raw vm.xva'
  grep -qE "^Ref:001      ${ended//64\\.0/[0-9.]+}$" <(sed -n 1p screen)
  # Each disk that is written has a line; without ova.xml nobody knows how far one is, only how far the archive.
  on_terminal 80 'xva-unpack --progress --all -o all vm.xva'
  grep -qE "^Ref:000 1/2  $ended  all  50%$" <(sed -n 1p screen)
  grep -qE "^Ref:001 2/2  $ended  all 100%$" <(sed -n 2p screen)
  { xva-pack --scan b.raw --no-trailer && xva-pack --scan b.raw --prefix Ref:1; } >two.xva
  on_terminal 80 'xva-unpack --progress --all -o two two.xva'
  grep -qE "^Ref:1        ${ended//64\\.0/[0-9.]+}$" <(sed -n 1p screen)
  grep -q '^DISK' <(sed -n 2p screen)
  xva-unpack --progress=9 --all -o again vm.xva 9>lines
  sort -nu lines | cmp - lines
  [ "$(tail -n 1 lines)" = 100/100 ]
  on_terminal 80 'xva-zstd --progress vm.xva >vm.xva.zst; xva-unpack --progress vm.xva.zst'
  grep -qE "^compressing  ${ended//64\\.0/[0-9.]+}$" <(sed -n 1p screen)
  grep -qE "^checking     \[=+\]  100%  +[0-9.]+/[0-9.]+ [KM]iB " <(sed -n 2p screen)
  # Two faults, named on lines of their own.
  cp vm.xva bad.xva
  for at in 8000000 60000000; do printf x | dd of=bad.xva bs=1 seek=$at conv=notrunc status=none; done
  local status=0
  on_terminal 300 'xva-unpack --progress --keep-going bad.xva' || status=$?
  [ "$status" -eq 3 ]
  [ "$(grep -c '^xva-unpack: .*: the checksum is not that of the block' screen)" -eq 2 ]
  grep -q '^checking .* 9[89]% ' screen
  cat frames screen | grep -c 100% && return 1
  true
}

@test "a map says the size of its disk, and must end there" {
  image a.qcow2
  qcow-headers --output map a.qcow2 >map
  jq -e 'map(.virtual_size) | first == 67108864 and (.[1:] | all(. == null))' map
  # qemu-img's own map has the same ranges.
  diff <(jq -c '[.[] | {start, length, zero}]' map) <(qemu-img map --output=json a.qcow2 | jq -c '[.[] | {start, length, zero}]')
  fails_with 3 xva-pack --map <(jq '.[:-1]' map)
  fails_with 3 xva-pack --map <(jq '.[0].virtual_size += 512' map)
  [[ $stderr == *"found entries up to 67108864, expected virtual_size 67109376" ]]
  xva-pack --map <(jq 'map(del(.virtual_size))' map) | cmp - <(xva-pack --map map)
}
