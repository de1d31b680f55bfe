# Sourced by restore-disk: what the archive is, and what is needed to read it.

# reads_zstd: whether the Python of nbdkit can read what is compressed in frames.
reads_zstd() { /usr/bin/python3 -c 'import zstandard'; }

# is_unpacked: whether the image is what xva-unpack writes, which compares every checksum.
is_unpacked() { [ "$format" = raw ] && [ "$verify" = yes ]; }

# look_at_archive: whether it is compressed, and says all that must be there.
look_at_archive() {
  need python3 python3
  is_unpacked || {
    need qemu-img qemu-utils
    need nbdkit nbdkit
    need_if_not "nbdkit python --version" nbdkit-plugin-python
  }
  compressed=yes
  case $(matches "$archive" | fields format ' ') in
    *gzip*) ;;
    *zstd*) is_unpacked || need_if_not reads_zstd python3-zstandard ;;
    *)
      compressed=no
      reader=$(matches "$archive" | { grep '|compressed|' || true; } | fields tool ' ')
      [ -z "$reader" ] || fail "$archive: is $(looks_like "$archive" compressed): decompress it first: $(unpacked "$reader" "$archive")" 4
      ;;
  esac
}
