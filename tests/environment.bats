#!/usr/bin/env bats
# Strange hosts: whatever surrounds a program, it gives the answer that it gives elsewhere, or says that it cannot.

load common
# shellcheck source=scripts/image-format.bash
. "$ROOT/scripts/image-format.bash"

setup_file() {
  cd "$BATS_FILE_TMPDIR" || return 1
  truncate -s 3M d.raw
  printf x | dd of=d.raw bs=1M seek=1 conv=notrunc status=none
  qemu-img convert -f raw -O vpc -o subformat=dynamic,force_size=on d.raw d.vhd
  qemu-img convert -f raw -O qcow2 d.raw d.qcow2
  qcow-headers d.qcow2 >d.json
  xva-pack --scan d.raw >d.xva
  mkdir bin
  for program in "${PROGRAMS[@]}"; do
    cp "$(command -v "$program")" bin/
  done
  # One line for every program and way of output; the directory of the files takes the place of @.
  cat >commands <<'EOF'
vhd-headers @/d.vhd
qcow-headers --output map @/d.qcow2
extents-merge @/d.json
xva-pack --scan @/d.raw
xva-pack --extents @/d.json @/d.raw
xva-unpack --list @/d.xva
xva-headers --list @/d.xva
xva-unpack -q --disk Ref:0 -o - @/d.xva
ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk Ref:0=3M
EOF
  diff <(cut -d' ' -f1 commands | sort -u) <(printf '%s\n' "${PROGRAMS[@]}" | sort)
  mkdir expected
  local line arguments number=0
  while read -r line; do
    number=$((number + 1))
    read -ra arguments <<<"$line"
    arguments=("${arguments[@]//@/$PWD}")
    "${arguments[@]}" >"expected/$number"
  done <commands
}

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  cp -r "$BATS_FILE_TMPDIR/." .
}

# each COMMAND: runs it with every line of commands as its arguments, and fails unless that gives the answer of the line
# alone, in silence.
each() {
  local line arguments number=0
  while read -r line; do
    number=$((number + 1))
    read -ra arguments <<<"$line"
    arguments=("${arguments[@]//@/$BATS_FILE_TMPDIR}")
    "$1" "$BATS_FILE_TMPDIR/bin/${arguments[0]}" "${arguments[@]:1}" >out 2>err || { echo "$line: $(cat err)"; return 1; }
    cmp out "expected/$number" || { echo "$line: another answer"; return 1; }
    [ ! -s err ] || { echo "$line: $(cat err)"; return 1; }
  done <commands
}

@test "in an empty or misleading environment every program gives the same answer" {
  empty() { env -i "$@"; }
  each empty
  nowhere() { env HOME=/nowhere TMPDIR=/nowhere TEMP=/nowhere PATH=/nowhere PWD=/nowhere "$@"; }
  each nowhere
  foreign() { env LC_ALL=de_DE.UTF-8 LANG=tr_TR LC_NUMERIC=fr_FR TZ=nowhere TERM= COLUMNS=0 LINES=-1 "$@"; }
  each foreign
  forced() { env LC_ALL=POSIX CLICOLOR_FORCE=1 RUST_BACKTRACE=full RUST_LOG=trace RUST_MIN_STACK=1 "$@"; }
  each forced
  not_utf8() { env $'V\377=\377' LC_ALL=$'\377' COLUMNS=$'\377' TERM=$'\377' "$@"; }
  each not_utf8
}

@test "a directory that was deleted, a umask of 777 and an ignored SIGPIPE are nothing to a program" {
  deleted() { (mkdir gone && cd gone && rmdir ../gone && "$@"); }
  each deleted
  masked() { (umask 777; "$@"); }
  each masked
  ignored() { (trap '' PIPE CHLD HUP; "$@"); }
  each ignored
  alone() { setsid --wait "$@"; }
  each alone
}

