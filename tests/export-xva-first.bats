#!/usr/bin/env bats
# What export-xva says first: what is wrong with arguments and files before anything is installed or built, what is missing
# in one sentence, and where its programs are.

load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  PROGRAMS_HERE=${XVA_BIN_DIR:-$ROOT/target/release}
  unset XVA_BIN_DIR
  # A copy of the scripts in sources that nobody has built.
  mkdir -p src/extents-merge/src/image tools fake
  cp -r "$ROOT/scripts" "$ROOT/Cargo.toml" src/
  cp "$ROOT/extents-merge/src/image/formats.table" src/extents-merge/src/image/
  ln -s /usr/bin/* tools/ 2>/dev/null
  rm -f tools/{cargo,rustc,apt-get,apt-cache,sudo,xva-*,qcow-headers,vhd-headers,extents-merge,ova-xml}
  qemu-img create -q -f qcow2 a.qcow2 3M
}

teardown() { [ -z "${open:-}" ] || rm -rf -- "$open"; }

# faked NAME...: commands that only write down that they were called, and fail.
faked() {
  local name
  for name in "$@"; do
    printf '#!/bin/sh\necho "%s $*" >>"%s/called"\nexit 1\n' "$name" "$PWD" >"fake/$name"
    chmod +x "fake/$name"
  done
}

# stranger COMMAND...: with none of the surroundings of these tests.
stranger() { env -i PATH="$PWD/fake:$PWD/tools" HOME=/nowhere "$@"; }

export_xva() { stranger src/scripts/export-xva "$@"; }

@test "arguments and files are looked at before anything is installed or built" {
  faked cargo apt-get apt-cache sudo
  truncate -s 0 empty.qcow2
  seq 1 100000 >text.qcow2
  while read -r expected arguments; do
    echo "$arguments"
    # shellcheck disable=SC2086
    fails_with "$expected" export_xva $arguments
  done <<'LIST'
1 missing.qcow2
2 --bogus a.qcow2
2 --format bogus a.qcow2
2 -o vm.tar a.qcow2
2 -o a.xva -o b.xva a.qcow2
2 --name a --name=b a.qcow2
2 --cd --cd a.qcow2
2 -q -q a.qcow2
2 -q -v a.qcow2
2 --firmware cmos a.qcow2
2 --checksum md5 a.qcow2
2 --memory
2 --device a.qcow2 --disk a.qcow2 a.qcow2
2 --device a.qcow2 a.qcow2 a.qcow2
2 --device a.qcow2 --format raw a.qcow2
2 --skip-holes --format vmdk a.qcow2
2 --backing-format raw --format vhd a.qcow2
2 --backing-format vhd a.qcow2
1 --device missing a.qcow2
1 -o missing/a.xva a.qcow2
2 -o a.qcow2 a.qcow2
3 empty.qcow2
4 text.qcow2
4 https://localhost/a.qcow2
LIST
  [ ! -e called ] || { cat called; return 1; }
}

@test "without cargo that is said before anything is installed" {
  faked apt-get sudo
  fails_with 1 export_xva -o a.xva.zst a.qcow2
  [[ $stderr == "export-xva: cargo is missing: install Rust "*" from https://rustup.rs" ]]
  [ ! -e called ]
}

@test "the programs are taken from XVA_BIN_DIR, from beside the command, and from PATH if they are of its version" {
  faked cargo
  for program in "$PROGRAMS_HERE"/*; do [ -d "$program" ] || ln -s "$program" fake/; done
  export_xva -o a.xva a.qcow2
  [ ! -e called ]
  rm a.xva
  stranger XVA_BIN_DIR="$PROGRAMS_HERE" src/scripts/export-xva -o a.xva a.qcow2
  fails_with 1 stranger XVA_BIN_DIR=/nowhere src/scripts/export-xva -o a.xva a.qcow2
  [[ $stderr == *"/nowhere/"*": no such program: XVA_BIN_DIR is wrong" ]]
  # Of another version they would not know what is asked of them.
  rm fake/xva-pack
  printf '#!/bin/sh\necho xva-pack 9.9.9\n' >fake/xva-pack
  chmod +x fake/xva-pack
  run -1 export_xva -o a.xva a.qcow2
  [ -e called ]
}

# cargo_that COMMAND: a cargo that is new enough, and builds by running the COMMAND of a shell.
cargo_that() {
  printf '#!/bin/sh\ncase $1 in --version) echo cargo 1.999.0 ;; *) %s ;; esac\n' "$1" >fake/cargo
  chmod +x fake/cargo
}

@test "a build shows that it lives, and one that fails is one sentence and status 1" {
  [ -n "$(command -v cc)" ] || skip "no C compiler"
  cargo_that 'echo "   Compiling x"; echo "error: no space left" >&2; echo more >&2; exit 101'
  run --separate-stderr -1 export_xva -o a.xva a.qcow2
  [ "${#stderr_lines[@]}" -eq 2 ]
  [[ ${stderr_lines[0]} == "export-xva: building the programs; the first time this takes some minutes" ]]
  [[ ${stderr_lines[1]} == "export-xva: the programs could not be built: error: no space left; all of it: cd "*"cargo build --locked --release" ]]
  cargo_that "mkdir -p target; ln -s '$PROGRAMS_HERE' target/release"
  run --separate-stderr -0 export_xva -o a.xva a.qcow2
  [[ ${stderr_lines[0]} == *"building the programs"* ]]
  [ -s a.xva ]
}

# for_others FILE...: skips where nobody else can be played; else goes where others may look, with these files too.
for_others() {
  [ "$(id -u)" -eq 0 ] || skip "needs another user"
  ! setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null && skip "no other user"
  # Unlike where tests are run.
  open=$(mktemp -d)
  cp -r src fake tools "$@" "$open"
  cd "$open" || return 1
  mkdir -m 777 out
  chmod 755 . fake fake/*
}

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH="$PWD/fake:$PWD/tools" HOME=/nowhere "$@"; }

@test "all that is missing is named at once, with the command, where it may not be installed" {
  faked apt-get
  rm -f tools/{xz,gzip}
  seq 1 1000 | xz >a.raw.xz
  for_others a.raw.xz
  mkdir bin
  cp "$PROGRAMS_HERE"/* bin 2>/dev/null || true
  expected="export-xva: packages are missing that only root may install; as root: apt-get install gzip xz-utils"
  fails_with 1 as_nobody XVA_BIN_DIR="$PWD/bin" src/scripts/export-xva -o out/a.xva.gz a.raw.xz
  [ "$stderr" = "$expected" ]
  # A sudo that refuses says nothing of its own.
  printf '#!/bin/sh\necho "sudo: a password is required" >&2\nexit 1\n' >fake/sudo
  chmod 755 fake/sudo
  fails_with 1 as_nobody XVA_BIN_DIR="$PWD/bin" src/scripts/export-xva -o out/a.xva.gz a.raw.xz
  [ "$stderr" = "$expected" ]
  [ ! -e called ]
}

@test "what a build needs is named with the command for users without rights, with and without cargo" {
  # apt knows one that is new enough, and there is no compiler.
  faked apt-get
  printf '#!/bin/sh\necho "  Candidate: 1.999.0+dfsg1-1"\n' >fake/apt-cache
  rm -f tools/{cc,gcc,c99}
  for_others a.qcow2
  sentence="export-xva: packages are missing that only root may install; as root: apt-get install"
  # What stands between is there or not on the machine that runs this.
  fails_with 1 as_nobody src/scripts/export-xva -o out/a.xva.zst a.qcow2
  [[ $stderr =~ ^"$sentence build-essential"( ca-certificates)?" cargo-web"$ ]]
  cargo_that false
  fails_with 1 as_nobody src/scripts/export-xva -o out/a.xva.zst a.qcow2
  [ "$stderr" = "$sentence build-essential" ]
  # One that is too old is not replaced, nor is a compiler without its cargo.
  sed -i 's/1\.999/1.5/' fake/cargo
  fails_with 1 as_nobody src/scripts/export-xva -o out/a.xva.zst a.qcow2
  [[ $stderr == "export-xva: cargo 1.5.0 is too old: install Rust "* ]]
  mv fake/cargo fake/rustc
  fails_with 1 as_nobody src/scripts/export-xva -o out/a.xva.zst a.qcow2
  [[ $stderr == "export-xva: rustc is there, but cargo is missing: install Rust "* ]]
  rm fake/rustc
  sed -i 's/1\.999/1.5/' fake/apt-cache
  fails_with 1 as_nobody src/scripts/export-xva -o out/a.xva.zst a.qcow2
  [[ $stderr == "export-xva: cargo is missing: install Rust "* ]]
  [ -z "$(find out called -mindepth 1 2>/dev/null)" ]
}

@test "a user with sudo has all of it installed at once, and only then built" {
  faked apt-get
  rm -f tools/{cc,gcc,c99}
  for_others a.qcow2
  mkdir bin
  cp "$PROGRAMS_HERE"/* bin 2>/dev/null || true
  chmod 777 . fake src
  # What apt-get installs: a compiler, and a cargo for which building is linking the programs.
  cargo_that "[ \$1 = build ] && mkdir -p target && ln -s '$PWD/bin' target/release"
  mv fake/cargo later
  # Of the new one apt knows only after it has asked.
  # It says so in the language of the user, if it may.
  cat >fake/apt-cache <<END
#!/bin/sh
grep -q update $PWD/called 2>/dev/null || old=.1
word=Installationskandidat
[ "\$LC_ALL" != C ] || word=Candidate
echo "  \$word: 1\$old.999"
END
  printf '#!/bin/sh\n[ "$1" = -n ] || exit 9\nshift\nSUDO=yes exec "$@"\n' >fake/sudo
  cat >fake/apt-get <<END
#!/bin/sh
[ "\$SUDO" = yes ] || exit 9
echo "\$*" >>$PWD/called
[ "\$1" = update ] || { cp $PWD/later $PWD/fake/cargo; ln -s /bin/true $PWD/fake/cc; }
END
  chmod 755 fake/*
  run --separate-stderr -0 as_nobody src/scripts/export-xva -o out/a.xva.zst a.qcow2
  [ "$(grep -c install called)" -eq 1 ]
  [[ ${stderr_lines[0]} =~ ^"export-xva: installing: build-essential"( ca-certificates)?" cargo-web"$ ]]
  [[ ${stderr_lines[1]} == "export-xva: building the programs; "* ]]
  [ -s out/a.xva.zst ]
}

@test "what Debian's cargo lacks for the tests is installed with all else, and of another cargo it is named" {
  faked apt-get sudo
  cp "$ROOT/scripts/test" src/scripts/
  # With a compiler, and without the components of which scripts/test needs two.
  printf '#!/bin/sh\n[ "$1" = --version ] && echo cargo 1.999.0\n' >fake/cargo
  chmod +x fake/cargo
  rm -f tools/xva-img
  run -1 stranger src/scripts/test
  [[ $output == *"test: cargo fmt is missing: run: rustup component add rustfmt clippy" ]]
  while read -r cargo packages; do
    printf '#!/bin/sh\n[ "$2" = "%s" ] && echo "%s: $2"\n' "$PWD/fake/cargo" "$cargo" >fake/dpkg-query
    chmod +x fake/dpkg-query
    run -1 stranger src/scripts/test
    for package in $packages xva-img; do
      [[ " ${lines[-1]} " == *" apt-get install"*" $package "* ]] || { echo "$output"; return 1; }
    done
  done <<'LIST'
cargo-web rustfmt-web rust-web-clippy
cargo rustfmt rust-clippy
LIST
}

@test "the version is that of the sources" {
  run -0 export_xva --version
  [ "$output" = "export-xva $(sed -n 's/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -n 1)" ]
}
