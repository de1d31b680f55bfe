# Sourced by the scripts for users: how a file is written that has its name only once it is whole. Where the script has the name
# in output, the process group that works in job, and the umask that it began with in mask.
# shellcheck disable=SC2154

# follow_link: what a link leads to is replaced, and not the link.
follow_link() {
  [ -L "$output" ] || return 0
  [ -e "$output" ] || fail "$output: is a link that leads nowhere" 1
  # A name may end with newlines, which $(...) leaves out.
  output=$(readlink -f -- "$output" && echo .)
  output=${output%$'\n'.}
}

# can_take_its_place: ends the script where $output, or what is there of that name, cannot be replaced.
can_take_its_place() {
  [ ! -f "$output" ] || [ -r "$output" ] || fail "$output: cannot be read: expected one of which owner and mode can be kept" 1
  local folder=.
  case $output in */*) folder=${output%/*}/ ;; esac
  [ -d "$folder" ] || fail "$folder: no such directory" 1
  [ -w "$folder" ] || fail "$folder: cannot be written to" 1
}

# make_scratch: a folder for what the programs say and other small files, in scratch: not beside $output, where everything would fail
# without a word once that disk is full, and where there may be no sockets, links and mounts; unless there is no room elsewhere.
make_scratch() {
  local parent
  scratch=''
  for parent in "${TMPDIR:-/tmp}" /tmp /dev/shm "$work"; do
    # What the path of a socket may have is some 100 bytes.
    [ ${#parent} -le 70 ] || [ "$parent" = "$work" ] || continue
    scratch=$(mktemp -d -- "$parent/xva-tools.XXXXXX" 2>/dev/null) || continue
    if head -c 65536 /dev/zero 2>/dev/null >"$scratch/said"; then
      : >"$scratch/said"
      scratch=$(readlink -f -- "$scratch")
      return
    fi
    rm -rf -- "$scratch"
  done
  scratch=''
  fail "no room for temporary files, neither in ${TMPDIR:-/tmp} nor in /dev/shm nor beside $output" 1
}

# clean_up_on_signals: calls `clean_up` at the end, however the script ends.
clean_up_on_signals() {
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 131' QUIT
  trap 'exit 143' TERM
  # What runs in a process group of its own (`run`) draws bars all the same where a terminal stops those (stty tostop).
  trap '' TTOU
}

# run COMMAND...: the command in a process group of its own, so that a signal to this script ends all of it at once.
run() {
  local status=0
  set -m
  "$@" &
  job=$!
  set +m
  wait "$job" || status=$?
  job=
  return "$status"
}

# keep_attributes FILE: gives FILE, which is to be $output, the mode of any new file, which may be none at all, or owner and mode
# of the one that is replaced. That it cannot have them is no reason to lose it.
keep_attributes() {
  if [ -f "$output" ]; then
    cp --attributes-only --preserve=mode,ownership -- "$output" "$1"
  else
    chmod -- "$(printf %o $((0666 & ~mask)))" "$1"
  fi || warn "$output: does not get the owner and mode that it should have"
}
