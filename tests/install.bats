#!/usr/bin/env bats
# What users have of the project once it is installed: the tree, the man pages and the completions for shells.

load common
# shellcheck source=scripts/image-format.bash
. "$ROOT/scripts/image-format.bash"

setup_file() {
  "$ROOT/scripts/pages"
  DESTDIR=$BATS_FILE_TMPDIR PREFIX=/usr "$ROOT/scripts/install"
}

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  usr=$BATS_FILE_TMPDIR/usr
  pages=("$usr"/share/man/man?/*)
}

# shown PAGE: as on a terminal of 80 columns.
shown() { mandoc -O width=78 -T utf8 -- "$1" | sed 's/.\x08//g'; }

# typed PAGE: its lines from .EX to .EE, as they stand in the sources.
typed() {
  local sources=("$ROOT"/*/man/"$(basename "$1")")
  sed -n '/^\.EX$/,/^\.EE$/{/^\.E[XE]$/!p}' "${sources[@]}" | sed 's|@PREFIX@|/usr|g'
}

@test "every program and command is installed, with its page and its completions, and readable for all" {
  for command in "${PROGRAMS[@]}" "${COMMANDS[@]}"; do
    [ -x "$usr/bin/$command" ]
    [ -s "$usr/share/man/man1/$command.1" ]
    [ -s "$usr/share/bash-completion/completions/$command" ]
    [ -s "$usr/share/zsh/site-functions/_$command" ]
    [ -s "$usr/share/fish/vendor_completions.d/$command.fish" ]
  done
  [ "$(ls "$usr/bin" | wc -l)" -eq $((${#PROGRAMS[@]} + ${#COMMANDS[@]})) ]
  for wrapper in "$ROOT"/scripts/xapi/{backing-info,check-host,qemu-img,vhd-tool,worth.bash,wrapper.bash}; do
    cmp "$wrapper" "$usr/libexec/xva-tools/$(basename "$wrapper")"
  done
  # Every file that the README names is there, too.
  for link in $(grep -o '](\([a-zA-Z/-]*\.md\)' "$usr/share/doc/xva-tools/README.md" | sed 's/^](//'); do
    [ -s "$usr/share/doc/xva-tools/$link" ]
  done
  # And commands are called there by the names that they have there.
  run ! grep -rn 'scripts/\(xapi/[a-z]\|export-xva\|restore-disk\)' "$usr/share/doc/xva-tools"/{scripts/xapi,xva-pack}/README.md "$usr/share/doc/xva-tools/SECURITY.md"
  grep -q '(/usr/libexec/xva-tools/backing-info "$device")' "$usr/share/doc/xva-tools/scripts/xapi/README.md"
  [ -z "$(find "$usr" -type f ! -perm 755 ! -perm 644 -o -type d ! -perm -555)" ]
  ! grep -rIl '@[A-Z]*@' "$usr/share/man"
}

@test "an export runs from where it is installed, without the sources, cargo and apt-get" {
  mkdir fake
  printf '#!/bin/sh\necho "$0 $*" >>"%s/called"\nexit 1\n' "$PWD" >fake/cargo
  chmod +x fake/cargo
  cp fake/cargo fake/apt-get
  cp fake/cargo fake/sudo
  run -0 --separate-stderr env -i PATH="$PWD/fake:/usr/bin:/bin" "$usr/bin/export-xva"
  [[ $stderr == *"is that of the example, byte for byte"* ]]
  truncate -s 3M disk.raw
  run -0 env -i PATH="$PWD/fake:/usr/bin:/bin" "$usr/bin/export-xva" --format raw -o disk.xva disk.raw
  xva-unpack -q --disk Ref:000 -o out.raw disk.xva
  cmp out.raw disk.raw
  # What is missing is named, and not installed.
  mkdir tools
  ln -s /usr/bin/* tools/
  rm tools/gzip
  fails_with 1 env -i PATH="$PWD/fake:$PWD/tools" "$usr/bin/export-xva" --format raw -o disk.xva.gz disk.raw
  [ "$stderr" = "export-xva: these are missing (names of Debian): gzip" ]
  [ ! -e called ]
}

@test "a prefix of any letters is where everything works, and what the pages say" {
  prefix="/opt/my tools & more|a\\b's\"\$(x)\`y\` ~^-*[?]"
  DESTDIR=$PWD PREFIX=$prefix "$ROOT/scripts/install"
  for page in "$PWD$prefix"/share/man/man?/*; do
    mandoc -T lint -W warning "$page"
    mandoc -O width=300 -T utf8 -- "$page" | sed 's/.\x08//g' >page
    # In the same places as under another prefix.
    mandoc -O width=300 -T utf8 -- "$usr/share/man/man${page##*.}/${page##*/}" | sed 's/.\x08//g' >usual
    for path in share/xva-tools/nbdkit-map libexec/xva-tools/check-host libexec/xva-tools/vhd-tool; do
      [ "$(grep -cF -- "$prefix/$path" page)" -eq "$(grep -cF -- "/usr/$path" usual)" ]
    done
    ! grep -q '@PREFIX@' page
  done
  [ "$(mandoc -T utf8 -O width=300 "$PWD$prefix/share/man/man8/xva-xapi.8" | sed 's/.\x08//g' | grep -cF -- " $prefix/libexec")" -gt 5 ]
  run -0 env -i PATH=/usr/bin:/bin "$PWD$prefix/bin/export-xva"
  run -0 env -i PATH=/usr/bin:/bin "$PWD$prefix/bin/restore-disk" -o out.qcow2 example.xva.zst
  qemu-img compare out.qcow2 "$ROOT/scripts/example/example.qcow2"
  qemu-img create -q -f qcow2 disk.qcow2 8M
  env -i PATH=/sbin:/usr/sbin:/bin:/usr/bin "$PWD$prefix/libexec/xva-tools/qemu-img" map "$PWD/disk.qcow2" --output=json >map
  env -i PATH=/sbin:/usr/sbin:/bin:/usr/bin "$usr/libexec/xva-tools/qemu-img" map "$PWD/disk.qcow2" --output=json | cmp - map
}

@test "a link to an installed command is that command, and one without its programs says so" {
  ln -s "$usr/bin/export-xva" linked
  run -0 ./linked --help
  [[ $output == *"usage: export-xva "* ]]
  cp -r "$usr" usr
  rm usr/bin/ova-xml
  truncate -s 3M disk.raw
  fails_with 1 env -u XVA_BIN_DIR PATH=/usr/bin:/bin usr/bin/export-xva --format raw -o disk.xva disk.raw
  [[ $stderr == *"usr/bin/ova-xml: no such program"* ]]
}

@test "a disk is restored from where that is installed, and is what it was" {
  printf x | dd of=disk.raw bs=1M seek=2 status=none
  truncate -s 3M disk.raw
  for name in disk.xva disk.xva.zst; do
    "$usr/bin/export-xva" --format raw -o "$name" disk.raw
    run -0 env -i PATH=/usr/bin:/bin "$usr/bin/restore-disk" -o "$name.qcow2" "$name"
    qemu-img compare -f raw -F qcow2 disk.raw "$name.qcow2"
  done
}

@test "the plugin runs from where it is installed" {
  qemu-img create -q -f qcow2 disk.qcow2 3M
  qemu-io -f qcow2 -c 'write -q -P 7 1M 64k' disk.qcow2
  qemu-img convert -O raw disk.qcow2 disk.raw
  qcow-headers --output map disk.qcow2 >disk.map
  nbdkit -U - python "$usr/share/xva-tools/nbdkit-map" map=disk.map --run 'nbdcopy "$uri" out.raw'
  cmp out.raw disk.raw
}

@test "the wrappers for xapi find the filters where they are installed" {
  qemu-img create -q -f qcow2 disk.qcow2 8M
  qemu-io -f qcow2 -c 'write -q -P 7 1M 64k' disk.qcow2
  env -i PATH=/sbin:/usr/sbin:/bin:/usr/bin "$usr/libexec/xva-tools/qemu-img" map "$PWD/disk.qcow2" --output=json >map
  jq -e '[.[] | select(.data)] == [.[] | select(.start == 1048576)] and length > 1' map
  qemu-img convert -f qcow2 -O vpc disk.qcow2 disk.vhd
  env -i PATH=/sbin:/usr/sbin:/bin:/usr/bin "$usr/libexec/xva-tools/vhd-tool" read_headers_interval "$PWD/disk.vhd" |
    cmp - <(vhd-headers --skip-holes disk.vhd | extents-merge | tr -d '\n')
}

@test "the options of a page are those of --help" {
  for command in "${PROGRAMS[@]}" "${COMMANDS[@]}"; do
    "$usr/bin/$command" --help >help
    shown "$usr/share/man/man1/$command.1" >page
    # Where a line begins; some options of scripts share a sentence, which follows a colon.
    grep -E '^ +-' help | sed 's/^ *//; s/   .*//; s/: .*//' | grep -oE -- '(^|[ ,])--?[a-zA-Z][-a-z]*' | tr -d ' ,' | sort -u >expected
    sed -n '/^OPTIONS/,/^EXIT/p' page | grep -E '^       -' | grep -oE -- '(^ +|, )--?[a-zA-Z][-a-z]*' | tr -d ' ,' | sort -u >found
    [ "$(wc -l <expected)" -gt 4 ]
    diff expected found || { echo "$command"; return 1; }
  done
  "$usr/libexec/xva-tools/check-host" --help | grep -oE -- '--[a-z][-a-z]*' | sort -u >expected
  shown "$usr/share/man/man8/xva-xapi.8" | sed -n '/^OPTIONS/,/^EXIT/p' | grep -oE -- '--[a-z][-a-z]*' | grep -vx -- --help | sort -u | diff expected -
}

@test "no page has a fault, and every one has its sections in the same order" {
  for page in "${pages[@]}"; do
    mandoc -T lint -W all "$page"
    shown "$page" >page
    order='NAME SYNOPSIS EXAMPLES DESCRIPTION OPTIONS EXIT STATUS ENVIRONMENT SEE ALSO'
    case $page in
      *.5) order='NAME SYNOPSIS EXAMPLES DESCRIPTION SEE ALSO' ;;
      */nbdkit-map.1) order=${order/OPTIONS /} ;;
    esac
    [ "$(grep -E '^[A-Z]+( [A-Z]+)?$' page | tr '\n' ' ')" = "$order " ] || { echo "$page"; return 1; }
    # Other pages of the project that it names are there.
    for other in $(sed -n '/^SEE ALSO/,$p' page | grep -oE '(xva|ova|vhd|qcow|extents|export)-[a-z-]*\([0-9]\)'); do
      [ -e "$usr/share/man/man${other: -2:1}/${other%(*}.${other: -2:1}" ] || { echo "$page: $other"; return 1; }
    done
  done
}

@test "examples are on a terminal of 80 columns what they are in the sources, line by line" {
  for page in "${pages[@]}"; do
    shown "$page" >page
    [ "$(wc -L <page)" -le 80 ]
    lines=0
    while IFS= read -r line; do
      grep -qxF -- "${line:+       $line}" page || { echo "$page: $line"; return 1; }
      lines=$((lines + 1))
    done < <(typed "$page")
    [ "$lines" -gt 1 ]
  done
}

@test "bash completes options and their values" {
  # complete WORD...: what the last one may become.
  completed() {
    bash -c '. "$1"; spec=$(complete -p "$2"); shift
      case $spec in
        *" -F "*) function=${spec#* -F }; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); "${function%% *}" "$1" "${@: -1}" "${@: -2:1}"
          printf "%s\n" "${COMPREPLY[@]}" ;;
        *) spec=${spec#complete }; eval "compgen ${spec% *} -- \"\${@: -1}\"" ;;
      esac' - "$usr/share/bash-completion/completions/$1" "$@"
  }
  [ "$(completed xva-unpack --li)" = --list ]
  [ "$(completed xva-pack --checksum sh)" = sha1 ]
  [ "$(completed ova-xml --firmware u)" = uefi ]
  [ "$(completed qcow-headers --output m)" = map ]
  [ "$(completed export-xva --net)" = --network ]
  for command in "${PROGRAMS[@]}" "${COMMANDS[@]}"; do
    [ "$(completed "$command" --help)" = --help ]
  done
}

@test "a package holds all that is installed, and nothing else" {
  version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -n 1)
  mkdir tree out
  cp -r "$usr" tree
  gzip -9n tree/usr/share/man/man*/*
  touch tree/usr/share/doc/xva-tools/LICENSES-OF-CRATES
  installed=$(cd tree && find usr ! -type d | sort)
  export SOURCE_DATE_EPOCH=1700000000
  for format in deb rpm; do "$ROOT/scripts/packages/$format" "$PWD/tree" "$version" "$PWD/out"; done
  rpm -qlp out/*.rpm | sed 's|^/||' | while read -r path; do [ -d "tree/$path" ] || echo "$path"; done | sort | diff - <(echo "$installed")
  # Debian has another place for the completions of zsh, and wants more files beside the licences.
  dpkg-deb -c out/*.deb | sed -n 's|^-.* \./||p' | sed 's|zsh/vendor-completions|zsh/site-functions|' |
    grep -vE '/(changelog(\.Debian)?\.gz|copyright|lintian/overrides/xva-tools)$' | sort >deb
  diff deb <(grep -vE 'doc/xva-tools/(CHANGELOG.md|LICENSE-(MIT|APACHE))$' <<<"$installed")
}

@test "zsh and fish understand their completions" {
  for file in "$usr"/share/zsh/site-functions/*; do
    zsh -n "$file"
    [ "$(head -n 1 "$file")" = "#compdef $(basename "$file" | tail -c +2)" ]
  done
  for file in "$usr"/share/fish/vendor_completions.d/*; do
    HOME=$PWD fish --no-execute "$file"
    HOME=$PWD fish -c "source $file; complete -C '$(basename "$file" .fish) --hel'" | grep -q '^--help'
  done
}

@test "programs that are shipped do not print their pages" {
  for program in "${PROGRAMS[@]}"; do
    # Those of target/debug may be the ones that scripts/pages has built.
    [[ $(readlink -f "$(command -v "$program")") != */debug/* ]] || skip "these are debug builds"
    fails_with 2 "$program" --print-page name
  done
}

@test "a version is that of the workspace, with at most a commit" {
  version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -n 1)
  for program in "${PROGRAMS[@]}"; do
    [[ $("$program" --version) =~ ^"$program $version"(" ("[-.0-9a-z]+")")?$ ]]
  done
}

@test "installing says what is missing or wrong, and installs nothing then" {
  fails_with 2 env DESTDIR="$PWD/out" PREFIX=usr "$ROOT/scripts/install"
  fails_with 2 env DESTDIR="$PWD/out" PREFIX=/a:b "$ROOT/scripts/install"
  fails_with 2 env DESTDIR="$PWD/out" PREFIX=$'/a\nb' "$ROOT/scripts/install"
  fails_with 2 env DESTDIR="$PWD/out" "$ROOT/scripts/install" /usr
  mkdir empty
  fails_with 1 env DESTDIR="$PWD/out" XVA_BIN_DIR=empty "$ROOT/scripts/install"
  [[ $stderr == *"run: cargo build --locked --release" ]]
  fails_with 1 env DESTDIR="$PWD/out" XVA_BIN_DIR="$usr/bin" CARGO_TARGET_DIR="$PWD/empty" "$ROOT/scripts/install"
  [[ $stderr == *"run: scripts/pages" ]]
  [ ! -e out ]
}