@test "the one command makes the same archive, whatever surrounds it" {
  export XVA_BIN_DIR=$PWD/bin
  export_xva() { "$@" "$ROOT/scripts/export-xva" -o "$OLDPWD/$number.xva" --name a --format raw "$OLDPWD/d.raw" 2>said; }
  deaf() { "$@" <&-; }
  silent() { "$@" >&-; }
  mute() { "$@" 2>&-; }
  ignored() { (trap '' PIPE; "$@"); }
  masked() { (umask 777; "$@"); }
  bare() { env -i PATH=/usr/bin:/bin XVA_BIN_DIR="$XVA_BIN_DIR" "$@"; }
  mkdir elsewhere
  cd elsewhere
  for surrounding in '' deaf silent mute ignored masked bare 'setsid --wait' 'env TMPDIR=/nowhere HOME=/nowhere'; do
    number=$((number + 1))
    # shellcheck disable=SC2086
    export_xva $surrounding
    [ -r "../$number.xva" ] || chmod 600 "../$number.xva"
    cmp "../$number.xva" ../1.xva
  done
  [ -z "$(find .. -name '*.part*')" ]
}

@test "a file is made with the mode that the umask leaves, and read back by its owner" {
  (umask 777; bin/xva-unpack --disk Ref:0 -o masked.raw d.xva >/dev/null)
  [ "$(stat -c %a masked.raw)" = 0 ]
  chmod 600 masked.raw
  cmp masked.raw d.raw
  (umask 777; bin/xva-pack --scan --report report d.raw >/dev/null)
  chmod 600 report
  jq -e .disk.crc32 report
}

@test "a relative name in a deleted directory is one line" {
  mkdir gone
  cd gone
  rmdir ../gone
  for format in $(formats format ' '); do
    fails_with 1 "../bin/$(header_tool "$format")" "d.$format"
  done
  fails_with 1 "$BATS_TEST_TMPDIR/bin/xva-unpack" --disk Ref:0 -o d.raw "$BATS_TEST_TMPDIR/d.xva"
  # Standard input has no directory, and needs none.
  "$BATS_TEST_TMPDIR/bin/qcow-headers" - <"$BATS_TEST_TMPDIR/d.qcow2" | cmp - "$BATS_TEST_TMPDIR/d.json"
}

@test "closed descriptors: without stdin and stderr the same answer, without stdout none" {
  deaf() { "$@" <&-; }
  each deaf
  mute() { "$@" 2>&-; }
  each mute
  alone() { "$@" <&- 2>&-; }
  each alone
  while read -r line; do
    read -ra arguments <<<"$line"
    arguments=("${arguments[@]//@/.}")
    fails_with 1 bash -c '"$@" >&-' - "${arguments[@]}"
    [ "$stderr" = "${arguments[0]}: standard output is closed" ]
    run bash -c '"$@" <&- >&- 2>&-' - "${arguments[@]}"
    [ "$status" -eq 1 ]
    [ -z "$output" ]
    run bash -c '"$@" >/dev/full 2>&-' - "${arguments[@]}"
    [ "$status" -eq 1 ]
  done <commands
}

@test "what waits for a closed standard input ends with an error, also when nobody can read it" {
  read -ra tools <<<"$(formats tool ' ')"
  for command in "${tools[@]/%/ -}" extents-merge 'extents-merge -' 'xva-pack d.raw' 'xva-pack --map -' \
    'xva-pack --scan -' xva-unpack 'xva-unpack --disk Ref:0 -o - -' 'xva-pack --scan --ova - d.raw'; do
    # shellcheck disable=SC2086
    fails_with 1 bash -c '"$@" <&-' - $command
    [ "$stderr" = "${command%% *}: standard input is closed" ]
    # shellcheck disable=SC2086
    run -1 bash -c '"$@" <&- 2>&-' - $command
  done
}

