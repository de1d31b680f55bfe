# Sourced by export-xva: a folder of its own to work in, what is left of it at the end, and what is tried again.

# make_workspace: the folder, beside the archive, whose name is in work. It is gone when the script ends, however it ends.
make_workspace() {
  job=''
  # A name of its own, so that two exports to one name do not write into each other.
  work=$(umask 077 && mktemp -d -- "$output.part.XXXXXX")
  work=$(readlink -f -- "$work")
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 131' QUIT
  trap 'exit 143' TERM
}

clean_up() {
  local folder
  [ -z "$job" ] || kill -TERM -- "-$job" 2>/dev/null || true
  for folder in "$work"/disk*; do [ ! -e "$folder" ] || detach_foreign "$folder"; done
  rm -rf -- "$work" || true
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

# show_said: what a command said, but for the names of files that only stand for an image here.
show_said() {
  local i text
  [ -s "$work/said" ] || return 0
  text=$(cat "$work/said")
  for i in "${!disk_images[@]}"; do text=${text//"$work/disk$i/raw"/"${disk_images[i]}"}; done
  printf '%s\n' "$text" >&2 2>/dev/null || true
}

# again COMMAND...: the command, up to three times while an image changes under it: then the status of a filter is 1, and it
# says so. What it says is shown once it has ended; but where it draws a bar it is on the terminal at once, and not read here.
again() {
  local attempt status
  for attempt in first second third; do
    if [ $attempt != first ]; then
      sleep 1
      say "$attempt attempt, as an image changed while it was read"
    fi
    status=0
    if [ "$1" = run ] && [ ${#progress[@]} -gt 0 ]; then
      "$@" || status=$?
      [ "$status" -eq 1 ] || break
    else
      (umask 077 && : >"$work/said")
      "$@" 2>"$work/said" || status=$?
      show_said
      if [ "$status" -ne 1 ] || ! grep -qE 'changed|try again' "$work/said"; then break; fi
    fi
  done
  return "$status"
}
