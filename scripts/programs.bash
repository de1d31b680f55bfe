# Sourced by the scripts for users: where the filters are. Those of one directory are taken, all of them, so that no two versions mix.
# Where the script lies (here), and where what belongs to it (share), that script says.
# shellcheck disable=SC2153,SC2154

# sources_version: that of the sources beside which a script lies.
sources_version() { sed -n 's/^version = "\(.*\)"/\1/p' "${here%/*}/Cargo.toml" | head -n 1; }

# version NAME: what the script of that name says of its version: that of the sources, or of the programs beside it.
version() {
  if [ "$share" = "$here" ]; then
    echo "$1 $(sources_version)"
  else
    "$here/xva-pack" --version | sed "s/^xva-pack/$1/"
  fi
}

# missing_of DIRECTORY: the first of the programs that is not there; nothing if all are.
missing_of() {
  local program
  for program in "${PROGRAMS[@]}"; do
    [ -x "$1/$program" ] || { echo "$program"; return; }
  done
}

# of_this_version DIRECTORY: whether the programs there are those of these sources.
of_this_version() {
  [ -z "$(missing_of "$1")" ] || return 1
  [[ $("$1/xva-pack" --version 2>/dev/null) =~ ^"xva-pack $(sources_version)"( |$) ]]
}

# find_programs: puts the filters first in PATH, and has everything installed that is missing.
find_programs() {
  local found=$here on_path
  on_path=$(type -P xva-pack || true)
  on_path=${on_path%/*}
  if [ -n "${XVA_BIN_DIR:-}" ]; then
    found=$XVA_BIN_DIR
    [ -z "$(missing_of "$found")" ] || fail "$found/$(missing_of "$found"): no such program: XVA_BIN_DIR is wrong" 1
  elif [ -n "$(missing_of "$here")" ]; then
    if [ "$share" != "$here" ]; then
      [ -n "$on_path" ] || on_path=$here
      [ -z "$(missing_of "$on_path")" ] || fail "$here/$(missing_of "$here"): no such program, and not all are on PATH" 1
      found=$on_path
    elif [ -n "$on_path" ] && of_this_version "$on_path"; then
      found=$on_path
    else
      build
      return
    fi
  fi
  install_needed
  # What is called from here on may stand in another directory.
  PATH="$(cd "$found" && pwd):$PATH"
}

# build: the programs of these sources, with cargo.
build() {
  local root=${here%/*} programs log status=0
  need_cargo "$root"
  install_needed
  programs=$(programs_of "$root")
  if [ -n "$(missing_of "$programs")" ]; then
    say "building the programs; the first time this takes some minutes"
    if [ -t 2 ]; then
      # cargo has a bar of its own.
      (cd "$root" && cargo build --locked --release --workspace) || status=$?
      [ "$status" -eq 0 ] || fail "the programs could not be built, see above; to try again: cd $root && cargo build --locked --release" 1
      PATH="$programs:$PATH"
      return
    fi
  fi
  log=$(cd "$root" && cargo build --locked --release --quiet --workspace 2>&1) || status=$?
  if [ "$status" -ne 0 ]; then
    log=$(grep -m 1 -E '^error' <<<"$log" || head -n 1 <<<"$log")
    fail "the programs could not be built: ${log:-cargo ended with status $status}; all of it: cd $root && cargo build --locked --release" 1
  fi
  PATH="$programs:$PATH"
}
