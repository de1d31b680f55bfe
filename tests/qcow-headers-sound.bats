#!/usr/bin/env bats
# What qemu writes is sound, whatever it was told to do: the checks of qcow-headers must refuse none of it. The judge of
# soundness is qemu-img check, that of content qemu-img convert.

load common
load qcow2-images

# sound IMAGE: qemu finds nothing wrong, and a disk is made of it by its map as qemu makes one.
sound() {
  local checked=0
  qemu-img check -q "$1" >check.out 2>&1 || checked=$?
  # 3: leaked clusters alone.
  [[ $checked = [03] ]] || { echo "qemu-img check of $1: $checked $(cat check.out)"; return 1; }
  qcow-headers "$1" >intervals.json || { echo "$1 is refused"; return 1; }
  qcow-headers --output map "$1" >map.json || { echo "no map of $1"; return 1; }
  qemu-img convert -O raw "$1" theirs.raw
  xva-pack --pad --map map.json >ours.xva
  xva-unpack -q --disk Ref:0 -o ours.raw --force ours.xva
  cmp -n "$(stat -c %s theirs.raw)" theirs.raw ours.raw
}

# worn IMAGE: overwritten, zeroed in every way, discarded.
worn() {
  change "$1" 'write -P 1 0 700k' 'write -z 64k 100k' 'write -zu 300k 64k' 'discard 500k 128k' 'write -P 2 1M 300000' \
    'write -z 1M 256k' 'write -P 3 1100k 4k' 'write -P 4 2047k 1k' 'discard 0 64k'
}

@test "every cluster size in both versions, with and without subclusters" {
  for size in 512 1k 2k 4k 8k 16k 32k 64k 128k 256k 512k 1M 2M; do
    case $size in
      512) more=(refcount_bits=1 refcount_bits=64) ;;
      1k | 2k | 4k | 8k) more=() ;;
      *) more=(extended_l2=on) ;;
    esac
    for options in compat=0.10 compat=1.1 "${more[@]}"; do
      new disk.qcow2 -o "$options,cluster_size=$size" 2M
      worn disk.qcow2
      sound disk.qcow2
    done
  done
}

@test "every kind of preallocation, also above a backing file, and after zeros and discards" {
  new base.qcow2 2M
  fill base.qcow2 0 2M
  for preallocation in metadata falloc full; do
    for options in cluster_size=4k extended_l2=on extended_l2=on,cluster_size=16k lazy_refcounts=on; do
      new disk.qcow2 -o "preallocation=$preallocation,$options" 2M
      sound disk.qcow2
      worn disk.qcow2
      sound disk.qcow2
      qemu-img resize -q --preallocation="$preallocation" disk.qcow2 3M
      sound disk.qcow2
    done
    new over.qcow2 -o "preallocation=$preallocation,extended_l2=on" -F qcow2 -b base.qcow2 2M
    sound over.qcow2
    worn over.qcow2
    sound over.qcow2
  done
}

@test "compressed clusters among others" {
  seq 1 300000 >text
  truncate -s 2M text
  for options in compression_type=zlib compression_type=zstd,extended_l2=on cluster_size=512 cluster_size=2M compat=0.10; do
    qemu-img convert -q -c -f raw -O qcow2 -o "$options" text disk.qcow2
    sound disk.qcow2
    change disk.qcow2 'write -P 1 100k 300k' 'discard 512k 256k' 'write -z 1M 64k' 'write -P 4 1M 1'
    sound disk.qcow2
  done
}

@test "external data files" {
  for options in data_file_raw=off data_file_raw=on data_file_raw=off,extended_l2=on data_file_raw=on,preallocation=metadata; do
    rm -f disk.data
    new disk.qcow2 -o "data_file=disk.data,$options" 2M
    worn disk.qcow2
    sound disk.qcow2
  done
}

@test "internal snapshots share clusters with each other, and bitmaps with nobody" {
  for options in compat=1.1 compat=0.10 extended_l2=on cluster_size=512 lazy_refcounts=on; do
    new disk.qcow2 -o "$options" 2M
    for name in one two three; do
      worn disk.qcow2
      qemu-img snapshot -c "$name" disk.qcow2
      sound disk.qcow2
    done
    qemu-img snapshot -d two disk.qcow2
    sound disk.qcow2
    change disk.qcow2 'write -z 0 2M'
    sound disk.qcow2
    qemu-img snapshot -a one disk.qcow2
    sound disk.qcow2
    [ "$options" = compat=0.10 ] || for name in b1 b2; do
      qemu-img bitmap --add -g 4k disk.qcow2 "$name"
      worn disk.qcow2
      sound disk.qcow2
    done
  done
}

@test "images that were amended, rebased, committed, resized and repaired" {
  new base.qcow2 -o compat=0.10 2M
  fill base.qcow2 0 1M
  new other.qcow2 4M
  fill other.qcow2 64k 3M
  new disk.qcow2 -o compat=0.10 -F qcow2 -b base.qcow2 4M
  worn disk.qcow2
  qemu-img amend -q -f qcow2 -o compat=1.1,lazy_refcounts=on disk.qcow2
  sound disk.qcow2
  worn disk.qcow2
  qemu-img amend -q -f qcow2 -o compat=0.10 disk.qcow2
  sound disk.qcow2
  qemu-img rebase -q -f qcow2 -F qcow2 -b other.qcow2 disk.qcow2
  sound disk.qcow2
  qemu-img snapshot -c s disk.qcow2
  qemu-img snapshot -d s disk.qcow2
  qemu-img resize -q --shrink disk.qcow2 1500k
  sound disk.qcow2
  qemu-img amend -q -f qcow2 -o compat=1.1 disk.qcow2
  qemu-img resize -q disk.qcow2 70M
  worn disk.qcow2
  sound disk.qcow2
  qemu-img commit -q disk.qcow2
  sound disk.qcow2
  sound other.qcow2
  # Killed before it was closed: dirty, with refcounts that are out of date.
  new dirty.qcow2 -o lazy_refcounts=on,cluster_size=4k 2M
  qemu-io -f qcow2 -c 'write -q -P 5 0 1M' -c 'discard -q 64k 64k' -c 'write -q -z 512k 64k' -c 'abort' dirty.qcow2 || true
  qcow-headers dirty.qcow2
  qemu-img check -q -r all dirty.qcow2 >/dev/null || true
  sound dirty.qcow2
}

@test "encrypted images have extents" {
  for format in luks aes; do
    qemu-img create -q -f qcow2 --object secret,id=s,data=x -o "encrypt.format=$format,encrypt.key-secret=s,encrypt.iter-time=10" e.qcow2 2M ||
      qemu-img create -q -f qcow2 --object secret,id=s,data=x -o "encrypt.format=$format,encrypt.key-secret=s" e.qcow2 2M || continue
    qemu-io --object secret,id=s,data=x -c 'write -q -P 1 0 300k' -c 'write -q -z 64k 64k' -c 'discard -q 128k 64k' \
      --image-opts driver=qcow2,file.filename=e.qcow2,encrypt.key-secret=s >/dev/null
    run -0 qcow-headers e.qcow2
    [[ $output == *'[[0,0],'* ]]
  done
}
