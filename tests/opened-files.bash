# Loaded by tests that look, with strace, at which files the header tools open.

# shellcheck source=scripts/image-format.bash
. "$ROOT/scripts/image-format.bash"

# traced COMMAND...: the command, with what it and its children open written to the file trace. Where the kernel does not
# let processes be traced, only the command.
traced() {
  type -P strace >/dev/null || { echo "strace is missing (Debian's package is strace)"; return 1; }
  untraced=
  if ! strace -f -o trace true 2>reason; then
    untraced=$(head -n 1 reason)
    "$@"
    return
  fi
  strace -f --seccomp-bpf -qq -e signal=none -e trace=execve,open,openat,openat2,creat -o trace "$@"
}

# opens_only PREFIX...: what was opened has a name that begins with one of these, or is relative and has no .. in it.
opens_only() {
  [ -z "$untraced" ] || skip "no process can be traced: $untraced"
  local name prefix
  # shellcheck disable=SC2046
  python3 "$ROOT/tests/opened_files.py" trace $(formats tool ' ') >opened
  # Not a test that looks at nothing.
  [ -s opened ]
  while read -r name; do
    [[ /$name/ != */../* ]] || { echo "opened: $name"; return 1; }
    [[ $name == /* ]] || continue
    for prefix; do
      [[ $name != "$prefix"* ]] || continue 2
    done
    echo "opened: $name"
    return 1
  done <opened
}
