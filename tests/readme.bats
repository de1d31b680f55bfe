#!/usr/bin/env bats
# Every command of README.md, as it stands there and in the order of its text; what only a host or the network has is played.

load common

# blocks HEADING: the indented lines from that heading up to the next one.
blocks() {
  awk -v heading="$1" '/^#/ { wanted = ($0 == heading) } wanted && sub(/^    /, "")' "$ROOT/README.md"
}

# heading HEADING...: runs all blocks of these, in one shell in the directory at hand, and leaves what was said in said.
heading() {
  local title
  : >recipe.bash
  for title; do
    blocks "$title" >block
    [ -s block ] || { echo "no command: $title"; return 1; }
    cat block >>recipe.bash
  done
  bash -euo pipefail recipe.bash >said 2>&1 || { cat said; return 1; }
}

# plays NAME: a program of that name, whose text is on standard input.
plays() {
  { echo '#!/usr/bin/env bash'; echo 'set -euo pipefail'; cat; } >"played/$1"
  chmod +x "played/$1"
}

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir played
  ln -s "$ROOT/scripts" scripts
  PATH=$PWD/played:$PATH:$ROOT/scripts
  # A host takes what is sound alone.
  plays xe <<'EOF'
[ "$1 ${2%%=*}" = "vm-import filename" ]
xva-unpack --verify "${2#filename=}" >&2
EOF
  # The image that a distributor serves: ext4 with an /etc/fstab.
  plays curl <<'EOF'
mkdir -p tree/etc
echo "LABEL=root / ext4 defaults 0 1" >tree/etc/fstab
truncate -s 64M cloud.raw
mke2fs -q -t ext4 -d tree cloud.raw
qemu-img convert -O qcow2 cloud.raw "$(basename "${@: -1}")"
EOF
}

# is_web FILE FORMAT: the disk that the recipes make.
is_web() {
  [ "$(qemu-img compare -f qcow2 -F "$2" web.qcow2 "$1")" = "Images are identical." ]
}

@test "README: every block of commands is run by one of these tests, and no line is longer than 120 columns" {
  local title file tested
  tested=$(grep -E '^ *(heading|blocks) ' "$BATS_TEST_FILENAME")
  while read -r title; do
    case $title in
      "## Try it" | "## Install" | "## The documents" | "# xva-tools") continue ;; # the first two, and what is no command: below
    esac
    [[ $tested == *"\"$title\""* ]] || { echo "not run: $title"; return 1; }
  done < <(awk '/^#/ { title = $0 } /^    / { print title }' "$ROOT/README.md" | uniq)
  for file in README.md SECURITY.md {vhd-headers,qcow-headers,extents-merge,xva-pack,scripts/xapi}/README.md; do
    # Columns, and not bytes.
    python3 -c 'import sys; sys.exit("\n".join(line for line in open(sys.argv[1]) if len(line) > 121) or 0)' "$ROOT/$file"
  done
}

