# Loaded by every .bats file: the programs under test first in PATH, and a directory of its own for every test.

bats_require_minimum_version 1.5.0

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# losetup and mke2fs are where only the PATH of root leads.
PATH="${XVA_BIN_DIR:-$ROOT/target/release}:$PATH:/usr/sbin:/sbin"
export LC_ALL=C.UTF-8
# script runs its command in $SHELL, and a bar is drawn on a terminal that has a name: neither is set everywhere.
SHELL=$(command -v bash)
export SHELL TERM=xterm
# For the modules in this directory, beside which nothing is to be left.
export PYTHONPATH=$ROOT/tests PYTHONDONTWRITEBYTECODE=1

# No stage of a pipeline fails unseen.
set -o pipefail

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
}

# fails_with STATUS COMMAND...: the command ends with STATUS and exactly one line on stderr (in $stderr).
fails_with() {
  local expected=$1
  shift
  run --separate-stderr "$@"
  [ "$status" -eq "$expected" ] || { echo "status $status, expected $expected: $stderr"; return 1; }
  [ "${#stderr_lines[@]}" -eq 1 ] || { echo "not one line on stderr: $stderr"; return 1; }
}

# await COMMAND...: until the command succeeds, for ten seconds at most.
await() {
  local deadline=$((SECONDS + 10))
  until "$@"; do
    [ $SECONDS -lt $deadline ] || { echo "waited in vain for: $*"; return 1; }
    sleep 0.02
  done
}

# in_memory KIB COMMAND...: the command succeeds with so much resident memory.
in_memory() {
  env time -f %M -o peak "${@:2}" || return
  [ "$(tail -n 1 peak)" -le "$1" ] || { echo "found $(tail -n 1 peak) KiB, expected at most $1"; return 1; }
}

# has_no_end ARCHIVE: it does not end as a whole one does, with the two zero records of a tar.
has_no_end() {
  ! cmp -s <(tail -c 1024 "$1") <(head -c 1024 /dev/zero)
}

# held_to_modes COMMAND...: the command, for which root too can read only what the mode of a file allows.
held_to_modes() {
  if [ "$EUID" -eq 0 ]; then
    setpriv --bounding-set -dac_override,-dac_read_search -- "$@"
  else
    "$@"
  fi
}
