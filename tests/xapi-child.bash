# Loaded by the tests of what xapi starts: the wrappers installed under a prefix, and started as xapi starts its children.

# install_wrappers: as $PREFIX/scripts/xapi, with the filters in $PREFIX/bin.
install_wrappers() {
  local program
  PREFIX=$BATS_TEST_TMPDIR/opt/xva-tools
  mkdir -p "$PREFIX/bin" "$PREFIX/scripts"
  cp -R "$ROOT/scripts/xapi" "$PREFIX/scripts/"
  for program in vhd-headers qcow-headers extents-merge; do
    ln -s "$(type -P "$program")" "$PREFIX/bin/"
  done
}

# child COMMAND...: with PATH and no other variable, in /, with 1,024 descriptors, SIGPIPE ignored, and a standard input that
# can only be written to. VARIABLE=VALUE may come first.
child() {
  (cd / && ulimit -n 1024 && trap '' PIPE && exec env -i PATH=/sbin:/usr/sbin:/bin:/usr/bin "$@" 0>/dev/null)
}

# exported FORMAT IMAGE RAW [LEGACY]: what xapi writes of IMAGE, whose disk is RAW, after it asked the wrapper; see
# xapi_writes.py. The answer itself is left in the file answer, what was said in the file said.
exported() {
  local format=$1 image=$2 raw=$3 legacy=${4:-false} cluster=0
  if [ "$format" = vhd ]; then
    local question=read_headers_interval
    [ "$legacy" = false ] || question=read_headers
    child "$PREFIX/scripts/xapi/vhd-tool" "$question" "$image" >answer 2>said || true
  else
    cluster=$(qemu-img info -U -f qcow2 --output=json "$image" | jq '."cluster-size"') || return
    child "$PREFIX/scripts/xapi/qemu-img" map "$image" --output=json >answer 2>said || true
  fi
  python3 "$ROOT/tests/xapi_writes.py" "$format" "$legacy" "$cluster" "$raw" <answer
}

# becomes EXPECTED FORMAT IMAGE RAW: what xapi writes, with lists (which for QCOW2 it does not use) and with intervals.
becomes() {
  local found expected
  for legacy in true false; do
    expected=$1
    [ "$2:$legacy" != qcow2:true ] || expected=scan
    found=$(exported "$2" "$3" "$4" "$legacy") || return
    [ "$found" = "$expected" ] ||
      { echo "$3, legacy $legacy: found '$found', expected '$expected'; answer: $(head -c 300 answer); said: $(cat said)"; return 1; }
  done
}
