# Sourced by the scripts: makes sure that the commands they use are there, and says what it installs.
#
# A script first says all that it needs (`need`, `need_cargo`), then has it installed at once (`install_needed`).

# What a user's environment may set and every line here reads otherwise: what is printed by cd, $'...' inside of "...", and > into
# a file that is there.
unset CDPATH POSIXLY_CORRECT
set +o posix +o noclobber

# Some are where only the PATH of root leads.
PATH=$PATH:/usr/sbin:/sbin

# What is missing: a Debian package each, and whether it is there afterwards.
needed_packages=()
needed_commands=()

# Whether anything may be installed. What was itself installed only names what is missing.
may_install=yes

# help_if_asked ARGUMENT...: prints the comment at the head of the script, whose project is the current directory, and ends
# it, if the first argument asks for that.
help_if_asked() {
  case ${1:-} in
    -h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "scripts/$(basename "$0")"; exit 0 ;;
  esac
}

# give_up SENTENCE: ends the script, which could not do what it should.
give_up() {
  echo "$(basename "$0"): $1" >&2 || true
  exit 1
}

# need COMMAND PACKAGE: the Debian package PACKAGE is to be installed where COMMAND is missing.
need() {
  # type -P, because `time` is also a word of the shell.
  need_if_not "type -P $1" "$2"
}

# need_if_not CHECK PACKAGE: likewise, where the command CHECK fails.
need_if_not() {
  ! $1 >/dev/null 2>&1 || return 0
  needed_packages+=("$2")
  needed_commands+=("$1")
}

# as_root COMMAND...: through sudo for those who are not root; fails where that is not to be had.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif [ -t 0 ]; then
    sudo "$@"
  else
    # Nobody could answer if sudo asked for a password.
    sudo -n "$@"
  fi
}

# install_needed: one installation of all that is missing, through apt.
install_needed() {
  [ ${#needed_packages[@]} -gt 0 ] || return 0
  local packages command
  packages=$(printf '%s\n' "${needed_packages[@]}" | sort -u | tr '\n' ' ')
  packages=${packages% }
  [ "$may_install" = yes ] || give_up "these are missing (names of Debian): $packages"
  type -P apt-get >/dev/null || give_up "these are missing, and there is no apt-get to install them (names of Debian): $packages"
  as_root true 2>/dev/null || give_up "packages are missing that only root may install; as root: apt-get install $packages"
  echo "$(basename "$0"): installing: $packages" >&2
  # Names of packages have no blanks.
  # shellcheck disable=SC2086
  { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends $packages; } >&2 ||
    give_up "could not be installed: apt-get install $packages"
  hash -r
  for command in "${needed_commands[@]}"; do
    $command >/dev/null 2>&1 || give_up "installed $packages, and this still fails: $command"
  done
  needed_packages=() needed_commands=()
}

# compiles: whether there is a C compiler with the headers and start files of a C library.
compiles() {
  printf '#include <stdio.h>\nint main(void) { return 0; }\n' | cc -x c -o /dev/null - 2>/dev/null
}

# at_least VERSION FOUND
at_least() {
  [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# need_cargo ROOT [COMPONENT]...: cargo as new as the workspace in ROOT says, with COMPONENTs of it (fmt, clippy), and a C
# compiler for the zstd library. Where there is none at all, that of Debian, if it is new enough.
need_cargo() {
  local wanted found component advice package
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$1/Cargo.toml")
  advice="install Rust $wanted or newer from https://rustup.rs"
  type -P cargo >/dev/null || PATH="${HOME:-}/.cargo/bin:$PATH"
  if type -P cargo >/dev/null; then
    found=$(cargo --version | cut -d' ' -f2)
    at_least "$wanted" "$found" || give_up "cargo $found is too old: $advice"
    # Debian's has them in packages of their own.
    package=$(dpkg-query -S "$(readlink -f "$(type -P cargo)")" 2>/dev/null || true)
    package=${package%%:*}
    for component in "${@:2}"; do
      if [ -n "${component_packages[$package $component]:-}" ]; then
        need_if_not "cargo $component --version" "${component_packages[$package $component]}"
      else
        cargo "$component" --version >/dev/null 2>&1 ||
          give_up "cargo $component is missing: run: rustup component add rustfmt clippy"
      fi
    done
  else
    # Debian's cargo-web takes the place of cargo and rustc: who has one of those shall decide.
    ! type -P rustc >/dev/null || give_up "rustc is there, but cargo is missing: $advice"
    found=$(candidate cargo-web "$wanted")
    { [ -n "$found" ] && at_least "$wanted" "$found"; } || give_up "cargo is missing: $advice"
    need cargo cargo-web
    # Debian's cargo only recommends them, and cannot fetch anything without.
    need_if_not "test -s /etc/ssl/certs/ca-certificates.crt" ca-certificates
    for component in "${@:2}"; do need_if_not "cargo $component --version" "${component_packages[cargo-web $component]}"; done
  fi
  need_if_not compiles build-essential
}

# candidate PACKAGE VERSION: what apt would install; it is asked for news where it knows of none that is as new as VERSION.
candidate() {
  type -P apt-cache >/dev/null || return 0
  local found
  found=$(known_candidate "$1")
  if ! at_least "$2" "${found:-0}" && as_root apt-get update -qq >/dev/null 2>&1; then
    found=$(known_candidate "$1")
  fi
  echo "$found"
}

known_candidate() { LC_ALL=C apt-cache policy "$1" | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p'; }

# Debian's package of a component, by that of cargo.
declare -A component_packages=(['cargo-web fmt']=rustfmt-web ['cargo-web clippy']=rust-web-clippy
  ['cargo fmt']=rustfmt ['cargo clippy']=rust-clippy)

# programs_of ROOT: where cargo puts the programs of the workspace in ROOT that it builds for release.
programs_of() {
  (cd "$1" && readlink -m -- "${CARGO_TARGET_DIR:-target}/release")
}
