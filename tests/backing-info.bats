#!/usr/bin/env bats
# backing-info, with stand-ins for dom0: stat says that names are block devices, tap-ctl and xenstore answer from files.

load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  export BACKING_INFO_ROOT=$PWD/root XCP_PATH=$PWD/bin DOM0=$PWD
  mkdir -p bin root/proc root/sys/dev/block root/var/run/nonpersistent/nbd xenstore
  printf 'Character devices:\n  1 mem\n\nBlock devices:\n  8 sd\n 43 nbd\n254 tapdev\n' >root/proc/devices
  cat >bin/stat <<'EOF'
#!/bin/sh
for last; do :; done
case $last in
  /dev/sm/backend/*) echo "block special file:fe:$(printf %x "${last##*/}")" ;;
  /dev/nbd*) echo "block special file:2b:$(printf %x "${last#/dev/nbd}")" ;;
  /dev/sda) echo "block special file:8:0" ;;
  /dev/xvdb) echo "block special file:ca:10" ;;
  *) exec /usr/bin/stat -Lc %F:%t:%T -- "$last" ;;
esac
EOF
  cat >bin/tap-ctl <<'EOF'
#!/bin/sh
[ "$*" = list ] && exec cat "$DOM0/taps"
[ "$1 $2 $4" = "list -p -m" ] && grep -E "^pid=$3 minor=$5 " "$DOM0/taps"
exit 0
EOF
  printf '#!/bin/sh\nexec cat "$DOM0/xenstore/$1"\n' >bin/xenstore-read
  chmod +x bin/*
  PATH=$PWD/bin:$PATH
  cat >taps <<'EOF'
pid=855 minor=0 state=0 args=aio:/run/sr-mount/dev/disk/by-id/ata-WDC_WD2502ABYS-18B7A0_WD-WCAT1H334077-part3/win8 0
pid=856 minor=1 state=0x2a args=vhd:/run/sr-mount/7f/a  b "c".vhd
pid=857 minor=2 state=0 args=
pid=858 minor=12 state=0 args=qcow2:/run/sr-mount/7f/d:e.qcow2
pid=859 minor=3 state=0 args=vhd:/one
pid=860 minor=3 state=0 args=vhd:/two
EOF
}

backing_info() { "$ROOT/scripts/xapi/backing-info" "$@"; }

@test "a blktap device is answered with driver and path, blanks and colons kept" {
  [ "$(backing_info /dev/sm/backend/1)" = '{"driver":"vhd","path":"/run/sr-mount/7f/a  b \"c\".vhd"}' ]
  [ "$(backing_info /dev/sm/backend/1 | jq -r .path)" = '/run/sr-mount/7f/a  b "c".vhd' ]
  [ "$(backing_info /dev/sm/backend/12)" = '{"driver":"qcow2","path":"/run/sr-mount/7f/d:e.qcow2"}' ]
  [ "$(backing_info /dev/sm/backend/0 | jq -r .driver)" = aio ]
}

@test "no tapdisk, one without an image, or two of them: status 4" {
  fails_with 4 backing_info /dev/sm/backend/7
  fails_with 4 backing_info /dev/sm/backend/2
  fails_with 4 backing_info /dev/sm/backend/3
  [[ $stderr == *"more than one"* ]]
}

@test "an NBD device is followed through its socket to its tapdisk" {
  ln -s "$PWD/run/blktap-control/nbd858.12" root/socket
  echo '{"path": "/socket", "exportname": "qemu_node"}' >root/var/run/nonpersistent/nbd/3
  [ "$(backing_info /dev/nbd3)" = '{"driver":"qcow2","path":"/run/sr-mount/7f/d:e.qcow2"}' ]
  fails_with 4 backing_info /dev/nbd4
  echo '{"path":"/run/other.sock","exportname":""}' >root/var/run/nonpersistent/nbd/5
  fails_with 4 backing_info /dev/nbd5
  [[ $stderr == *"not by a tapdisk"* ]]
}

@test "a front end that dom0 serves itself is followed to its back end" {
  mkdir -p xenstore/device/vbd/51728 xenstore/local/domain/0/backend/vbd/0/51728
  mkdir root/sys/dev/block/202:16
  ln -s ../../devices/xen/vbd-51728 root/sys/dev/block/202:16/device
  echo /local/domain/0/backend/vbd/0/51728 >xenstore/device/vbd/51728/backend
  echo 0 >xenstore/domid
  echo /dev/sm/backend/12 >xenstore/local/domain/0/backend/vbd/0/51728/params
  [ "$(backing_info /dev/xvdb | jq -r .driver)" = qcow2 ]
  echo 5 >xenstore/domid
  fails_with 4 backing_info /dev/xvdb
}

@test "tap-ctl is that of XCP_PATH, not that of PATH" {
  mkdir other
  printf '#!/bin/sh\nexit 1\n' >other/tap-ctl
  chmod +x other/tap-ctl
  PATH=$PWD/other:$PATH
  [ "$(backing_info /dev/sm/backend/12 | jq -r .driver)" = qcow2 ]
}

@test "other block devices are status 4, what is no block device 1, wrong usage 2" {
  fails_with 4 backing_info /dev/sda
  touch file
  fails_with 1 backing_info file
  [[ $stderr == *"not a block device"* ]]
  fails_with 1 backing_info missing
  fails_with 2 backing_info
  fails_with 2 backing_info a b
  run -0 backing_info --help
  [[ $output == *"usage: backing-info DEVICE"* ]]
}
