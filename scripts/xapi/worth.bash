# Sourced by the wrappers: whether xapi's export is better off with an answer than with none. What is listed xapi writes
# without a look at it, zeros too; without an answer it reads the whole disk and leaves the zeros out.

# is_worth DOCUMENT: whether the extents in DOCUMENT, in blocks of 1 MiB (cluster_bits 20), are less than the whole disk.
#
# Of a disk of 1 MiB or less, they never are: with vhd-legacy-blocks-format = false xapi writes the only block of such a disk
# twice, and the archive cannot be imported.
is_worth() {
  local size last run
  # What has more than one run is much longer than this.
  [[ ${1:0:200} =~ ^\{\"virtual_size\":([0-9]+),\"cluster_bits\":20,\"data_clusters\":(.*) ]] || return 1
  size=${BASH_REMATCH[1]} run=${BASH_REMATCH[2]}
  [ "$size" -gt 1048576 ] || return 1
  last=$(((size - 1) / 1048576))
  [[ $run =~ ^\[\[([0-9]+),([0-9]+)\]\]\}$ ]] || return 0
  # The first and the last block are written always.
  [ "${BASH_REMATCH[1]}" -gt 1 ] || [ "${BASH_REMATCH[2]}" -lt $((last - 1)) ]
}

# bytes_of FILE OFFSET COUNT: so many bytes in hexadecimal.
bytes_of() { od -An -v -tx1 -j"$2" -N"$3" -- "$1" | tr -d ' \n'; }

# are_narrow NOTES: whether every raw disk and fixed VHD in a chain has holes, by what its header tool notes with -v.
#
# A device, or a file without holes, is listed from its beginning to its end, used or not.
are_narrow() {
  local layers name blocks unit size
  layers=$(sed -nE 's/^[a-z]+-headers: (.*): (a fixed disk of|taken as a raw image of|raw backing file,) [0-9]+ bytes$/\1/p' <<<"$1")
  [ -n "$layers" ] || return 0
  while IFS= read -r name; do
    # A name with control characters is changed in messages: there is no such file.
    [ -f "$name" ] || return 1
    read -r blocks unit size <<<"$(stat -Lc '%b %B %s' -- "$name")"
    [ $((blocks * unit)) -lt "$size" ] || return 1
  done <<<"$layers"
}
