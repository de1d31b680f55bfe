#!/usr/bin/env bats
# What a program reads is never what it writes to: not under another name, not where it is opened late, not when the work fails.

load common
load loop-devices

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  head -c 3M /dev/urandom >d.raw
  truncate -s 5M d.raw
  qemu-img convert -O qcow2 d.raw base.qcow2
  qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 upper.qcow2
  qemu-io -c 'write -P 7 1M 1M' upper.qcow2 >/dev/null
  cp d.raw raw-base
  qemu-img create -q -f qcow2 -b raw-base -F raw over-raw.qcow2
  qemu-img convert -f raw -O vpc -o subformat=dynamic,force_size=on d.raw base.vhd
  python3 "$ROOT/tests/vhd_child.py" child.vhd base.vhd base.vhd
  qcow-headers base.qcow2 >d.json
  ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk Ref:0=5M >ova.xml
  xva-pack --scan --ova ova.xml d.raw >a.xva
  # A change of an inode counts as one of the image for a moment.
  sleep 0.05
}

# refused STATUS FILE COMMAND: the command ends so, and FILE is as it was.
refused() {
  cp "$2" "$BATS_TEST_TMPDIR/before"
  run --separate-stderr bash -o pipefail -c "ulimit -f 40000; $3"
  [ "$status" -eq "$1" ] || { echo "$3: status $status, expected $1: $stderr"; return 1; }
  cmp "$2" "$BATS_TEST_TMPDIR/before" || { echo "$3"; return 1; }
  [ "${#stderr_lines[@]}" -eq 1 ] && [[ $stderr == *"would be written"* ]] || { echo "$3: said $stderr"; return 1; }
}

@test "an image is not written over by what is printed of it, nor is one below it" {
  for how in '>>' '1<>'; do
    refused 2 base.qcow2 "qcow-headers base.qcow2 $how base.qcow2"
    refused 2 base.qcow2 "qcow-headers - <base.qcow2 $how base.qcow2"
    refused 2 base.qcow2 "qcow-headers --output map upper.qcow2 $how base.qcow2"
    refused 2 raw-base "qcow-headers over-raw.qcow2 $how raw-base"
    refused 2 base.vhd "vhd-headers base.vhd $how base.vhd"
    refused 2 base.vhd "vhd-headers --sectors child.vhd $how base.vhd"
  done
}

@test "a document is not written over by what is made of it" {
  for file in '' d.json; do
    refused 2 d.json "extents-merge $file <d.json >>d.json"
    refused 2 d.json "extents-merge $file <d.json 1<>d.json"
  done
  refused 2 d.json 'qcow-headers base.qcow2 | extents-merge - d.json >>d.json'
}

