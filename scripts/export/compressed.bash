# Sourced by export-xva: raw disks that are compressed, unpacked on the way into the archive.
#
# A file is taken for one where its name and its magic say so: a guest may begin its raw disk with any magic.

# uncompressed_name NAME: without the ending that says how it is compressed.
uncompressed_name() {
  case $1 in
    ?*.gz | ?*.zst | ?*.zstd | ?*.xz | ?*.bz2) echo "${1%.*}" ;;
    *) echo "$1" ;;
  esac
}

# packer_of IMAGE: gzip, zstd, xz or bzip2, where it was compressed with that; nothing for others.
packer_of() {
  local packer
  case $1 in
    *.gz) packer=gzip ;;
    *.zst | *.zstd) packer=zstd ;;
    *.xz) packer=xz ;;
    *.bz2) packer=bzip2 ;;
    *) return 0 ;;
  esac
  [ "$(matches "$1" | fields format ' ')" != "$packer" ] || echo "$packer"
}

# need_packer PACKER
need_packer() {
  case $1 in xz) need xz xz-utils ;; *) need "$1" "$1" ;; esac
}

# unpack PACKER IMAGE: its bytes, on standard output.
unpack() { "$1" -dc -- "$2"; }

# refuse_packed IMAGE PACKER WHAT: says how it can be exported.
refuse_packed() {
  local inner
  inner=$(uncompressed_name "$1")
  fail "$1: is compressed with $2, $3: $2 -dc $(printf %q "$1") > $(printf %q "$inner") && $called $(printf %q "$inner")" 4
}

# look_into_compressed IMAGE PACKER: sets size, having read it to its end; refuses what is not a raw disk.
look_into_compressed() {
  local edges found status=0
  edges=$scratch/edges
  mkfifo -m 600 "$edges.fifo"
  tail -c 512 <"$edges.fifo" >"$edges.end" &
  size=$(unpack "$2" "$1" 2>"$scratch/said" | tee "$edges.fifo" | wc -c) || status=$?
  wait $!
  [ "$status" -eq 0 ] || fail "$1: is damaged: $(grep -m 1 . "$scratch/said")" 3
  { unpack "$2" "$1" 2>/dev/null || true; } | { head -c 33792; cat >/dev/null; } >"$edges"
  # Of a short one the end stands there already.
  [ "$size" -le 33792 ] || cat "$edges.end" >>"$edges"
  rm -- "$edges.fifo" "$edges.end"
  found=$(looks_like "$edges" "${CONTAINERS[@]}")
  if [ "$format" = raw ]; then
    [ -z "$found" ] || say "$1: exported as raw, as --format says, though what is compressed in it looks like $found"
    return 0
  fi
  [ -z "$found" ] || refuse_packed "$1" "$2" "and holds $found"
  case $(uncompressed_name "$1") in
    *.raw | *.img) ;;
    *) fail "$1: is compressed with $2, and its name does not say what it holds: if that is a raw disk, rename it to $(uncompressed_name "$1").raw.${1##*.}" 4 ;;
  esac
}
