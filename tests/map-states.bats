#!/usr/bin/env bats
# A map describes its files in one state: what xva-pack finds in another one is status 1.

load common

# As a reader in another language holds a file against its state; prints the names of those that are in it.
readonly IN_STATE='
import json, os, sys
for entry in json.load(open(sys.argv[1])):
    state = entry.get("state")
    if state and all(str(getattr(os.stat(entry["filename"]), key)) == value for key, value in state.items()):
        print(entry["filename"])'

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  # Each file of the chain holds a part of the disk.
  qemu-img create -q -f qcow2 -o data_file=base.data base.qcow2 4M
  qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 leaf.qcow2
  qemu-io -f qcow2 -c 'write -P 1 0 2M' base.qcow2 >qemu-io.log
  qemu-io -f qcow2 -c 'write -P 2 1M 64k' -c 'write -P 3 3M 64k' leaf.qcow2 >qemu-io.log
  qemu-img convert -f qcow2 -O raw leaf.qcow2 raw
  qcow-headers --output map leaf.qcow2 >map
}

# changed_since WORD...: the map is refused, for the file and the reason that the line on stderr names.
changed_since() {
  fails_with 1 xva-pack --map map
  [ -z "$output" ]
  local word
  for word; do
    [[ $stderr == *"$word"* ]] || { echo "no $word in: $stderr"; return 1; }
  done
}

@test "the first entry that names a file says its state, in words of stat that any reader of JSON keeps" {
  [ "$(python3 -c "$IN_STATE" map)" = "$(printf '%s\n' "$PWD/base.data" leaf.qcow2)" ]
  jq -e '[.[] | select(.filename) | {filename, said: has("state")}] | group_by(.filename) | map(map(.said)) == [[true, false], [true, false]]' map
  jq -e 'map(.state // {} | .[]) | length == 10 and all(type == "string")' map
  # Every number is kept, also by readers that take all of them for floating-point ones.
  xva-pack --map map >expected
  jq . map | xva-pack --map - | cmp - expected
  python3 -c 'import json; print(json.dumps(json.load(open("map"), parse_int=float), default=int))' |
    sed -E 's/([0-9])\.0([,}])/\1\2/g' | xva-pack --map - | cmp - expected
  # extents-merge needs no state.
  extents-merge map | cmp - <(jq 'map(del(.state))' map | extents-merge)
}

@test "whatever happens to one file of the chain, the map is refused" {
  sleep 0.05
  for file in leaf.qcow2 base.data; do
    for change in 'printf x | dd of=FILE bs=1 conv=notrunc status=none' 'truncate -s +512 FILE' 'touch FILE' 'chmod a+x FILE' \
      'ln FILE other' 'cp -p FILE new; mv new FILE' 'touch -r FILE time; printf x | dd of=FILE bs=1 conv=notrunc status=none; touch -r time FILE' \
      'rm FILE' 'rm FILE; mkfifo FILE' 'rm FILE; ln -s raw FILE' 'rm FILE; ln -s /dev/null FILE' 'cat raw >FILE'; do
      cp -r --preserve=links . "$BATS_TEST_TMPDIR.copy"
      cd "$BATS_TEST_TMPDIR.copy"
      qcow-headers --output map leaf.qcow2 >map
      # The clock of file systems goes in steps.
      sleep 0.02
      eval "${change//FILE/$file}"
      changed_since "$file"
      cd "$BATS_TEST_TMPDIR"
      rm -r "$BATS_TEST_TMPDIR.copy"
    done
  done
}

@test "what is done to a file before the map is begun, or to one that the map does not name, is no change" {
  xva-pack --scan raw >expected
  touch -d '1960-01-01 00:00:00.5' leaf.qcow2
  chmod a+x base.data
  qcow-headers --output map leaf.qcow2 >map
  jq -e '.[].state.st_mtime_ns // empty | select(startswith("-"))' map
  [ "$(python3 -c "$IN_STATE" map | wc -l)" -eq 2 ]
  touch base.qcow2 raw
  cat leaf.qcow2 >/dev/null
  xva-pack --map map | cmp - expected
}

@test "the name of a map's file is one for the directory in which the map is read, and may be a link" {
  xva-pack --scan raw >expected
  mkdir elsewhere
  (cd elsewhere; fails_with 1 xva-pack --map ../map; [[ $stderr == *"leaf.qcow2: cannot open"* ]])
  cp leaf.qcow2 elsewhere
  (cd elsewhere; fails_with 1 xva-pack --map ../map; [[ $stderr == *"leaf.qcow2: changed since the map was begun: it was replaced by another file"* ]])
  ln -s leaf.qcow2 link.qcow2
  qcow-headers --output map link.qcow2 >map
  xva-pack --map map | cmp - expected
  cp leaf.qcow2 other.qcow2
  ln -sf other.qcow2 link.qcow2
  changed_since link.qcow2 replaced
}

@test "a file in two layers, under one name or two, is one file in one state" {
  ln base.data again.data
  qcow-headers --output map leaf.qcow2 >map
  local base='.filename // "" | endswith("base.data")'
  for name in "$PWD/base.data" again.data; do
    jq --arg name "$name" "(map(select($base)) | first.state) as \$state
      | map(if ($base) and .start > 0 then .filename = \$name | .state = \$state else . end)" map >both
    xva-pack --map both | cmp - <(xva-pack --scan raw)
  done
  # The second time in another state.
  jq "map(if .filename == \"again.data\" then .filename = \"base.data\" | .state.st_ino = \"1\" else . end)" both >map
  changed_since 'base.data: changed since the map was begun'
}

@test "a state that is incomplete or no state is damage" {
  for change in 'del(.st_size)' 'del(.st_dev)' 'del(.st_ino)' 'del(.st_mtime_ns)' 'del(.st_ctime_ns)' '{}' null 1 '"x"' '[]' \
    '.st_size |= tonumber' '.st_ino = null' '.st_ino = ""' '.st_ino = "-1"' '.st_dev = "x"' '.st_mtime_ns = "1.5"' \
    '.st_ctime_ns = "99999999999999999999999999999"' '.device_size = "1"' '{device_size: 4194304}' '{device_size: "-1"}'; do
    jq "map(if .state then .state |= ($change) else . end)" map >wrong
    fails_with 3 xva-pack --map wrong
    [[ $stderr == *"entry 1 is not that of a map"* ]]
  done
}

@test "a map of another program, which says no state, is followed as long as nothing changes" {
  jq 'map(del(.state))' map >foreign
  xva-pack --map foreign | cmp - <(xva-pack --scan raw)
}