@test "nothing that an archive is made of is written over by it or by its report" {
  # Without the states of the files, which every other link to one would change.
  qcow-headers --output map upper.qcow2 | sed 's/"state": {[^}]*}, //' >map
  for command in d.raw:'--scan d.raw' d.raw:'--scan - <d.raw' d.raw:'--extents d.json d.raw' d.json:'d.raw <d.json' \
    d.json:'--fallback-scan --extents d.json d.raw' ova.xml:'--scan --ova ova.xml d.raw' \
    ova.xml:'--scan --check-ova ova.xml d.raw' map:'--map map' base.qcow2:'--map map' upper.qcow2:'--map - <map'; do
    file=${command%%:*} command=${command#*:}
    refused 2 "$file" "xva-pack $command >>$file"
    refused 2 "$file" "xva-pack $command 1<>$file"
    refused 2 "$file" "xva-pack --force --report $file $command >archive"
    ln -f "$file" hard
    ln -sf "$file" soft
    refused 2 "$file" "xva-pack --force --report hard $command >archive"
    refused 2 "$file" "xva-pack --force --report soft $command >archive"
    refused 2 "$file" "xva-pack --progress=3 $command 3>>$file >archive"
    [ ! -s archive ]
  done
}

@test "a file that a map names late is written no further" {
  # The first disk that is read is one file, and the end of it another.
  truncate -s 100M first last
  printf '[{"start":0,"length":104857600,"data":true,"zero":false,"offset":0,"filename":"first"},%s]' \
    '{"start":104857600,"length":104857600,"data":true,"zero":false,"offset":0,"filename":"last"}' >late
  cp last before
  run -1 --separate-stderr bash -c 'cat late | xva-pack --keep-zeros --map - 1<>last'
  [[ $stderr == *"last: is read, and would be written to standard output: expected another file" ]]
  cmp <(tail -c 1M last) <(tail -c 1M before)
}

@test "an archive is not written over by what is read from it" {
  mkdir own
  cp a.xva own/Ref:0.raw
  for command in '--verify' '--list' '--ova' '--disk Ref:0 -o -'; do
    refused 2 a.xva "xva-unpack $command a.xva >>a.xva"
    refused 2 a.xva "xva-unpack $command a.xva 1<>a.xva"
    refused 2 a.xva "xva-unpack $command - <a.xva >>a.xva"
  done
  refused 2 own/Ref:0.raw 'xva-unpack --all --force -o own own/Ref:0.raw'
  refused 2 own/Ref:0.raw 'xva-unpack --all --force -o own - <own/Ref:0.raw'
  refused 2 a.xva 'xva-unpack --disk Ref:0 --force -o a.xva a.xva'
  refused 2 a.xva 'xva-unpack --progress=3 a.xva 3>>a.xva'
}

@test "lines for people do not go into what is read" {
  for command in 'qcow-headers -v base.qcow2:base.qcow2' 'qcow-headers upper.qcow2:base.qcow2' 'xva-unpack a.xva:a.xva'; do
    file=${command#*:} command=${command%:*}
    cp "$file" before
    run -2 bash -c "$command 2>>$file"
    cmp "$file" before
  done
}

@test "the mark of a failure is written over nothing that was there" {
  cp base.qcow2 before
  # The image below is never opened: the one above is damaged, or the command is wrong.
  printf 'QFI\373\0\0\0\t' | dd of=upper.qcow2 conv=notrunc status=none
  for command in 'qcow-headers upper.qcow2' 'qcow-headers --no-such-option base.qcow2'; do
    for how in '>>' '1<>'; do
      run --separate-stderr bash -c "$command $how base.qcow2"
      [ "$status" -ge 2 ]
      cmp base.qcow2 before
    done
    # A reader of a new file is told, and so is one of a file that this run has begun.
    for how in '>' '>>'; do
      rm -f new
      run --separate-stderr bash -c "$command $how new"
      [ "$(cat new)" = "{\"exit_status\":$status" ]
    done
  done
}

@test "what is another file is none of this, nor is a device or pipe at both ends" {
  qcow-headers upper.qcow2 >log
  vhd-headers child.vhd >>log
  [ "$(wc -l <log)" -eq 2 ]
  xva-pack --scan --report report d.raw >b.xva 2>report.log
  xva-pack --scan --report report d.raw | cmp - b.xva
  jq -e .disk.crc32 report
  xva-pack --scan --report /dev/stderr d.raw 2>said >b.xva
  jq -e .disk.crc32 said
  run -3 xva-unpack </dev/null >/dev/null
  xva-unpack -q a.xva </dev/null >/dev/null
  # One socket is all three streams of a program that inetd or sshd starts.
  python3 -c '
import socket, subprocess
ours, theirs = socket.socketpair()
tool = subprocess.Popen(["extents-merge"], stdin=theirs, stdout=theirs, stderr=theirs)
theirs.close()
ours.sendall(open("d.json", "rb").read()); ours.shutdown(socket.SHUT_WR)
assert tool.wait() == 0 and b"virtual_size" in ours.recv(1 << 16)'
}

@test "a block device is known by its number, whatever its node is called" {
  need_loop_devices
  cp d.raw volume
  attach volume
  mknod node b $((0x$(stat -c %t "$device"))) $((0x$(stat -c %T "$device"))) || skip "no node can be made"
  cat node >/dev/null || skip "no node can be opened here"
  for input in "$device" node; do
    run -2 --separate-stderr bash -c "xva-pack --scan $input 1<>$device"
    run -2 --separate-stderr bash -c "xva-pack --scan - <$input 1<>node"
    run -2 --separate-stderr bash -c "xva-pack --scan --report node $input >archive"
    cmp "$device" d.raw
  done
  dd if=a.xva of="$device" conv=notrunc status=none
  run -2 --separate-stderr xva-unpack --disk Ref:0 --force -o node "$device"
  cmp -n "$(stat -c %s a.xva)" "$device" a.xva
}

@test "export-xva replaces no file that an image is read with, and follows a link" {
  mv raw-base base.xva
  qemu-img rebase -u -b base.xva -F raw over-raw.qcow2
  ln -s base.xva link.xva
  cp base.xva before
  for name in base.xva link.xva; do
    run -2 --separate-stderr "$ROOT/scripts/export-xva" -o "$name" over-raw.qcow2
    cmp base.xva before
  done
  echo old >target.xva
  chmod 600 target.xva
  ln -sf target.xva link.xva
  "$ROOT/scripts/export-xva" -o link.xva over-raw.qcow2
  [ -L link.xva ] && [ "$(stat -c %a target.xva)" = 600 ]
  xva-unpack --verify -q target.xva >/dev/null
}
