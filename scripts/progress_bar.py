"""A bar on stderr for what is read of a disk, as the programs draw theirs: what it is, how far, how fast, how long."""

import os
import sys
import threading
import time

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

# Columns of a name, of the narrowest bar with its brackets, and between two parts.
NAME, NARROWEST, GAP = 11, 8, "  "

# Seconds between two looks of it.
STEP = 0.05


class Bar:
    """Knows how many bytes of `total` were read, by any thread."""

    def __init__(self, name, total):
        self.name, self.total = name, total
        self.lock = threading.Lock()
        self.done = 0
        self.begun = self.drawn = None
        self.ended = False

    def add(self, count):
        """Takes note of `count` bytes more."""
        with self.lock:
            now = time.monotonic()
            self.begun = self.begun or now
            self.done = min(self.done + count, self.total)
            is_last = self.done == self.total
            if not self.ended and (is_last or self.drawn is None or now - self.drawn >= STEP):
                self.drawn, self.ended = now, is_last
                self.write(line(self.name, self.done, self.total, now - self.begun, columns()) + ("\n" if is_last else ""))

    def leave(self):
        """Ends a line that did not come to its end."""
        if self.drawn and not self.ended:
            self.write("\n")

    def write(self, text):
        try:
            os.write(2, f"\r\033[2K{text}".encode() if text != "\n" else b"\n")
        except OSError:
            self.ended = True


def columns():
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80


def line(name, done, total, seconds, width):
    """One line of at most `width` columns; where that is too narrow for all, without the rate, the amount and the bar."""
    rate = done / seconds if seconds else 0
    if done == total:
        last = f"in {clock(seconds)}"
    else:
        last = f"ETA {clock((total - done) / rate) if rate else '-:--:--'}"
    share = f"{done * 100 // total if total else 100:3}%"
    parts = [f"{name:{NAME}}", "", f"{share:>4}", amount(done, total), f"{speed(rate):>10}", f"{last:>11}"]
    for left_out in ((), (3,), (3, 4), (1, 3, 4)):
        kept = [part for at, part in enumerate(parts) if at not in left_out]
        room = width - len(GAP.join(kept))
        if 1 in left_out or room >= NARROWEST:
            break
    if 1 not in left_out:
        inner = room - 2
        full = inner * done // total if total else inner
        kept[1] = "[" + ("=" * full + ">" * (done < total) + " " * inner)[:inner] + "]"
    return GAP.join(kept)[:width]


def unit(count):
    """The unit in which `count` bytes have one to four digits, and the bytes of it."""
    size = 1
    for name in UNITS:
        if count < size * 1024 or name == UNITS[-1]:
            return name, size
        size *= 1024


def amount(done, total):
    name, size = unit(total)
    decimals = 0 if name == "B" or total / size >= 100 else 1 if total / size >= 10 else 2
    whole = f"{total / size:.{decimals}f}"
    return f"{done / size:{len(whole)}.{decimals}f}/{whole} {name}"


def speed(rate):
    name, size = unit(rate)
    return f"{rate / size:.{int(rate / size < 9.95 and name != 'B')}f} {name}/s"


def clock(seconds):
    hours, rest = divmod(int(seconds), 3600)
    if hours < 10:
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"
    return f"{hours}h{rest // 60:02}m" if hours < 1000 else "long"
