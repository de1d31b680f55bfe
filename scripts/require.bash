# Sourced by the scripts: makes sure that the commands they use are there, and says what it installs.

# Some are where only the PATH of root leads.
PATH=$PATH:/usr/sbin:/sbin

# help_if_asked ARGUMENT...: prints the comment at the head of the script, whose project is the current directory, and ends
# it, if the first argument asks for that.
help_if_asked() {
  case ${1:-} in
    -h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "scripts/$(basename "$0")"; exit 0 ;;
  esac
}

# require COMMAND PACKAGE: installs the Debian package PACKAGE where COMMAND is missing.
require() {
  # type -P, because `time` is also a word of the shell.
  type -P "$1" >/dev/null && return
  install_package "$1" "$2"
  type -P "$1" >/dev/null || { echo "$0: $1 is still missing after installing $2" >&2; exit 1; }
}

# install_package WANTED PACKAGE: through apt, and sudo for those who are not root.
install_package() {
  if ! command -v apt-get >/dev/null; then
    echo "$0: $1 is missing: install it (Debian's package is $2)" >&2
    exit 1
  fi
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  echo "installing $2, for $1" >&2
  if [ -z "${require_updated:-}" ]; then
    "${sudo[@]}" apt-get update -qq >&2
    require_updated=1
  fi
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >&2
}

# compiles: whether there is a C compiler with the headers and start files of a C library.
compiles() {
  printf '#include <stdio.h>\nint main(void) { return 0; }\n' | cc -x c -o /dev/null - 2>/dev/null
}

# require_cargo ROOT: cargo as new as the workspace in ROOT says, and a C compiler for the zstd library.
require_cargo() {
  local needed found
  needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$1/Cargo.toml")
  local advice="install Rust $needed or newer from https://rustup.rs, or set XVA_BIN_DIR to where the programs are built"
  command -v cargo >/dev/null || PATH="${HOME:-}/.cargo/bin:$PATH"
  command -v cargo >/dev/null || { echo "$0: cargo is missing: $advice" >&2; exit 1; }
  found=$(cargo --version | cut -d' ' -f2)
  if [ "$(printf '%s\n' "$needed" "$found" | sort -V | head -n 1)" != "$needed" ]; then
    echo "$0: cargo $found is too old: $advice" >&2
    exit 1
  fi
  compiles || install_package "a C compiler" build-essential
  compiles || { echo "$0: cc cannot compile a small program" >&2; exit 1; }
}

# programs_of ROOT: where cargo puts the programs of the workspace in ROOT that it builds for release.
programs_of() {
  (cd "$1" && readlink -m -- "${CARGO_TARGET_DIR:-target}/release")
}
