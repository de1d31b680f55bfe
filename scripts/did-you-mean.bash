# Sourced by the scripts: which option was meant.

# distance A B: how many letters must come, go or be another one to make B of A.
distance() {
  local a=$1 b=$2 i j above corner best row=()
  for ((j = 0; j <= ${#b}; j++)); do row[j]=$j; done
  for ((i = 1; i <= ${#a}; i++)); do
    corner=${row[0]} row[0]=$i
    for ((j = 1; j <= ${#b}; j++)); do
      above=${row[j]} best=$corner
      [ "${a:i-1:1}" = "${b:j-1:1}" ] || best=$((corner + 1))
      [ $((above + 1)) -ge "$best" ] || best=$((above + 1))
      [ $((row[j - 1] + 1)) -ge "$best" ] || best=$((row[j - 1] + 1))
      row[j]=$best corner=$above
    done
  done
  echo "${row[${#b}]}"
}

# did_you_mean GIVEN: a question, and a blank after it, if one of the long options in the help (`usage`) is near; nothing otherwise.
did_you_mean() {
  local option nearest='' least=$((${#1} / 3 + 1)) found
  for option in $(usage | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
    # The beginning of one may be all that was typed.
    if [ ${#1} -gt 3 ] && [[ $option == "$1"* ]]; then found=0; else found=$(distance "$1" "$option"); fi
    if [ "$found" -lt "$least" ]; then least=$found nearest=$option; fi
  done
  echo "${nearest:+did you mean $nearest? }"
}
