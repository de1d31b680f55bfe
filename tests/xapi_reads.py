"""What becomes of a map when xapi or qcow2-to-stdout reads it: a model of their arithmetic, for tests.

usage: xapi_reads.py xapi|qcow2-to-stdout CLUSTER_SIZE VIRTUAL_SIZE RAW < map.json

Both divide start and length by the cluster size and drop the rests. xapi adds the first and the last 1 MiB chunk. Prints
the chunks of RAW that hold data and are left out, on one line.
"""

import json
import sys

CHUNK = 1 << 20


def main():
    reader, cluster, size, raw = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    last_chunk = (size - 1) // CHUNK
    read = set()
    for entry in json.load(sys.stdin):
        if not entry["data"]:
            continue
        first = entry["start"] // cluster
        if reader == "xapi":
            count = entry["length"] // cluster
        else:
            count = int(entry["length"] / cluster)
            count = min(count, -(-size // cluster) - first)
        if count > 0:
            start, end = first * cluster, (first + count) * cluster
            read.update(range(start // CHUNK, (end - 1) // CHUNK + 1))
    if reader == "xapi":
        read.update((0, last_chunk))
    with open(raw, "rb") as disk:
        data = [number for number in range(last_chunk + 1) if disk.read(CHUNK).strip(b"\0")]
    print(*(number for number in data if number not in read))


main()
