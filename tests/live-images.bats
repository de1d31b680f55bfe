#!/usr/bin/env bats
# Images that change while a map leads through them: what comes out is one state of the image, or status 1.

load common

# RACES=200 makes it sure; so many take seconds.
RACES=${RACES:-40}

# races KIND: no run has the bytes of no state, and there are runs that were noticed and others that were not disturbed.
races() {
  run -0 python3 "$ROOT/tests/live_races.py" "$1" "$RACES"
  echo "$1: $output" >&3
  [[ $output =~ ^((after|before|between|status 1): [0-9]+(, )?)+$ ]]
  [[ $output =~ (after|before|between): && $output =~ "status 1": ]]
}

@test "an image that another one takes the name of is packed in one state or not at all" {
  races rename
}

@test "an image that a guest writes to is packed in one state or not at all" {
  races in-place
}
