#!/usr/bin/env bats
# extents-merge as a program: dialects that real tools print, frame of a filter, output forms.

load common

DOCUMENT='{"virtual_size":11534336,"cluster_bits":16,"data_clusters":[[0,3],[175,175]]}'

@test "without a file it reads standard input, and - is standard input" {
  [ "$(extents-merge <<<"$DOCUMENT")" = '{"virtual_size":11534336,"cluster_bits":20,"data_clusters":[[0,0],[10,10]]}' ]
  [ "$(extents-merge - <<<"$DOCUMENT")" = "$(extents-merge <<<"$DOCUMENT")" ]
  echo "$DOCUMENT" >d.json
  [ "$(extents-merge d.json - <<<'{"virtual_size":11534336,"cluster_bits":20,"data_clusters":[5]}')" = \
    '{"virtual_size":11534336,"cluster_bits":20,"data_clusters":[[0,0],[5,5],[10,10]]}' ]
}

@test "a list holds every cluster, a map covers the disk to its last byte" {
  [ "$(extents-merge --output list --cluster-bits 16 <<<"$DOCUMENT")" = \
    '{"virtual_size":11534336,"cluster_bits":16,"data_clusters":[0,1,2,3,175]}' ]
  extents-merge --output map --cluster-bits 18 <<<"$DOCUMENT" >map.json
  jq -e '[.[] | [.start, .length, .data, .zero]] ==
    [[0, 262144, true, false], [262144, 11010048, false, true], [11272192, 262144, true, false]]' map.json
  extents-merge --output map --cluster-bits 21 <<<"$DOCUMENT" | jq -e 'last | .start + .length == 11534336'
  extents-merge --output map --cluster-bits 21 --whole-clusters <<<"$DOCUMENT" | jq -e 'last | .start + .length == 12582912'
  fails_with 2 extents-merge --whole-clusters <<<"$DOCUMENT"
}

# agree FORMAT IMAGE: qemu-img map, nbdinfo and the header tool say the same.
agree() {
  local headers=qcow-headers
  [ "$1" = qcow2 ] || headers=vhd-headers
  qemu-img map -f "$1" --output=json "$2" | extents-merge >by-qemu
  nbdinfo --map --json -- [ qemu-nbd -r -f "$1" "$2" ] | extents-merge >by-nbd
  "$headers" "$2" | extents-merge >by-tables
  cmp by-qemu by-tables
  cmp by-nbd by-tables
}

@test "qemu-img map and nbdinfo say the same as the tables" {
  qemu-img create -q -f qcow2 d.qcow2 40M
  qemu-io -c 'write -P 1 3M 64k' -c 'write -P 2 17M 3M' -c 'write -z 18M 1M' -c 'write -P 3 41877504 64k' d.qcow2 >/dev/null
  agree qcow2 d.qcow2
  [ "$(cat by-tables)" = '{"virtual_size":41943040,"cluster_bits":20,"data_clusters":[[3,3],[17,17],[19,19],[39,39]]}' ]
  qemu-img create -q -f qcow2 -F qcow2 -b d.qcow2 -o cluster_size=128k,extended_l2=on over.qcow2 50M
  qemu-io -c 'write -P 4 30M 4k' -c 'write -z 3M 64k' -c 'write -P 5 49M 1M' over.qcow2 >/dev/null
  agree qcow2 over.qcow2
  qemu-img convert -c -O qcow2 -o compat=0.10 over.qcow2 compressed.qcow2
  agree qcow2 compressed.qcow2
  qemu-img convert -O qcow2 -o cluster_size=2M over.qcow2 large.qcow2
  agree qcow2 large.qcow2
  qemu-img convert -O vpc -o subformat=dynamic,force_size=on over.qcow2 d.vhd
  agree vpc d.vhd
}

@test "a document that is cut off, empty or foreign is no answer: status 3, and no document" {
  for document in '' "${DOCUMENT%?}" "${DOCUMENT%,*}" "$DOCUMENT x" 'VHD' '[{"start":0,"length":1'; do
    fails_with 3 extents-merge <<<"$document"
    [ "$output" = '{"exit_status":3' ]
  done
  fails_with 1 extents-merge missing.json
  [ "$stderr" = "extents-merge: missing.json: cannot open: No such file or directory (os error 2)" ]
  fails_with 1 extents-merge .
  [ "$stderr" = "extents-merge: .: is a directory: expected a file with an extents document" ]
}

