#!/usr/bin/env bats
# xva-pack --map: the disk is put together from the files that the map names.

load common
load pack-inputs

setup_file() {
  cd "$BATS_FILE_TMPDIR" || return 1
  # A disk of 5.5 MiB in two files, plain, zlib and zstd, with parts of clusters hidden, and its raw truth.
  python3 - << 'PYTHON'
import json, os, random, subprocess, zlib
random.seed(7)
SIZE = 5 * (1 << 20) + (1 << 19)
raw = bytearray(SIZE)
entries, files = [], {"a.img": bytearray(b"header" + bytes(506)), "b img \u00e9.img": bytearray(700)}
position = 0

def text(length):
    return bytes(random.choice(b"abcd") for _ in range(length // 8)) * 8 if length >= 8 else b"x" * length

def put(length, **how):
    global position
    entries.append({"start": position, "length": length, "depth": 0, "present": True, "zero": False, "data": True,
                    "compressed": False} | how)
    position += length

def zero(length):
    global position
    entries.append({"start": position, "length": length, "depth": 1, "present": False, "zero": True, "data": False,
                    "compressed": False})
    position += length

def plain(name, data):
    file = files[name]
    raw[position:position + len(data)] = data
    put(len(data), offset=len(file), filename=name)
    file.extend(data + bytes(17))

def compress(kind, data):
    if kind == "zlib":
        deflate = zlib.compressobj(9, zlib.DEFLATED, -12)
        return deflate.compress(data) + deflate.flush()
    return subprocess.run(["zstd", "-c", "-q"], input=data, capture_output=True, check=True).stdout

def compressed(name, kind, size, parts):
    """parts: (skip, length) shown of the cluster, None for a part that a layer above shows as zero"""
    data = (text(size) + bytes(size))[:size]
    packed = compress(kind, data)
    offset = len(files[name])
    host_length = -(-(offset + len(packed)) // 512) * 512 - offset
    for skip, length, shown in parts:
        if shown:
            raw[position:position + length] = data[skip:skip + length]
            put(length, compressed=True, offset=offset, filename=name, host_length=host_length, compression=kind,
                cluster_size=size, skip=skip)
        else:
            zero(length)
    files[name].extend(packed)

zero(4096)
plain("a.img", random.randbytes(300000 // 512 * 512))
plain("b img \u00e9.img", random.randbytes(512))
zero(1 << 20)
compressed("a.img", "zlib", 65536, [(0, 65536, True)])
compressed("a.img", "zstd", 65536, [(0, 65536, True)])
compressed("b img \u00e9.img", "zstd", 2 << 20, [(0, 4096, True), (4096, 1 << 20, False), (4096 + (1 << 20), 512, True),
           (4608 + (1 << 20), 300000 // 512 * 512, True)])
compressed("a.img", "zlib", 1 << 20, [(512, 512, True), (1024, 512, False), (1536, 65536, True)])
plain("a.img", random.randbytes(1 << 20))
compressed("a.img", "zlib", 65536, [(0, 65536, True)])
compressed("b img \u00e9.img", "zstd", 65536, [(0, 65536, True)])
zero(SIZE - position - 1024)
plain("a.img", random.randbytes(1024))
for name, content in files.items():
    open(name, "wb").write(content)
open("raw", "wb").write(raw)
json.dump(entries, open("map", "w"), indent=1)
PYTHON
}

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  cp "$BATS_FILE_TMPDIR"/* .
}

# changed JQ_FILTER: the map with a change, on stdout.
changed() {
  jq "$1" map
}

# has_open PID NAME: the process, or one that PID as a pattern stands for, has the file open that is NAME in this directory.
has_open() {
  [ -n "$(find /proc/$1/fd -lname "$PWD/$2" 2> /dev/null || true)" ]
}

# is_refused_without_an_end STATUS: so the map on standard input is.
is_refused_without_an_end() {
  local status=0
  xva-pack --map - > archive 2> errors || status=$?
  cat errors
  [ "$status" -eq "$1" ]
  [ "$(wc -l < errors)" -eq 1 ]
  has_no_end archive
}

@test "the archive of a map is that of the raw disk" {
  xva-pack --scan raw > expected
  xva-pack --map map | cmp - expected
  xva-pack --map - < map | cmp - expected
  jq -c . map | xva-pack --map - | cmp - expected
  xva-pack --jobs 1 --map map | cmp - expected
  xva-pack --drop-cache --map map | cmp - expected
  xva-pack --scan --pad raw | cmp - <(xva-pack --pad --map map)
}

@test "the report of a map has the CRC of the raw disk" {
  cat map | xva-pack --map - --report report > archive
  crc=$(python3 -c 'import zlib; print("%08x" % zlib.crc32(open("raw", "rb").read()))')
  jq -e --arg crc "$crc" --argjson size "$(stat -c %s archive)" \
    '.source == "map" and .disk == {bytes: 5767168, crc32: $crc} and .bytes_written == $size' report
}

@test "--measure and --progress work through a map" {
  [ "$(xva-pack --map map --measure --keep-zeros)" -eq "$(xva-pack --map map --keep-zeros | wc -c)" ]
  [ "$(xva-pack --map - --measure --keep-zeros < map)" -eq "$(xva-pack --map map --keep-zeros | wc -c)" ]
  xva-pack --map map --progress=9 9> lines > archive
  [ "$(tail -n 1 lines)" = 100/100 ]
}

@test "an empty map is no disk, and a map of zeros is the archive of a disk of zeros" {
  fails_with 4 xva-pack --map <(echo '[]')
  echo '[{"start":0,"length":3145728,"zero":true,"data":false}]' > zeros
  truncate -s 3M disk
  xva-pack --map zeros | cmp - <(xva-pack --scan disk)
  echo '[{"start":0,"length":512,"zero":true,"data":false}]' > zeros
  truncate -s 512 disk
  xva-pack --map zeros | cmp - <(xva-pack --scan disk)
}

@test "gaps, overlaps and entries outside their file end without an end-of-tar" {
  changed 'del(.[3])' | is_refused_without_an_end 3
  changed '.[3].length -= 512' | is_refused_without_an_end 3
  changed '.[3].length += 512' | is_refused_without_an_end 3
  changed '[.[1], .[0]] + .[2:]' | is_refused_without_an_end 3
  changed '.[-1].offset += 512' | is_refused_without_an_end 3
  changed '.[-1].offset = 18446744073709551615' | is_refused_without_an_end 3
  changed '.[4].offset = 999999999' | is_refused_without_an_end 3
  changed '.[4].skip = 512' | is_refused_without_an_end 3
  changed . | head -c -2 | is_refused_without_an_end 3
  { changed .; echo x; } | is_refused_without_an_end 3
  echo '{"virtual_size":512,"cluster_bits":20,"data_clusters":[]}' | is_refused_without_an_end 3
  head -c 0 map | is_refused_without_an_end 3
}

@test "a map in a file is sound before the first byte" {
  changed '.[-1].offset += 512' > wrong
  fails_with 3 xva-pack --map wrong
  [ -z "$output" ]
  head -c -2 map > wrong
  fails_with 3 xva-pack --map wrong
  [ -z "$output" ]
}

@test "a map that does not say where the data is ends with status 4" {
  qemu-img map --output=json -f raw raw | is_refused_without_an_end 4
  changed 'map(del(.filename))' | is_refused_without_an_end 4
  changed 'map(del(.compression))' | is_refused_without_an_end 4
}

@test "a file that changes before the map mentions it is a system error" {
  for change in 'printf y | dd of=late bs=1 seek=100 conv=notrunc status=none' 'mv other late'; do
    head -c 2M /dev/urandom > early
    head -c 1M /dev/urandom > late
    head -c 1M /dev/urandom > other
    sleep 0.05
    mkfifo entries
    xva-pack --map - < entries > archive 2> errors &
    exec 7> entries
    printf '[{"start":0,"length":2097152,"data":true,"filename":"early","offset":0},' >&7
    # By then the first entry is read, and nothing of the second file was said.
    await has_open $! early
    sleep 0.05
    eval "$change"
    printf '{"start":2097152,"length":1048576,"data":true,"filename":"late","offset":0}]' >&7
    exec 7>&-
    local status=0
    wait $! || status=$?
    [ "$status" -eq 1 ]
    grep -q 'late: changed since the map began' errors
    has_no_end archive
    rm entries
  done
}

@test "damaged and short clusters are named" {
  first=$(jq 'map(select(.compression == "zlib"))[0].offset' map)
  printf '\377\377\377' | dd of=a.img bs=1 seek="$first" conv=notrunc status=none
  is_refused_without_an_end 3 < map
  grep -q "compressed cluster at byte $first" errors
  cp "$BATS_FILE_TMPDIR/a.img" .
  first=$(jq 'map(select(.compression == "zstd"))[0].offset' map)
  printf '\377\377\377\377\377\377' | dd of=a.img bs=1 seek="$first" conv=notrunc status=none
  is_refused_without_an_end 3 < map
  cp "$BATS_FILE_TMPDIR/a.img" .
  changed 'map(if .compression == "zlib" then .cluster_size = 2097152 else . end)' | is_refused_without_an_end 3
  changed 'map(if .compression == "zstd" and .cluster_size == 65536 then .host_length = 5 else . end)' |
    is_refused_without_an_end 3
}

@test "a missing file is a system error" {
  rm a.img
  is_refused_without_an_end 1 < map
}

@test "a file that changes meanwhile is noticed at the end" {
  mkfifo slow
  for change in 'touch a.img' 'truncate -s +512 a.img' 'cp a.img new; mv new a.img' 'rm a.img'; do
    cp -p "$BATS_FILE_TMPDIR/a.img" .
    is_refused_without_an_end 1 < slow &
    checked=$!
    exec 8> slow
    # xva-pack opens the files with their first entries, and waits for the rest of the map.
    head -c -100 map >&8
    await has_open '*' a.img
    eval "$change"
    tail -c 100 map >&8
    exec 8>&-
    wait $checked
    grep -q 'a.img: ' errors
  done
}

@test "many files are read with few descriptors" {
  python3 - << 'PYTHON'
import json, os
entries = []
raw = open("many.raw", "wb")
for i in range(300):
    data = os.urandom(65536)
    open(f"part{i % 100}", "ab").write(data)
    raw.write(data)
    entries.append({"start": i * 65536, "length": 65536, "zero": False, "data": True, "offset": i // 100 * 65536,
                    "filename": f"part{i % 100}"})
json.dump(entries, open("many", "w"))
PYTHON
  (ulimit -n 64; xva-pack --map many) | cmp - <(xva-pack --scan many.raw)
}

@test "a map is followed in bounded memory" {
  # 2 GiB by the sector, from one sector: 4,000,000 entries.
  python3 -c '
print("[", end="")
for i in range(2000000):
    print("%s{\"start\":%d,\"length\":512,\"zero\":false,\"data\":true,\"offset\":%d,\"filename\":\"a.img\"},"
          "{\"start\":%d,\"length\":512,\"zero\":true,\"data\":false}" % ("," if i else "", i * 1024, i % 2 * 1024, i * 1024 + 512), end="")
print("]")' > big
  in_memory 65536 xva-pack --map - < big > /dev/null
}

@test "a disk too large for eight digits is refused" {
  echo '[{"start":0,"length":104857600000512,"zero":true,"data":false}]' > large
  fails_with 4 xva-pack --map large
  [[ $stderr == *104857600000512*104857600000000* ]]
  # The largest one: its last block is 99999999.
  echo '[{"start":0,"length":104857600000000,"zero":true,"data":false}]' > large
  diff <(xva-pack --map large | tar -t) <(printf 'Ref:0/%s\n' 00000000{,.xxhash} 99999999{,.xxhash})
}

@test "metadata is held against the size of the map" {
  ova right Ref:0=5767168
  ova padded Ref:0=6291456
  xva-pack -q --map map --ova right > archive
  cat map | xva-pack -q --map - --ova right | cmp - archive
  [ "$(tar -tf archive | head -n 1)" = ova.xml ]
  xva-pack -q --pad --map map --ova padded | tar -t > padded.list
  fails_with 3 xva-pack -q --map map --ova padded
  [ -z "$output" ]
  ova small Ref:0=1048576
  for wrong in padded small; do
    cat map | { ! xva-pack -q --map - --ova $wrong > archive 2> errors; }
    [ "$(wc -l < errors)" -eq 1 ]
    has_no_end archive
  done
}

@test "a map needs no disk and excludes what names one" {
  fails_with 2 xva-pack --map map raw
  fails_with 2 xva-pack --map map --scan
  fails_with 2 xva-pack --map map --extents map
  fails_with 2 xva-pack --map map --fallback-scan
  fails_with 2 xva-pack
}

@test "a cluster that reserves a gibibyte takes no such memory" {
  python3 - > big.json << 'PYTHON'
import json, zlib
deflate = zlib.compressobj(9, zlib.DEFLATED, -12)
with open("f", "wb") as f:
    f.write(deflate.compress(b"data" * 16384) + deflate.flush())
    f.truncate(1 << 31)
print(json.dumps([{"start": 0, "length": 65536, "zero": False, "compressed": True, "offset": 0, "filename": "f",
                   "host_length": 1 << 30, "compression": "zlib", "cluster_size": 65536}]))
PYTHON
  in_memory 65536 xva-pack --map big.json | tar -xO Ref:0/00000000 > block
  cmp block <(yes data | tr -d '\n' | head -c 65536)
}

@test "a map of countless entries takes no memory" {
  head -c 4096 /dev/urandom > f
  python3 - > many.json <<'EOF'
print("[" + ",".join(f'{{"start":{i},"length":1,"zero":false,"offset":{i * 7 % 4096},"filename":"f"}}' for i in range(1 << 20)) + "]")
EOF
  run --separate-stderr bash -c 'env time -f %M -o peak xva-pack --map - < many.json > archive'
  [ "$status" -eq 4 ]
  [[ $stderr == *"too many pieces"* ]]
  [ "$(tail -n 1 peak)" -le 65536 ]
}
