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
