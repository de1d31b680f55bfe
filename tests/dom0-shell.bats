#!/usr/bin/env bats
# What runs in dom0 runs under bash 4.2 and the coreutils of 2013: what these do not have is not in the scripts.

load common

setup() {
  cd "$ROOT" || return 1
  SCRIPTS=(scripts/export-xva scripts/export/*.bash scripts/*.bash scripts/xapi/{backing-info,check-host,qemu-img,vhd-tool,*.bash})
}

# The constructs, each with its first version; a line of them that is not a comment is refused.
FORBIDDEN=(
  'local -n, declare -n, typeset -n (bash 4.3)|(local|declare|typeset) +-[a-zA-Z]*n'
  'mapfile -d, readarray -d (bash 4.4)|(mapfile|readarray) .*-d'
  '${a@Q} and its like (bash 4.4)|\$\{[^}]*@[A-Za-z]\}'
  'wait -n, wait -p (bash 4.3, 5.1)|wait +-[a-zA-Z]*[np]'
  'local - (bash 4.4)|local +-( |$|;)'
  'inherit_errexit (bash 4.4)|inherit_errexit'
  'EPOCHSECONDS, EPOCHREALTIME, SRANDOM, BASH_ARGV0 (bash 5)|EPOCHSECONDS|EPOCHREALTIME|SRANDOM|BASH_ARGV0'
  'test -R, [[ -v a[i] ]] (bash 4.3)|\[ +-R|-v +[a-z_]+\['
  'a[-1]=, unset a[-1] (bash 4.3)|[a-z_]+\[-[0-9]+\]=|unset .*\[-'
  '<(...) or >(...) but after a redirection: closed after the first command of a function (bash 4.2)|(^|[^<> ]|[^<>] )[<>]\('
  'od --endian (coreutils 8.23)|od .*--endian'
  'realpath, where readlink does|realpath'
  'numfmt (8.21)|numfmt'
  'stat %Hd and %Ld, date -u --resolution, env -S, sort --debug (later)|stat .*%[HL]d|env +-S'
  'an empty array as ${a[@]} in a function call|"\$\{(search|skip_holes|networks|trailer|progress|environment)\[@\]\}"'
)

# found CONSTRUCT FILE...: the lines with it, without comments, and without the right form ${a[@]+"${a[@]}"}.
found() {
  sed -E 's/(^|[[:space:]])#.*//; s/\$\{[a-z_]+\[@\]\+"\$\{[a-z_]+\[@\]\}"\}//g' "${@:2}" | grep -E -- "${1#*|}"
}

@test "no script of dom0 uses what bash 4.2 or its coreutils do not have" {
  local construct bad=''
  for construct in "${FORBIDDEN[@]}"; do
    ! found "$construct" "${SCRIPTS[@]}" || { echo "^ ${construct%%|*}"; bad=yes; }
  done
  [ -z "$bad" ]
}

@test "each of these would be found" {
  local sample number=0
  while IFS= read -r sample; do
    printf '%s\n' "$sample" >"$BATS_TEST_TMPDIR/sample"
    found "${FORBIDDEN[number]}" "$BATS_TEST_TMPDIR/sample" || { echo "not found: $sample"; return 1; }
    number=$((number + 1))
  done <<'EOF'
  local -n name=$1
  mapfile -t -d '' lines
  echo "${name@Q}"
  wait -n
  local -
  shopt -s inherit_errexit
  echo "$EPOCHSECONDS"
  [ -R name ]
  a[-1]=x
  pack --ova <(printf '%s' "$ova")
  od -An --endian=big -tu4
  realpath -m x
  numfmt 1
  env -S bash
  headers "${search[@]}"
EOF
  [ $number -eq ${#FORBIDDEN[@]} ]
}
