# What is typed wrongly, forgotten, or meant for another program, and the sentence that is said then: one line, which tells what
# to type, with status 2 unless the file is at fault.

load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  qemu-img create -q -f qcow2 a.qcow2 3M
  qemu-io -f qcow2 -c 'write -q -P 1 0 1M' a.qcow2
  qemu-img convert -O raw a.qcow2 d.raw
  qcow-headers a.qcow2 >d.json
  xva-pack --scan d.raw >a.xva
  xz -k a.xva
  qemu-img convert -O vpc -o subformat=fixed,force_size=on a.qcow2 fixed.vhd
  cp a.qcow2 qcow2.xva
  touch empty
  head -c 100k /dev/zero >zeros
  printf '\177ELF\2\1\1' >program && head -c 5000 /dev/zero >>program
  echo 'just a text' >text
  cp a.xva.xz 'my a.xva.xz'
  echo data/x.vhd >disk.alias.vhd
  mkfifo pipe
  gzip -c d.raw >d.gz
  PATH=$ROOT/scripts:$PATH XVA_BIN_DIR=${XVA_BIN_DIR:-$ROOT/target/release}
  export XVA_BIN_DIR
  mkdir folder
  echo precious >notes
}

@test "every wrong invocation ends with its status and one line that says what to do" {
  local status_expected command sentence wrong=0
  while IFS='^' read -r status_expected command sentence; do
    run --separate-stderr bash -o pipefail -c "$command"
    [ "$status" -eq "$status_expected" ] && [ "${#stderr_lines[@]}" -eq 1 ] && [[ $stderr == *"$sentence"* ]] || {
      echo "$command: expected $status_expected '$sentence', found $status '$stderr'"
      wrong=$((wrong + 1))
    }
  done <<'TABLE'
2^xva-unpack --verfy a.xva^unexpected argument '--verfy' found; did you mean --verify? see --help
2^xva-unpack --disc Ref:0 -o x a.xva^did you mean --disk? see --help
2^xva-pack --scann d.raw^did you mean --scan? see --help
2^qcow-headers --search-paths . a.qcow2^did you mean --search-path? see --help
2^vhd-headers --sector a.vhd^did you mean --sectors? see --help
2^extents-merge --cluster-bit 9 d.json^did you mean --cluster-bits? see --help
2^ova-xml --nam a^did you mean --name? see --help
2^xva-headers --outptu map a.xva^did you mean --output? see --help
2^xva-zstd --job 2 a.xva^did you mean --jobs? see --help
2^qcow-headers --output maps a.qcow2^[possible values: intervals, list, map]; did you mean map? see --help
2^xva-pack -o out.xva --scan d.raw^the archive goes to standard output: xva-pack ... > FILE; see --help
2^xva-pack --output out.xva --scan d.raw^the archive goes to standard output
2^qcow-headers^required arguments were not provided: <IMAGE>; see --help
2^xva-pack --scan^required arguments were not provided: <DISK>; see --help
2^xva-pack --scan --scan d.raw^cannot be used multiple times
2^xva-pack --prefix Ref:0 --prefix Ref:1 --scan d.raw^cannot be used multiple times
2^xva-unpack --list --verify a.xva^cannot be used with
2^xva-unpack --disk Ref:0 a.xva^required arguments were not provided: --output <FILE|DIR>; see --help
2^xva-unpack --disk Ref:7 -o out a.xva^a.xva: has no disk Ref:7: found Ref:0
2^xva-unpack --all -o - a.xva^--all cannot write to standard output: expected a directory
2^xva-unpack --disk Ref:0 -o d.raw a.xva^d.raw: exists already: --force overwrites it
2^xva-unpack --disk Ref:0 -o out a.xva a.xva^several archives go with --verify or --list only; see --help
2^xva-unpack - - <a.xva^two archives cannot both be standard input; see --help
2^xva-unpack --json --disk Ref:0 -o - a.xva^--json and a disk cannot both go to standard output; see --help
2^xva-unpack --size Ref:0=1 --size Ref:0=2 --all -o out a.xva^--size is given twice for disk Ref:0: expected it once
2^xva-pack --scan --report notes d.raw^notes: is not a report: expected a new name, or a report to be replaced; --force overwrites it
2^cat a.qcow2 | qcow-headers -^standard input: is not seekable: found a pipe, expected a file or block device
2^xva-pack --map d.json d.raw^the argument '--map <FILE>' cannot be used with '[DISK]'
3^xva-pack --map d.json^d.json: not a map: found '{', as an extents document begins; expected [, as --output map of the header tools prints it
3^vhd-headers a.qcow2^a.qcow2: is not a VHD: found a QCOW2, which qcow-headers reads, expected
3^qcow-headers d.raw^d.raw: is not a QCOW2 image: found "\x01\x01\x01\x01\x01\x01\x01\x01" at its beginning, expected the magic
3^qcow-headers empty^empty: is not a QCOW2 image: found an empty file
3^xva-unpack qcow2.xva^qcow2.xva: is not an XVA: found a QCOW2, which qcow-headers reads; expected an XVA, which begins with ova.xml
4^xva-unpack a.xva.xz^a.xva.xz: is an xz file: expected a tar, zstd or gzip; try: xz -dc a.xva.xz | xva-unpack -
3^xva-pack --extents a.qcow2 d.raw^a.qcow2: is not an extents document: found a QCOW2, which qcow-headers reads; expected JSON, as the header tools print it
3^xva-pack --extents fixed.vhd d.raw^fixed.vhd: is not an extents document: found a VHD, which vhd-headers reads; expected JSON
3^xva-pack --map a.qcow2^a.qcow2: is not a map: found a QCOW2, which qcow-headers reads; expected JSON
3^cat a.qcow2 | xva-pack --map -^standard input: is not a map: found a QCOW2, which qcow-headers reads
3^extents-merge d.json a.qcow2 >out2^a.qcow2: is not an extents document: found a QCOW2, which qcow-headers reads
3^extents-merge fixed.vhd >out2^fixed.vhd: is not an extents document: found a VHD, which vhd-headers reads
3^cat a.qcow2 | extents-merge >out2^standard input: is not an extents document: found a QCOW2, which qcow-headers reads
3^extents-merge a.xva.xz >out2^a.xva.xz: is not an extents document: found an xz file, which xz -dc reads
3^extents-merge d.raw >out2^d.raw: not a JSON document of a known dialect
1^extents-merge folder >out2^folder: is a directory: expected a file with 
2^xva-pack --scan --report - d.raw^the archive goes to standard output: expected a file, or ./- for one called -
2^xva-zstd -o out a.xva^the archive goes to standard output: xva-zstd ... > FILE; see --help
2^xva-zstd --output=out a.xva^the archive goes to standard output
2^xva-zstd -oout a.xva^the archive goes to standard output
2^xva-zstd a.xva out >out2^found more than one archive: expected one, and > FILE for what it becomes; see --help
1^xva-zstd folder >out2^folder: is a directory: expected a file with 
1^xva-zstd <folder >out2^standard input: is a directory: expected a file with 
3^xva-zstd empty >out2^empty: is empty: expected an XVA
3^xva-zstd fixed.vhd >out2^fixed.vhd: is not an XVA: found a VHD, which vhd-headers reads; expected an XVA, which begins with ova.xml or a block
3^xva-zstd d.raw >out2^d.raw: is not an XVA: found "\x01\x01\x01\x01\x01\x01\x01\x01" at its beginning; expected an XVA, which begins with ova.xml or a block
3^xva-zstd /dev/zero >out2^/dev/zero: is not an XVA: found zeros at its beginning; expected an XVA, which begins with ova.xml or a block
3^tar -c d.raw | xva-zstd >out2^standard input: is not an XVA: found a tar that begins with d.raw; expected an XVA, which begins with ova.xml or a block
1^qcow-headers --output map a.qcow2 >m && cd folder && xva-pack --map ../m^../m: a.qcow2: cannot open: No such file or directory (os error 2); is this the directory that the map was made in?
3^extents-merge a.xva^a.xva: is not an extents document: found an XVA, which xva-unpack reads
3^extents-merge <a.qcow2^standard input: is not an extents document: found a QCOW2
3^extents-merge text^text: not a JSON document of a known dialect: found 'j', expected an extents document
3^xva-unpack program^program: is not an XVA: found "\x7fELF\x02\x01\x01\x00" at its beginning, expected an XVA
3^xva-unpack text^text: is not an XVA: found "just a t" at its beginning, expected an XVA
3^xva-unpack - <text^standard input: is not an XVA: found "just a t" at its beginning, expected an XVA
3^xva-headers disk.alias.vhd^disk.alias.vhd: is not an XVA: found an alias of Xen Orchestra, not a VHD
3^xva-zstd disk.alias.vhd^disk.alias.vhd: is not an XVA: found an alias of Xen Orchestra, not a VHD
3^xva-zstd zeros^zeros: is not an XVA: found zeros at its beginning; expected an XVA
3^xva-zstd program^program: is not an XVA: found "\x7fELF\x02\x01\x01\x00" at its beginning; expected an XVA
3^xva-zstd text^text: is not an XVA: found "just a t" at its beginning; expected an XVA
3^tar -c text | xva-zstd^standard input: is not an XVA: found a tar that begins with text; expected an XVA
4^xva-headers 'my a.xva.xz'^my a.xva.xz: is compressed with xz: its blocks cannot be found without decompressing all: expected a tar, or a frame for each block; try: xz -dc 'my a.xva.xz' | xva-zstd > FRAMES.xva.zst
4^xva-unpack 'my a.xva.xz'^try: xz -dc 'my a.xva.xz' | xva-unpack -
2^export-xva --nmae web a.qcow2^unknown option --nmae; did you mean --name? see --help
2^export-xva --output out.xva a.qcow2^unknown option --output; did you mean -o? see --help
2^export-xva --zzz a.qcow2^unknown option --zzz; see --help
2^export-xva -o out.xva -^-: images are read at several places, which standard input cannot be
2^export-xva -o - a.qcow2^-: the archive is read back to check it: expected the name of a file, not standard output
1^export-xva -o out.xva folder^folder: is a directory: expected a file or block device
2^export-xva -o out.xva pipe^pipe: is a pipe, which cannot be read at several places: save it in a file first
4^export-xva -o out.xva text^text: is not a known disk image: found "just a t" at its beginning; if it is a raw disk, say so with --format raw
4^export-xva -o out.xva 'my a.xva.xz'^xz -dc my\ a.xva.xz > my\ a.xva
4^export-xva -o out.xva d.gz^is compressed with gzip, and its name does not say what it holds: if that is a raw disk, rename it to d.raw.gz
4^export-xva -o out.xva json:{}^json:{}: is not a file here: get it first
2^restore-disk --disc Ref:0 a.xva^unknown option --disc; did you mean --disk? see --help
2^restore-disk --disk Ref:0 --disk Ref:1 a.xva^--disk is given twice; see --help
2^restore-disk -o - a.xva^-: an image is not written in order: expected the name of a file
2^restore-disk -^-: the archive is read at several places, which standard input cannot be
4^restore-disk a.xva.xz^a.xva.xz: is an xz file: decompress it first: xz -dc a.xva.xz > a.xva
1^restore-disk folder^folder: is a directory: expected a file or block device
3^xva-pack --scan --ova a.xva d.raw^a.xva: is not ova.xml: found an XVA, which xva-unpack reads
3^xva-zstd a.qcow2^a.qcow2: is not an XVA: found a QCOW2, which qcow-headers reads; expected an XVA, which begins with ova.xml or a block
4^xva-zstd a.xva.xz^a.xva.xz: is compressed with xz: expected a tar; try: xz -dc a.xva.xz | xva-zstd
4^xva-pack --scan empty^empty: the disk is empty: found 0 bytes
1^xva-unpack missing.xva^missing.xva: cannot open: No such file or directory
1^qcow-headers folder^folder: is a directory: expected a file or block device
1^xva-unpack folder^folder: is a directory: expected a file with an archive
1^xva-pack --map folder^folder: is a directory: expected a file with a map
TABLE
  [ "$wrong" -eq 0 ]
  [ "$(cat notes)" = precious ]
  [ ! -e out ] && [ ! -e out.xva ] && [ ! -e ./- ]
}

@test "a container that is packed as a raw disk is warned of, and packed" {
  xva-pack --scan a.qcow2 2>said >q.xva
  [ "$(cat said)" = "xva-pack: a.qcow2: looks like a QCOW2, which qcow-headers reads: its bytes are packed as they are, as those of a raw disk" ]
  xva-unpack -q --disk Ref:0 -o back.raw q.xva
  cmp back.raw a.qcow2
  size=$(stat -c %s a.qcow2)
  echo "{\"virtual_size\":$size,\"cluster_bits\":20,\"data_clusters\":[]}" | xva-pack a.qcow2 2>&1 >/dev/null | grep -q 'looks like a QCOW2'
  # What is refused for its size is called what it is first.
  xz -k d.raw
  run -4 xva-pack --scan d.raw.xz
  [[ ${lines[0]} == "xva-pack: d.raw.xz: looks like an xz file, which xz -dc reads: "* && ${lines[1]} == *"expected a multiple of 512"* ]]
  # A boot sector is what raw disks begin with.
  printf '\125\252' | dd of=d.raw bs=1 seek=510 conv=notrunc status=none
  xva-pack --scan d.raw 2>said >/dev/null
  [ ! -s said ]
}

@test "without --prefix the disk is the first of ova.xml" {
  ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk Ref:007=3M >one.xml
  xva-pack --scan --ova one.xml d.raw | xva-unpack --verify -q - >/dev/null
  ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk Ref:003=3M --disk Ref:004=3M >two.xml
  { xva-pack --scan --ova two.xml --no-trailer d.raw && xva-pack --scan --check-ova two.xml --prefix Ref:004 d.raw; } |
    xva-unpack --verify -q - >/dev/null
  fails_with 3 xva-pack --scan --check-ova two.xml d.raw
  [[ $stderr == *"no VDI has the id Ref:0: found Ref:003, Ref:004" ]]
}

@test "an empty disk is called by the name of its file" {
  qemu-img create -q -f qcow2 zero.qcow2 0
  fails_with 4 "$ROOT/scripts/export-xva" -o out.xva zero.qcow2
  [[ $stderr == *"export-xva: zero.qcow2: its disk is empty: found 0 bytes" ]]
  fails_with 4 "$ROOT/scripts/export-xva" --format raw -o out.xva empty
  [[ $stderr == *"export-xva: empty: is empty: found 0 bytes, expected a disk" ]]
}

@test "help fits into 100 columns of a wide terminal, and its examples into 80" {
  for program in vhd-headers qcow-headers extents-merge xva-pack xva-unpack xva-headers xva-zstd ova-xml; do
    COLUMNS=250 $program --help | awk -v program="$program" 'length($0) > 100 { print program ": " $0; wide = 1 } END { exit wide }'
    COLUMNS=80 $program --help | sed -n '/^Examples:/,/^$/p' >examples
    [ "$(wc -l <examples)" -gt 2 ]
    COLUMNS=80 $program --help | grep '^Usage:' | awk 'length($0) > 80 { exit 1 }'
    # As it is written, not as it was broken.
    COLUMNS=250 $program --help | sed -n '/^Examples:/,/^$/p' | diff - examples
  done
  for script in export-xva restore-disk; do
    $script --help | awk -v script="$script" 'length($0) > 100 { print script ": " $0; wide = 1 } END { exit wide }'
  done
}
