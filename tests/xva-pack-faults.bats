#!/usr/bin/env bats
# xva-pack: disks that fail, readers that are slow or gone, signals. Whatever happens, an archive that is not whole
# does not end like one.

load common

setup_file() {
  cd "$BATS_FILE_TMPDIR" || return 1
  head -c 64M /dev/urandom > disk
}

disk() {
  echo "$BATS_FILE_TMPDIR/disk"
}

# pack_while DISK COMMAND...: the archive of DISK in `archive`, and in $status how xva-pack ended, where COMMAND is run while it
# waits for its reader: the pipe and the blocks on the way hold a few MiB only.
pack_while() {
  mkfifo pipe
  xva-pack --jobs 1 --scan "$1" > pipe 2> errors &
  local pack=$!
  exec 7< pipe
  head -c 1M <&7 > archive
  "${@:2}"
  cat <&7 >> archive
  exec 7<&-
  status=0
  wait $pack || status=$?
}

@test "a disk that becomes shorter while it is read is an error that names the block" {
  cp "$(disk)" short
  pack_while short truncate -s 32M short
  [ "$status" -eq 1 ]
  [ "$(wc -l < errors)" -eq 1 ]
  grep -q 'short: changed while it was read: block 32 at byte 33554432: ' errors
  has_no_end archive
}

@test "a disk that becomes longer while it is read is an error" {
  cp "$(disk)" long
  pack_while long truncate -s 65M long
  [ "$status" -eq 1 ]
  grep -q '68157440.*67108864' errors
  has_no_end archive
}

@test "a disk is not overwritten by its own archive" {
  cp "$(disk)" own
  run -2 --separate-stderr bash -c 'xva-pack --scan own 1<>own'
  [[ $stderr == *"own: is read, and would be written to standard output: expected another file" ]]
  cmp own "$(disk)"
}

@test "a full output is a system error" {
  run --separate-stderr bash -c "xva-pack --scan '$(disk)' > /dev/full"
  [ "$status" -eq 1 ]
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ $stderr == *"No space left"* ]]
  run --separate-stderr bash -c "ulimit -f 1024; trap '' XFSZ; xva-pack --scan '$(disk)' > limited"
  [ "$status" -eq 1 ]
  [[ $stderr == *"File too large"* ]]
  has_no_end limited
}

@test "a closed output is an error before any work" {
  run --separate-stderr bash -c "xva-pack --scan '$(disk)' >&-"
  [ "$status" -eq 1 ]
  [ "$stderr" = "xva-pack: standard output is closed" ]
}

@test "a reader that goes away ends it quietly by SIGPIPE" {
  run --separate-stderr bash -c "xva-pack --scan '$(disk)' | head -c 5M > /dev/null; exit \${PIPESTATUS[0]}"
  [ "$status" -eq 141 ]
  [ -z "$stderr" ]
}

# with_late_trailer BYTES_READ: how xva-pack ended whose reader took so many bytes of the archive, and left before the
# end-of-tar was written.
with_late_trailer() {
  strace -qq -o /dev/null -e inject=write:delay_enter=300000:when=2 xva-pack --scan small | head -c "$1" > taken
  echo "${PIPESTATUS[0]}"
}

@test "a reader that has everything but the end-of-tar may leave, one that lacks a byte of the checksum may not" {
  # All of it fits into the pipe.
  head -c 64K "$(disk)" > small
  xva-pack --scan small > archive
  local members=$(($(stat -c %s archive) - 1024))
  # The checksum has 16 characters; the rest of its record is padding.
  for taken in $members $((members - 496)); do
    [ "$(with_late_trailer "$taken")" = 0 ]
    cmp taken <(head -c "$taken" archive)
  done
  for taken in $((members - 497)) 1000; do
    [ "$(with_late_trailer "$taken")" = 141 ]
  done
}

