# Sourced by restore-disk: a folder of its own to work in, and what is left of it at the end.

clean_up() {
  [ -z "$job" ] || kill -TERM -- "-$job" 2>/dev/null || true
  rm -rf -- ${work:+"$work"} ${scratch:+"$scratch"} || true
}

# make_workspace: the folder beside the image whose name is in work, and one for small files, scratch. Both are gone when the script ends.
make_workspace() {
  job='' work='' scratch=''
  clean_up_on_signals
  # Nobody else is to look at what is half done; the image gets the mode of any new file at the end.
  mask=$(umask)
  umask 077
  # A folder of its own, so that two of these do not write into each other; its name is short, since that of the image may be as
  # long as names can be. The image has its last name in there: a VMDK says it.
  work=$(mktemp -d -- "${output%/*}/restore-disk.part.XXXXXX") || fail "$output: cannot be written" 1
  mkdir -- "$work/image"
  image=$work/image/$(basename -- "$output")
  make_scratch
}