@test "a reader that goes away is never a success, with SIGPIPE as it is, ignored or blocked" {
  # Each writes more than a pipe holds.
  truncate -s 100M big.raw
  bin/xva-pack --scan --keep-zeros big.raw >big.xva
  qemu-img create -q -f qcow2 -o cluster_size=512 big.qcow2 100M
  qemu-io -f qcow2 -c 'write -q 0 8M' big.qcow2
  echo '{"virtual_size":1099511627776,"cluster_bits":12,"data_clusters":[[0,268435455]]}' >big.json
  python3 - <<'PY'
import os, signal, subprocess
commands = [["qcow-headers", "--output", "list", "big.qcow2"],
            ["extents-merge", "--cluster-bits", "12", "--output", "list", "big.json"],
            ["xva-pack", "--scan", "--keep-zeros", "big.raw"], ["xva-unpack", "--disk", "Ref:0", "-o", "-", "big.xva"]]
block = lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE])
for command in commands:
    for restore, before in (True, None), (False, None), (True, block):
        read, write = os.pipe()
        child = subprocess.Popen(["bin/" + command[0]] + command[1:], stdout=write, stderr=subprocess.PIPE,
                                 restore_signals=restore, preexec_fn=before)
        os.close(write)
        os.read(read, 1)
        os.close(read)
        said = child.stderr.read()
        status = child.wait()
        quiet = status == -signal.SIGPIPE and said == b""
        assert quiet or before and status == 1 and said.count(b"\n") == 1, (command, restore, before, status, said)
PY
}

@test "names that are not UTF-8 are names, in what is read and in what is written" {
  name=$'b\377d'
  for suffix in raw vhd qcow2 json xva; do
    cp d.$suffix "$name.$suffix"
  done
  vhd-headers "$name.vhd" | cmp - <(vhd-headers d.vhd)
  qcow-headers "$name.qcow2" | cmp - d.json
  extents-merge "$name.json" | cmp - <(extents-merge d.json)
  xva-pack --extents "$name.json" --report "$name.report" "$name.raw" | cmp - d.xva
  jq -e .disk.crc32 "$name.report"
  xva-unpack -q --disk Ref:0 -o "$name.out" "$name.xva"
  cmp "$name.out" d.raw
  mkdir "$name"
  xva-unpack -q --all -o "$name" "$name.xva"
  cmp "$name/Ref:0.raw" d.raw
  "$ROOT/scripts/export-xva" -o "$name.new.xva" --name a --format raw "$name.raw"
  xva-unpack -q --verify "$name.new.xva"
  read -ra tools <<<"$(formats tool ' ')"
  for missing in "${tools[@]/%/ $name.x}" "extents-merge $name.x" "xva-pack --scan $name.x" "xva-unpack $name.x"; do
    # shellcheck disable=SC2086
    fails_with 1 $missing
  done
  fails_with 2 ova-xml --name "$name" --memory 1G --vcpus 1 --firmware bios --disk Ref:0=3M
}

@test "an unprivileged user gets the same answers, and a sentence for what is not theirs" {
  as_nobody() { "$@"; }
  if [ "$(id -u)" -eq 0 ]; then
    setpriv --reuid=65534 --regid=65534 --clear-groups true 2>reason || skip "no other user: $(cat reason)"
    as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
  fi
  # From here by relative names: what lies above may be closed to that user.
  chmod 755 . bin bin/*
  chmod 644 d.*
  while read -r line; do
    read -ra arguments <<<"$line"
    arguments=("${arguments[@]//@/.}")
    as_nobody "bin/${arguments[0]}" "${arguments[@]:1}" | cmp - <("bin/${arguments[0]}" "${arguments[@]:1}")
  done <commands
  chmod 0 d.*
  while read -r line; do
    [[ $line == *@* ]] || continue
    read -ra arguments <<<"$line"
    arguments=("${arguments[@]//@/.}")
    fails_with 1 as_nobody "bin/${arguments[0]}" "${arguments[@]:1}"
    [[ $stderr == *"ermission denied"* ]]
  done <commands
  chmod 644 d.*
  mkdir -m 555 closed
  fails_with 1 as_nobody bin/xva-unpack --disk Ref:0 -o closed/d.raw d.xva
  fails_with 1 as_nobody bin/xva-unpack --all -o closed/d d.xva
  fails_with 1 as_nobody bin/xva-pack --scan --report closed/report d.raw
  [ -z "$(ls -A closed)" ]
}
