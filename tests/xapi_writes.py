"""What xapi makes of an answer to its question about blocks: a model of its export, for tests.

usage: xapi_writes.py vhd|qcow2 true|false CLUSTER_SIZE RAW < ANSWER

The second argument is vhd-legacy-blocks-format, CLUSTER_SIZE what `qemu-img info` says, RAW the disk's bytes. The rules are
those of send_one and of what parses for it: a list is written block by block, zeros too, and both the first and the last
block always; without an answer that it can parse xapi reads the whole disk and leaves zeros out.

Prints `scan` or `answer`: without an answer, or by one. After it what must not be: `missing` blocks with data, blocks `more`
than by a scan, blocks `twice`.
"""

import json
import sys

CHUNK = 1 << 20


def chunks_of(kind, legacy, cluster, text):
    """The chunks that an answer lists, or None where xapi does not understand it."""
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    if kind == "qcow2":
        # With legacy lists the array is given to the parser of objects, which refuses it.
        if legacy or not isinstance(answer, list):
            return None
        runs = []
        for entry in answer:
            first, count = entry["start"] // cluster, entry["length"] // cluster
            if entry["data"] and count > 0:
                runs.append((first, first + count - 1))
    else:
        cluster = 1 << answer["cluster_bits"]
        runs = [(each, each) if legacy else tuple(each) for each in answer["data_clusters"]]
        if legacy != all(isinstance(each, int) for each in answer["data_clusters"]):
            return None
    chunks = set()
    for first, last in runs:
        # The length is rounded up, but counted from a start that is rounded down.
        start = first * cluster // CHUNK
        chunks.update(range(start, start + -(-(last - first + 1) * cluster // CHUNK)))
    return chunks


def main():
    kind, legacy, cluster = sys.argv[1], sys.argv[2] == "true", int(sys.argv[3])
    with open(sys.argv[4], "rb") as disk:
        blocks = [bool(block.strip(b"\0")) for block in iter(lambda: disk.read(CHUNK), b"")]
    last = len(blocks) - 1
    data = {number for number, used in enumerate(blocks) if used}
    scanned = data | {0, last}
    chunks = chunks_of(kind, legacy, cluster, sys.stdin.read())
    if chunks is None:
        print("scan")
        return
    inner = sorted(each for each in chunks if 0 < each < last)
    written = sorted({0, last} | set(inner)) if legacy else [0, *inner, last]
    found = {
        "missing": sorted(data - set(written)),
        "more": sorted(set(written) - scanned),
        "twice": sorted({each for each in written if written.count(each) > 1}),
    }
    print("answer", *(f"{name} {numbers}" for name, numbers in found.items() if numbers))


main()