@test "README: no link leads nowhere" {
  local file link target
  for file in README.md xva-pack/README.md scripts/xapi/README.md; do
    while read -r link; do
      target=${link%%#*}
      [ -e "$ROOT/$(dirname "$file")/$target" ] || [ -z "$target" ] || { echo "$file: $link"; return 1; }
      [[ $link != *#* ]] ||
        sed -n 's/^##* //p' "$ROOT/$(dirname "$file")/${target:-$(basename "$file")}" | tr 'A-Z ' 'a-z-' | tr -d ",'" | grep -qx -- "${link#*#}" ||
        { echo "$file: $link"; return 1; }
    done < <(grep -o '](\(#\|[a-zA-Z]*[./]\)[^)]*)' "$ROOT/$file" | sed 's/^](//; s/)$//' | grep -v ^http)
  done
}

@test "README: try it, and install" {
  blocks "## Try it" | head -n 1 >recipe.bash
  bash -euo pipefail recipe.bash 2>said
  xva-unpack -q --verify example.xva.zst
  # The second command is what runs this.
  [ "$(blocks "## Try it" | sed -n 's/^\(scripts\/test\) .*/\1/p')" = scripts/test ]
  # Packages are built and installed by who releases them; here is what would be run.
  for package in xva-tools_0_amd64.deb xva-tools-0.x86_64.rpm xva-tools-0.tar.gz; do touch "$package"; done
  for program in apt-get rpm tar; do plays "$program" <<<'[ -f "${@: -1}" ]; echo "$(basename "$0") $*"'; done
  blocks "## Install" >recipe.bash
  bash -euo pipefail recipe.bash >said
  [ "$(grep -c xva-tools said)" -eq 3 ]
}

@test "README: export a disk" {
  heading "## Recipes" "### Export a disk"
  xva-unpack --list web.xva.zst >table
  [ "$(grep -c '^Ref:00' table)" -eq 2 ]
  local archive
  for archive in map.xva.zst disk.xva.gz data.xva.zst; do
    xva-unpack -q --disk Ref:0 -o found.raw "$archive"
    is_web found.raw raw
    rm found.raw
  done
}

@test "README: a cloud image as a VM, and a file out of its backup" {
  # libguestfs starts a machine of its own: the file is taken by debugfs, out of what nbdkit serves.
  plays guestfish <<'EOF'
[ "$1 $2 $3 $5 $6 $8" = "--ro --format=raw -a -i copy-out ." ]
nbdcopy "nbd+unix:///?socket=${4#nbd://?socket=}" served.raw
debugfs -R "dump $7 fstab" served.raw
EOF
  heading "### A cloud image as a VM" "### A file out of a backup"
  qemu-img compare -f raw -F raw cloud.raw served.raw
  cmp fstab tree/etc/fstab
}

@test "README: a disk of VMware" {
  heading "## Recipes" "### A disk of VMware or VirtualBox"
  xva-unpack -q --disk Ref:000 -o found.raw server.xva.zst
  is_web found.raw raw
}

@test "README: check backups" {
  blocks "## Recipes" >recipe.bash
  bash -euo pipefail recipe.bash
  export-xva -q -o web.xva.zst web.qcow2
  head -c $(($(stat -c %s web.xva.zst) / 2)) web.xva.zst >cut.xva.zst
  blocks "### Check backups" >recipe.bash
  # One of the archives is cut off: the call that finds it ends with 3, and what comes after it still runs.
  bash -uo pipefail recipe.bash >said 2>&1
  grep -q 'web.xva.zst: sound' said
  grep -q '^damaged: cut.xva.zst: ' said
  grep -q 'sampled' said
  [ "$(jq .exit_status backups.json)" -eq 3 ]
}

@test "README: restore a disk" {
  plays lvchange <<<'[ "$*" = "-ay vg/disk" ]'
  blocks "## Recipes" >recipe.bash
  bash -euo pipefail recipe.bash
  export-xva -q -o web.xva.zst web.qcow2 data.vhd
  heading "### Restore a disk" || true
  is_web restored.qcow2 qcow2
  is_web restored.raw raw
  is_web piped.raw raw
}

@test "README: a disk into a logical volume" {
  [ "$(id -u)" -eq 0 ] || skip "only root has loop devices"
  truncate -s 1G volume
  DEVICE=$(losetup --find --show volume) || skip "there are no loop devices"
  blocks "## Recipes" >recipe.bash
  bash -euo pipefail recipe.bash
  export-xva -q -o web.xva.zst web.qcow2
  blocks "### Restore a disk" | sed -n '/^lvchange/,$p' >recipe.bash
  # The name of the volume leads to the loop device, in a mount namespace of its own.
  plays lvchange <<<'[ "$*" = "-ay vg/disk" ]'
  DEVICE=$DEVICE unshare --mount bash -euc '
    mkdir dev; mount --bind "$PWD/dev" /mnt; cp -a /dev/null /dev/zero dev/; cp -a "$DEVICE" dev/
    mkdir dev/vg; ln -s "../${DEVICE##*/}" dev/vg/disk; ln -s /proc/self/fd dev/fd
    mount --move /mnt /dev
    bash -euo pipefail recipe.bash' >said 2>&1 || { cat said; return 1; }
  sync -f volume
  is_web "$DEVICE" raw
}

@test "README: more recipes" {
  plays restic <<<'[ "$1" = backup ]; xva-unpack -q --verify "$2" > /dev/null'
  heading "## Recipes" "### Several disks, by hand" "### A stream of raw bytes" "### Night after night into a repository"
  xva-unpack -q --all -o both both.xva
  is_web both/Ref:000.raw raw
  is_web both/Ref:001.raw raw
  xva-unpack -q --disk Ref:0 -o found.raw disk.xva
  is_web found.raw raw
}

@test "README: one number, and a look at a disk" {
  heading "## Recipes" "### One number from export to import" "### A look at a disk"
  number=$(jq -r .disk.crc32 report.json)
  [ "$number" = "$(python3 -c 'import zlib; print("%08x" % zlib.crc32(open("disk.raw", "rb").read()))')" ]
  [ "$(grep -c "$number" said)" -eq 2 ]
  grep -q '1.0 GiB disk\|1 GiB disk' said
}

@test "README: a disk that only qemu reads" {
  { [ -w /dev/fuse ] && type -P qemu-storage-daemon && [ "$(id -u)" -eq 0 ]; } >&2 || skip "there is no FUSE here"
  heading "## Recipes" "### A disk that only qemu reads, by hand"
  xva-unpack -q --disk Ref:0 -o found.raw server.xva
  is_web found.raw raw
}

@test "README: the document is one" {
  blocks "## The documents" | extents-merge >merged
  [ "$(jq -c . merged)" = '{"virtual_size":10737418240,"cluster_bits":20,"data_clusters":[[0,7],[14,15]]}' ]
}

@test "README: from xapi" {
  heading "## From xapi" || true
  # No host is here, and the sentence says so.
  grep -q '^check-host: ' said
}

teardown() {
  [ -z "${DEVICE:-}" ] || losetup --detach "$DEVICE"
}
