# Sourced by restore-disk: what the archive is, and what is needed to read it.

# reads_zstd: whether the Python of nbdkit can read what is compressed in frames.
reads_zstd() { /usr/bin/python3 -c 'import zstandard'; }

# look_at_archive: whether it is compressed, and says all that must be there.
look_at_archive() {
  compressed=yes
  case $(matches "$archive" | fields format ' ') in
    *gzip*) ;;
    *zstd*) need_if_not reads_zstd python3-zstandard ;;
    *)
      compressed=no
      reader=$(matches "$archive" | { grep '|compressed|' || true; } | fields tool ' ')
      [ -z "$reader" ] || fail "$archive: is $(looks_like "$archive" compressed): decompress it first: $(unpacked "$reader" "$archive")" 4
      ;;
  esac
  need qemu-img qemu-utils
  need nbdkit nbdkit
  need_if_not "nbdkit python --version" nbdkit-plugin-python
  need python3 python3
}
