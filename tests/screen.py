"""What a terminal showed: replays what `script` recorded, for tests of progress bars.

    screen.py COLUMNS FILE           the screen in the end, a line each
    screen.py COLUMNS FILE frames    every state that a line had, one after the other

Fails if anything but a message was ever drawn past the last column, or with control sequences other than those that erase lines and
move the cursor to another one.
"""

import re
import sys

PART = re.compile(rb"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)|(.)", re.DOTALL)

# The terminal breaks one that is too long for a line.
MESSAGE = re.compile("[a-z-]+: ")


def replay(columns, recorded):
    lines, frames, row, column = [""], [], 0, 0
    for part in PART.finditer(recorded):
        count, sequence, control, text, unknown = (group and group.decode() for group in part.groups())
        if unknown:
            sys.exit(f"found {unknown!r}, expected no such control character")
        if sequence == "K":
            lines[row] = "" if count == "2" else lines[row][:column]
        elif sequence in ("A", "B"):
            row += int(count or 1) * (1 if sequence == "B" else -1)
        elif sequence:
            sys.exit(f"found the control sequence {sequence!r}, expected none but K, A and B")
        elif control == "\r":
            column = 0
        elif control == "\n":
            row += 1
        if not 0 <= row:
            sys.exit("the cursor left the screen")
        lines += [""] * (row + 1 - len(lines))
        if text:
            lines[row] = lines[row].ljust(column)[:column] + text + lines[row][column + len(text):]
            column += len(text)
            frames.append(lines[row])
            if column > columns and not MESSAGE.match(lines[row]):
                sys.exit(f"found a line of {column} columns, expected at most {columns}: {lines[row][:300]!r}")
    return lines, frames


def main():
    columns, file, frames = int(sys.argv[1]), sys.argv[2], sys.argv[3:] == ["frames"]
    with open(file, "rb") as recorded:
        shown = replay(columns, recorded.read())[frames]
    print("\n".join(line.rstrip() for line in shown if line.strip()))


main()
