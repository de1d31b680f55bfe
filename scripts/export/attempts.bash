# Sourced by export-xva: a folder of its own to work in, what is left of it at the end, and what is tried again.

# make_workspace: the folder beside the archive whose name is in work, and the one for small files, scratch. Both are gone when the
# script ends, however it ends.
make_workspace() {
  job='' scratch=''
  # Nobody else is to look at what is half done; the archive gets the mode of any new file at the end.
  mask=$(umask)
  umask 077
  # A name of its own, so that two exports to one name do not write into each other.
  work=$(mktemp -d -- "$output.part.XXXXXX") || fail "$output: cannot be written" 1
  work=$(readlink -f -- "$work")
  clean_up_on_signals
  make_scratch
}

clean_up() {
  local folder
  [ -z "$job" ] || kill -TERM -- "-$job" 2>/dev/null || true
  [ -z "$scratch" ] || for folder in "$scratch"/disk*; do [ ! -e "$folder" ] || detach_foreign "$folder"; done
  rm -rf -- "$work" ${scratch:+"$scratch"} || true
}

# show_said: what a command said, but for the names of files that only stand for an image here.
show_said() {
  local i text
  [ -s "$scratch/said" ] || return 0
  text=$(cat "$scratch/said")
  for i in "${!disk_images[@]}"; do text=${text//"$scratch/disk$i/raw"/"${disk_images[i]}"}; done
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
      "$@" 2>"$scratch/said" || status=$?
      show_said
      if [ "$status" -ne 1 ] || ! grep -qE 'changed|try again' "$scratch/said"; then break; fi
    fi
  done
  return "$status"
}
