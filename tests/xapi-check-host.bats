#!/usr/bin/env bats
# check-host, on roots made for it: each case of the table in scripts/xapi/README.md.

load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir -p root/etc/xapi.conf.d root/usr/bin root/usr/lib64/xen/bin root/opt
  printf "PRODUCT_BRAND='XenServer'\n" >root/etc/xensource-inventory
  echo '# nothing set' >root/etc/xapi.conf
  echo real >root/usr/bin/qemu-img
  echo real >root/usr/lib64/xen/bin/qemu-img
  cp "$ROOT"/scripts/xapi/{qemu-img,vhd-tool} root/opt/
}

# xapi VERSION [LINE...]: makes it that xapi, with these lines in its configuration.
xapi() {
  version=$1
  printf '%s\n' '# of xapi' "${@:2}" >root/etc/xapi.conf
  rm -f root/etc/xapi.conf.d/*
}

# says STATUS TEXT...: it ends with STATUS and its output has every TEXT.
says() {
  local text
  run "-$1" "$ROOT/scripts/xapi/check-host" --root "$PWD/root" --xapi-version "$version"
  for text in "${@:2}"; do
    [[ $output == *"$text"* ]] || { echo "'$output' does not say '$text'"; return 1; }
  done
}

is_silent_about() { [[ $output != *"$1"* ]] || { echo "'$output' says '$1'"; return 1; }; }

@test "XCP-ng 26.1.3 and 26.1.4 as shipped lose data, and true is what avoids it" {
  local each
  for each in 26.1.3-1.3.xcpng8.3 v26.1.4-8.3; do
    xapi $each 'vhd-legacy-blocks-format=false' 'qemu-img = /opt/qemu-img'
    says 3 "host: XCP-ng, xapi $each" /usr/bin/qemu-img '(/etc/xapi.conf line 3), which is ignored' 'EXPORTS LOSE DATA' \
      'vhd-legacy-blocks-format = true' xe-toolstack-restart 'every host of the pool' /etc/xapi.conf.d/
    is_silent_about 'vhd-legacy-blocks-format = false
'
    xapi $each 'vhd-legacy-blocks-format=true'
    says 0 'exports lose nothing' 'read whole'
    cp root/opt/qemu-img root/usr/bin/qemu-img
    xapi $each 'vhd-legacy-blocks-format=false'
    says 0 'is the wrapper'
    echo real >root/usr/bin/qemu-img
  done
}

@test "XCP-ng from 26.1.11 on loses data as shipped, and does not with the wrappers" {
  xapi 26.1.11-1.1.xcpng8.3 'vhd-legacy-blocks-format=false'
  says 3 'EXPORTS LOSE DATA' "qemu-img = $ROOT/scripts/xapi/qemu-img" "vhd-tool = $ROOT/scripts/xapi/vhd-tool" \
    'vhd-legacy-blocks-format = false'
  echo 'qemu-img = "/opt/qemu-img" # the wrapper' >root/etc/xapi.conf.d/xva-tools.conf
  says 0 'lose nothing' 'write in'
  echo 'vhd-tool=/opt/vhd-tool' >>root/etc/xapi.conf.d/xva-tools.conf
  says 0 'lose nothing'
  is_silent_about 'write in'
}

@test "upstream, whose default is true, loses nothing and reads QCOW2s whole" {
  local each
  for each in 26.1.11-1.xs8 26.1.20 26.16.0 26.17.2 27.0.0; do
    xapi $each
    says 0 "xapi $each" 'vhd-legacy-blocks-format = true (the default)' 'read whole' 'vhd-legacy-blocks-format = false'
    xapi $each 'vhd-legacy-blocks-format=false'
    says 3 'EXPORTS LOSE DATA'
  done
}

@test "a xapi that only asks for lists, or for nothing, loses nothing, whatever is written" {
  local each
  for each in 26.0.0 26.1.10 26.2.0 26.15.9 26.1.2-1.xcpng8.3; do
    xapi $each 'vhd-legacy-blocks-format=false'
    says 0 'lists of blocks' 'lose nothing' "vhd-tool = $ROOT/scripts/xapi/vhd-tool"
    is_silent_about 'qemu-img ='
  done
  for each in 1.249.3 25.33.1-2.1.xcpng8.3; do
    xapi $each 'vhd-legacy-blocks-format=false'
    says 0 'every disk whole' 'lose nothing'
    is_silent_about 'write in'
  done
}

@test "the last line counts, in the order of the files' names, and as xapi reads lines" {
  xapi 26.16.0 'vhd-legacy-blocks-format=false'
  echo " vhd-legacy-blocks-format	= 'true'  # as it was" >root/etc/xapi.conf.d/b
  says 0 'vhd-legacy-blocks-format = true (/etc/xapi.conf.d/b line 1)'
  echo '#vhd-legacy-blocks-format = true' >root/etc/xapi.conf.d/c
  printf 'x-vhd-legacy-blocks-format = true\n\nvhd-legacy-blocks-format = false' >root/etc/xapi.conf.d/zz.conf~
  says 3 'vhd-legacy-blocks-format = false (/etc/xapi.conf.d/zz.conf~ line 3)' \
    'take out /etc/xapi.conf.d/zz.conf~ line 3'
  echo 'vhd-legacy-blocks-format = False' >root/etc/xapi.conf.d/zz.conf~
  says 1 'found vhd-legacy-blocks-format = False, expected true or false'
}

@test "the version is that of the package, and where there is none it must be given" {
  mkdir bin
  cat >bin/rpm <<'EOF'
#!/bin/sh
[ "$1 $2" = "--dbpath $DATABASE" ] && [ "$3 $4" = "-q --qf" ] && [ "$6" = xapi-core ] || exit 1
printf 26.1.11-1.1.xcpng8.3
#!/bin/sh
[ "$1 $2" = "--dbpath $DATABASE" ] && [ "$3 $4" = "-q --qf" ] && [ "$6" = xapi-core ] || exit 1
printf 26.1.11-1.1.xcpng8.3
EOF
  chmod +x bin/rpm
  PATH=$PWD/bin:$PATH DATABASE=$PWD/root/var/lib/rpm run -0 "$ROOT/scripts/xapi/check-host" --root "$PWD/root"
  [[ $output == 'host: XCP-ng, xapi 26.1.11-1.1.xcpng8.3'* ]]
  PATH=$PWD/bin:$PATH DATABASE=/elsewhere fails_with 4 "$ROOT/scripts/xapi/check-host" --root "$PWD/root"
  [[ $stderr == *--xapi-version* ]]
  fails_with 4 "$ROOT/scripts/xapi/check-host" --root "$PWD/root" --xapi-version 26.1
  fails_with 1 "$ROOT/scripts/xapi/check-host" --root "$PWD/none" --xapi-version 26.1.3
  fails_with 2 "$ROOT/scripts/xapi/check-host" --root
  fails_with 2 "$ROOT/scripts/xapi/check-host" root
}

@test "nothing on the host is changed, and a root that cannot be written to is enough" {
  xapi 26.1.3-8.3 'vhd-legacy-blocks-format=false'
  find root -printf '%p %T@ %s\n' | sort >before
  chmod -R a-w root
  says 3 'EXPORTS LOSE DATA'
  find root -printf '%p %T@ %s\n' | sort | cmp - before
  chmod -R u+w root
}

@test "a hidden file of the directory is read before the others, and one that cannot be read is no answer" {
  xapi 26.1.3-1.xcpng8.3
  echo 'vhd-legacy-blocks-format = false' >root/etc/xapi.conf.d/a.conf
  for name in .old ..old; do
    echo 'vhd-legacy-blocks-format = true' >root/etc/xapi.conf.d/$name
    says 3 'EXPORTS LOSE DATA'
    rm root/etc/xapi.conf.d/$name
  done
  echo 'vhd-legacy-blocks-format = true' >root/etc/xapi.conf.d/a.conf
  echo 'vhd-legacy-blocks-format = false' >root/etc/xapi.conf.d/.old
  says 0 'exports lose nothing'
  chmod 000 root/etc/xapi.conf.d
  run -1 held_to_modes bash "$ROOT/scripts/xapi/check-host" --root "$PWD/root" --xapi-version "$version"
  chmod 700 root/etc/xapi.conf.d
  [[ $output == *"cannot be read"* ]]
}
