#!/usr/bin/env bats
# scripts/rooms, over small trees: the arrows that CONTRIBUTING.md allows, and each way of breaking them.

load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir -p house/src/{low,high/deep} house/src/bin
  printf '[lib]\nname = "home"\n\n[dependencies]\n' >house/Cargo.toml
  printf '```rooms\nhouse/src: failure <- low <- high beside <- bin\n```\n' >CONTRIBUTING.md
  file lib.rs 'pub mod failure;'
  file failure.rs 'pub struct Failure;'
  file low/mod.rs 'pub mod one; pub struct Low;'
  file low/one.rs 'use crate::failure::Failure;' 'use crate::low::Low;'
  file high/mod.rs 'pub mod deep;'
  file high/deep/mod.rs 'use crate::low::{Low, one::First};' 'use std::fmt::Write;'
  file beside.rs 'fn f() -> crate::low::one::First {}'
  file bin/program.rs 'use home::high::deep::High;'
}

# file NAME LINE...: a file of the made-up sources.
file() { printf '%s\n' "${@:2}" >"house/src/$1"; }

# found FAULT: that is the only one.
found() {
  run -1 "$ROOT/scripts/rooms" .
  [ "$output" = "rooms: house/src$1" ] || { echo "$output"; return 1; }
}

@test "where every arrow runs one way nothing is said" {
  run -0 "$ROOT/scripts/rooms" .
  [ -z "$output" ]
}

@test "help is an answer, and not a fault" {
  for option in -h --help; do
    run -0 --separate-stderr "$ROOT/scripts/rooms" $option
    [[ $output == *"usage: scripts/rooms [ROOT]"* ]]
    [ -z "$stderr" ]
  done
}

@test "a room that knows one on its right is a fault, however it names it" {
  for line in 'use crate::high::deep::High;' 'fn f(high: crate::high::deep::High) {}' 'use crate::high::{deep, Other};' \
    'use crate::{failure, high::deep};' $'use crate::{\n    failure,\n    high::deep::High,\n};'; do
    file low/one.rs "$line"
    "$ROOT/scripts/rooms" . >said || true
    grep -qx "rooms: house/src/low/one.rs: knows high/deep/mod.rs, expected only rooms left of low" said
  done
}

@test "a room that knows the one beside it is a fault" {
  file beside.rs 'use crate::high::deep::High;'
  found "/beside.rs: knows high/deep/mod.rs, expected only rooms left of beside"
  file beside.rs
  file high/mod.rs 'use crate::beside::Thing;'
  found "/high/mod.rs: knows beside.rs, expected only rooms left of high"
}

@test "comments and unit tests may name what they like, and what follows them may not" {
  file low/one.rs '//! See [`crate::high::deep`].' '#[cfg(test)]' 'use crate::high::High;' '#[cfg(test)]' 'mod tests {' \
    '    use super::*;' '    use crate::high::High;' '}'
  run -0 "$ROOT/scripts/rooms" .
  echo 'use crate::high::High;' >>house/src/low/one.rs
  found "/low/one.rs: knows high/mod.rs, expected only rooms left of low"
}

@test "a circle of files is a fault, in a room and in a tree without rooms" {
  file low/two.rs 'use crate::low::one::First;'
  file low/one.rs 'use crate::low::two::Second;'
  run -1 "$ROOT/scripts/rooms" .
  [[ $output == "rooms: house/src: a circle of files: low/"*".rs low/"*.rs ]]
  printf '```rooms\nhouse/src:\n```\n' >CONTRIBUTING.md
  run -1 "$ROOT/scripts/rooms" .
  [[ $output == "rooms: house/src: a circle of files: low/"*".rs low/"*.rs ]]
}

@test "a room that is not listed, a path that is not full and braces in braces are faults" {
  file new.rs
  found "/new.rs: stands in no room"
  rm house/src/new.rs
  file low/one.rs 'use super::Low;'
  found "/low/one.rs: found super::, expected a path that begins with crate::"
  file low/one.rs
  file low/mod.rs 'pub use one::First;'
  found "/low/mod.rs: found one::, expected a path that begins with crate::"
  file low/mod.rs
  file beside.rs 'use crate::low::{one::{First, Second}, Low};'
  found "/beside.rs: found braces in braces after use, expected a line for each"
}
