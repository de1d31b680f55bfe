"""Runs the header tools in every mode over damaged images, and fails unless each run ends with a document, or with a
status of its own, one line, and no document.

usage: hostile_runs.py MINIMUM IMAGE...: at least MINIMUM runs of either tool must end with either status, 3 and 4."""

import collections
import itertools
import resource
import subprocess
import sys

# For this process too, which starts the others faster than if it had to set theirs.
resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

modes = {"qcow": [[], ["--output", "list"], ["--output", "map"], ["--skip-holes"], ["--no-backing"]],
         "vhd": [[], ["--output", "list"], ["--output", "map"], ["--sectors"], ["--skip-holes"], ["--no-parents"]]}
for tool in modes:
    # For those who trace the runs: what the loader opens is opened here too.
    subprocess.run([tool + "-headers", "--version"], check=True)
seen = collections.Counter()
for image in sys.argv[2:]:
    tool = "qcow" if "qcow2" in image else "vhd"
    for options in modes[tool]:
        command = [tool + "-headers", *options, image]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        seen[tool, done.returncode] += 1
        whole = done.stdout.rstrip().endswith(b"]") or done.stdout.rstrip().endswith(b"]}")
        lines = done.stderr.count(b"\n")
        if done.returncode == 0:
            assert whole, (command, done)
        else:
            # 1 is for what the system refuses: here a parent whose name was changed.
            assert done.returncode in (1, 3, 4) and lines == 1 and not whole, (command, done)
            assert done.returncode != 1 or b"not found" in done.stderr or b"directory" in done.stderr, (command, done)
print(dict(seen))
for tool, status in itertools.product(modes, (3, 4)):
    assert seen[tool, status] >= int(sys.argv[1]), (tool, status)