@test "the status of a pipeline is that of the stage that failed first" {
  # All that the README lists, but for that of success; the reader of a pipe has three digits.
  statuses=$(sed -n '/^## Exit statuses/,/^## /s/^| \([1-9]\) |.*/\1/p' "$ROOT/README.md")
  [ -n "$statuses" ]
  for status in {1..9}; do
    if [[ $statuses != *"$status"* ]]; then
      # Nor does a filter end with another.
      fails_with 3 extents-merge <<<"{\"exit_status\":$status"
      continue
    fi
    for begun in '' '{"virtual_size":1048576,"cluster_bits":16,"data_clusters":[[0,3]' '[{ "start": 0, "length": 5}'; do
      run -"$status" --separate-stderr bash -c 'set -o pipefail
        { printf %s "$0"; printf %s "{\"exit_status\":$1"; } | extents-merge | extents-merge' "$begun" "$status"
      [ "$output" = "{\"exit_status\":$status" ]
      [ "${stderr_lines[1]}" = "extents-merge: standard input: the filter before this one failed with status $status" ]
    done
  done
}

@test "disks of two sizes are refused with both named" {
  fails_with 3 extents-merge <(echo "$DOCUMENT") <(echo "${DOCUMENT/11534336/11534848}")
  [[ $stderr == *11534848*11534336* ]]
}

@test "wrong usage is status 2 and one line, help and version are answers" {
  fails_with 2 extents-merge --bogus
  fails_with 2 extents-merge --cluster-bits 63
  fails_with 2 extents-merge --output yaml
  run -0 extents-merge --help
  [[ $output == *Examples:* ]]
  run -0 extents-merge --version
  [[ $output == "extents-merge "* ]]
}

@test "a closed pipe ends it quietly by SIGPIPE" {
  echo '{"virtual_size":1099511627776,"cluster_bits":9,"data_clusters":[[0,2147483647]]}' >full.json
  run --separate-stderr bash -c 'extents-merge --cluster-bits 9 --output list full.json | head -c 100; echo "${PIPESTATUS[0]}"'
  [[ $output == *141 ]]
  [ -z "$stderr" ]
}

@test "a closed standard output is an error, a full one too, /dev/null is not" {
  run --separate-stderr bash -c 'extents-merge <<<"$0" >&-' "$DOCUMENT"
  [ "$status" -eq 1 ]
  [ "$stderr" = "extents-merge: standard output is closed" ]
  run --separate-stderr bash -c 'extents-merge <<<"$0" >/dev/full' "$DOCUMENT"
  [ "$status" -eq 1 ]
  [ "${#stderr_lines[@]}" -eq 1 ]
  extents-merge <<<"$DOCUMENT" >/dev/null
  extents-merge <<<"$DOCUMENT" 1<>/dev/null
}

@test "waiting for a document on a terminal is refused" {
  run script -qec 'extents-merge' /dev/null
  [ "$status" -eq 2 ]
  [[ $output == *"is a terminal"* ]]
}

@test "hostile documents take no memory: endless strings, keys and brackets" {
  for text in '"{\"x\":" + "[" * n' '"{\"" + "a" * n + "\":1}"' '"{\"virtual_size\":\"" + "a" * n + "\"}"' '"[{\"" + "a" * n'; do
    run --separate-stderr bash -c 'python3 -c "n = 80 << 20; print($0)" 2>/dev/null | (ulimit -v 65536; exec extents-merge)' "$text"
    [ "$status" -eq 3 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [ "${#stderr}" -le 300 ]
    # Not for want of input: where Python had no memory, the document was empty.
    [[ "$stderr" == *"more than 64 brackets"* || "$stderr" == *"more than 65536 bytes"* ]]
  done
}

# early END STEP: a document whose clusters, every STEP-th below END, come before their unit.
early() {
  python3 -c 'import sys; print("{\"data_clusters\":[" + ",".join(map(str, range(0, *map(int, sys.argv[1:])))) +
    "],\"virtual_size\":274877906944,\"cluster_bits\":16}")' "$@"
}

