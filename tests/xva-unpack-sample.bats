#!/usr/bin/env bats
# xva-unpack --sample: the whole structure, and the checksums of some blocks, the same ones for the same seed.

load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  head -c 40M /dev/urandom >a.raw
  ova-xml --name vm --memory 1G --vcpus 1 --firmware bios --disk Ref:000=40M >ova.xml
  xva-pack --scan --ova ova.xml --prefix Ref:000 a.raw >a.xva
}

@test "a sample says so, how many blocks it has, and its seed, and never that the archive is sound" {
  xva-unpack --sample 20% a.xva >out
  [[ $(cat out) != *sound* ]]
  [[ $(tail -n 1 out) =~ ^a.xva:\ sampled:\ no\ fault\ in\ the\ structure,\ and\ the\ checksums\ of\ ([0-9]+)\ of\ 40\ blocks\ are\ right.*--seed\ ([0-9]+)$ ]]
  [ "${BASH_REMATCH[1]}" -ge 1 ]
  grep -q '^Ref:000 .* sampled ' out
  xva-unpack --verify --sample 20% --seed "${BASH_REMATCH[2]}" a.xva | cmp - out
  # Only those blocks are read.
  strace -o calls -e trace=pread64 xva-unpack --sample 20% --seed "${BASH_REMATCH[2]}" a.xva >out
  [ "$(grep -c '= 10[0-9]*$' calls)" -le "${BASH_REMATCH[1]}" ]
}

@test "a wrong block is found by the seeds that take it, and always by 100%" {
  # In the data of the block with number 17.
  at=$(LC_ALL=C grep -abo 'Ref:000/00000017' a.xva | head -n 1 | cut -d: -f1)
  printf 'wrong' | dd of=a.xva bs=1 seek=$((at + 5000)) conv=notrunc status=none
  fails_with 3 xva-unpack --sample 100% a.xva
  [[ $stderr == *"Ref:000/00000017.xxhash at byte"* ]]
  found=0
  for seed in {1..20}; do
    run xva-unpack --sample 20% --seed "$seed" a.xva
    [ "$status" -eq 0 ] || { [ "$status" -eq 3 ] && found=$((found + 1)); }
    one=$status
    run xva-unpack --sample 20% --seed "$seed" a.xva
    [ "$status" -eq "$one" ]
  done
  [ $found -ge 1 ]
  [ $found -lt 20 ]
  # The first block is always looked at.
  at=$(LC_ALL=C grep -abo 'Ref:000/00000000' a.xva | head -n 1 | cut -d: -f1)
  printf 'wrong' | dd of=a.xva bs=1 seek=$((at + 5000)) conv=notrunc status=none
  fails_with 3 xva-unpack --sample 0.000001% a.xva
}

@test "the structure is looked at as --verify does" {
  head -c 30M a.xva >short.xva
  fails_with 3 xva-unpack --sample 1% short.xva
  # What xapi refuses, too.
  tar -xf a.xva
  tar --format=gnu -cf order.xva ova.xml Ref:000/00000001 Ref:000/00000001.xxhash Ref:000/00000000 Ref:000/00000000.xxhash
  fails_with 3 xva-unpack --sample 1% order.xva
}

@test "a pipe cannot be sampled, nor is a share that is none one" {
  fails_with 2 bash -c 'cat a.xva | xva-unpack --sample 1%'
  [[ $stderr == *"standard input: is not seekable: "* ]]
  xva-unpack --sample 1% - <a.xva >out
  for share in 0% 1 101% -1% x; do fails_with 2 xva-unpack "--sample=$share" a.xva; done
  fails_with 2 xva-unpack --seed 1 a.xva
  fails_with 2 xva-unpack --list --sample 1% a.xva
  fails_with 2 xva-unpack --disk Ref:000 -o x --sample 1% a.xva
}