@test "signals end it without an end-of-tar" {
  for signal in INT TERM; do
    rm -f pipe archive
    mkfifo pipe
    # A shell starts its background jobs with SIGINT ignored; python undoes that.
    python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' xva-pack --scan --report report "$(disk)" > pipe 2> errors &
    pack=$!
    exec 7< pipe
    head -c 3M <&7 > archive
    kill -$signal $pack
    cat <&7 >> archive
    exec 7<&-
    status=0
    wait $pack || status=$?
    [ "$status" -eq $((128 + $(kill -l $signal))) ]
    [ ! -s errors ]
    [ ! -e report ]
    has_no_end archive
  done
}

@test "a slow reader on a non-blocking socket is waited for" {
  xva-pack --scan "$(disk)" > expected
  python3 - "$(disk)" << 'PYTHON'
import hashlib, socket, subprocess, sys, time
ours, theirs = socket.socketpair()
theirs.setblocking(False)
pack = subprocess.Popen(["xva-pack", "--scan", sys.argv[1]], stdout=theirs)
theirs.close()
got = hashlib.sha1()
time.sleep(0.5)
ours.setblocking(True)
while data := ours.recv(1 << 16):
    got.update(data)
assert pack.wait() == 0
assert got.hexdigest() == hashlib.sha1(open("expected", "rb").read()).hexdigest()
PYTHON
}

@test "a non-blocking standard input is waited for" {
  head -c 122880 "$(disk)" > part
  python3 - << 'PYTHON'
import os, subprocess, time
def feed(arguments, chunks):
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    pack = subprocess.Popen(["xva-pack", *arguments], stdin=reader, stdout=open("archive", "wb"))
    os.close(reader)
    for chunk in chunks:
        time.sleep(0.2)
        os.write(writer, chunk)
    os.close(writer)
    assert pack.wait() == 0, arguments
    return open("archive", "rb").read()
part = open("part", "rb").read()
streamed = feed(["--scan", "-"], [part[:50000], part[50000:]])
packed = feed(["part"], [b'{"virtual_size":122880,"cluster_bits":20,', b'"data_clusters":[0]}'])
assert streamed == packed and part in packed
PYTHON
}

@test "memory is bounded whatever the disk and the number of threads" {
  truncate -s 15T huge
  # 4096 scattered blocks of allocated zeros.
  python3 -c 'print("{\"virtual_size\":%d,\"cluster_bits\":20,\"data_clusters\":[%s]}" % (15 << 40, ",".join(str(i * 3840) for i in range(4096))))' > document
  for jobs in 1 8 64; do
    in_memory 65536 xva-pack --keep-zeros --jobs $jobs --extents document huge > /dev/null
  done
}

@test "where the system gives no memory there are fewer threads and blocks, and at last a sentence" {
  head -c 8M "$(disk)" > part
  xva-pack --scan part > whole
  # The program alone, and the little that it needs to say something.
  local limit=4096 more refused=0
  until (ulimit -v "$limit"; exec xva-pack --version) > version 2>&1; do limit=$((limit + 256)); done
  for more in 1024 1536 2560 4096 8192 16384 32768; do
    for jobs in 1 2 8; do
      status=0
      (ulimit -v $((limit + more)); exec xva-pack --jobs "$jobs" --scan part) > archive 2> errors || status=$?
      case $status in
        0) cmp archive whole ;;
        1) grep -q '^xva-pack: no memory for a block' errors && refused=$more ;;
        # Of what is small the standard library does not ask whether it is there; what is large must be a sentence.
        134) [ "$(grep -oE 'memory allocation of [0-9]+' errors | grep -oE '[0-9]+' | sort -n | tail -n 1)" -lt 65536 ] ;;
        *) echo "found status $status with $more KiB more than nothing"; cat errors; return 1 ;;
      esac
    done
  done
  [ "$refused" -gt 0 ]
  # With 32 MiB there is room for all.
  [ "$status" -eq 0 ]
}