@test "clusters that come before their unit are joined, and kept up to a million runs" {
  early $((3 << 20)) 1 > list.json
  run -0 extents-merge --cluster-bits 16 list.json
  [[ "$output" == *'"data_clusters":[[0,3145727]]}' ]]
  early $((2 << 20)) 2 > most.json
  [[ "$(extents-merge --cluster-bits 16 most.json | tail -c 21)" == ',[2097150,2097150]]}' ]]
  early $(((2 << 20) + 2)) 2 > more.json
  fails_with 4 extents-merge more.json
  [[ "$stderr" == *"more than 1048576 runs before virtual_size and cluster_bits: expected these first"* ]]
}

@test "a closed input and a slow, non-blocking one" {
  run --separate-stderr -1 bash -c 'extents-merge <&-'
  [ "$stderr" = "extents-merge: standard input is closed" ]
  python3 - "$DOCUMENT" <<'EOF' >answer
import os, subprocess, sys, time
read, write = os.pipe()
os.set_blocking(read, False)
child = subprocess.Popen(["extents-merge"], stdin=read)
for part in sys.argv[1][:20], sys.argv[1][20:]:
    time.sleep(0.2)
    os.write(write, part.encode())
os.close(write)
sys.exit(child.wait())
EOF
  [ "$(cat answer)" = "$(extents-merge <<<"$DOCUMENT")" ]
}

@test "an error keeps its status when nobody reads the output" {
  run --separate-stderr bash -c 'extents-merge missing.json | true; echo "${PIPESTATUS[0]}"'
  [ "$output" = 1 ]
  run --separate-stderr bash -c '(sleep 0.2; exec extents-merge missing.json) | true; echo "${PIPESTATUS[0]}"'
  [ "$output" = 1 ]
}

@test "a stream of sixteen million map entries takes less than 16 MiB" {
  python3 - <<'EOF' >many.json
import sys
out = sys.stdout
out.write("[")
for i in range(0, 1 << 24, 1 << 12):
    out.write(",\n"[:2 if i else 0] + ",".join(
        f'{{"start":{j << 16},"length":65536,"zero":{"true" if j & 1 else "false"}}}' for j in range(i, i + (1 << 12))))
out.write("]\n")
EOF
  run -0 in_memory 16384 extents-merge many.json
  [ "$output" = '{"virtual_size":1099511627776,"cluster_bits":20,"data_clusters":[[0,1048575]]}' ]
}

# scattered RUNS DISTANCE ORDER: single blocks, each DISTANCE after the one before; ORDER -1 is from the last to the first.
scattered() {
  python3 -c 'import sys; n, distance, order = map(int, sys.argv[1:]); print("{\"virtual_size\":%d,\"cluster_bits\":20,\"data_clusters\":%s}" %
    (n * distance << 20, [i * distance for i in range(n)][::order]))' "$@"
}

@test "what is scattered over the largest XVA is held, and what is scattered over more than can be held is refused early" {
  scattered 100000 1000 -1 > largest.json
  run -0 in_memory 24576 extents-merge --output list largest.json
  [[ "$output" == *',99999000]}' ]]
  for order in 1 -1; do
    scattered 500000 20000 "$order" > scattered.json
    run -4 --separate-stderr bash -c 'ulimit -v 65536; exec extents-merge scattered.json'
    [ "$stderr" = "extents-merge: scattered.json: too many scattered clusters to hold: expected larger ones" ]
    [ -z "${output%%'{"exit_status"'*}" ]
    extents-merge --cluster-bits 30 scattered.json > /dev/null
  done
}

@test "a system that gives no memory is said in a sentence" {
  scattered 100000 1000 1 > document.json
  run -1 --separate-stderr bash -c 'ulimit -v 8192; exec extents-merge document.json'
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ "$stderr" == "extents-merge: document.json: no memory for "* ]]
}

@test "the summary is a picture on stderr, the document stays on stdout" {
  run --separate-stderr -0 extents-merge --summary <<<"$DOCUMENT"
  [ "$output" = "$(extents-merge <<<"$DOCUMENT")" ]
  [ "${stderr_lines[0]}" = "11 MiB disk (11534336 bytes), 2 MiB allocated (18 %), 2 runs, 2 blocks of 1 MiB" ]
  [ "${stderr_lines[1]}" = "       0 B │█·········█│" ]
}
