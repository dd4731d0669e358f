# What the pages of the manual find in their shell. $ROOT is this page's own
# directory, $STEPS where the output of each step goes.
set -eEu -o pipefail
cd "$HOME"

declare -A stand_in
stood_for=()
# From now on VALUE is run where the page says NAME: of several names the longest that fits.
stands_for() {
    local before=() after=() name
    for name in "${stood_for[@]}"; do
        [ "$name" != "$1" ] || continue
        if [ ${#name} -ge ${#1} ]; then before+=("$name"); else after+=("$name"); fi
    done
    stood_for=("${before[@]}" "$1" "${after[@]}")
    stand_in[$1]=$2
}
# A command that ends with another status than 0, as the page says.
exits() {
    stands_for "$2" "{ $2 && status=0 || status=\$?; [ \$status = $1 ]; }"
}
# An empty home, with work of scrypt that tests can afford.
fresh_home() {
    rm -rf ~/.icn
    new_home ~/.icn
}
new_home() {
    mkdir -p -m 700 "$1"
    (umask 077; printf '%s' "$ICN_TOML" >"$1/icn.toml")
}

# A token, with the PIN that the reader types.
new_token() {
    softhsm2-util --init-token --free --label "$1" --so-pin "$READERS_SO_PIN" --pin "$READERS_PIN"
}
# The passphrase that the reader types from now on.
passphrase_is() {
    printf '%s' "$1" >"$ROOT/passphrase"
}

# The text of a page, with what stands for it.
filled() {
    local text=$1 name
    for name in "${stood_for[@]}"; do text=${text//"$name"/"${stand_in[$name]}"}; done
    printf '%s\n' "$text"
}
# The same of a command, where an identity that is not named is the reader's own.
to_run() {
    local text
    text=$(filled "$1")
    case $text in *'did:icn:z…'*) text=${text//'did:icn:z…'/"$(icnctl id export --did-only)"} ;; esac
    case $text in
    *age1…*) text=${text//age1…/"$(icnctl --format json id show | jq -r .encryption.age_recipient)"} ;;
    esac
    case $text in *…*) echo "what is … in: $text" >&2 && return 1 ;; esac
    printf '%s\n' "$text"
}
now() {
    step=$1
    echo "$1" >"$STEPS/now"
    text=$(cat)
}
hidden() {
    now "$1"
    eval "$text" </dev/tty >"$STEPS/$step.out" 2>"$STEPS/$step.err"
}
save() {
    now "$1"
    filled "$text" >"$BLOCK"
}
block() {
    now "$1"
    text=$(to_run "$text")
    # Some programs show a question on a terminal only.
    eval "$text" </dev/tty >/dev/tty 2>&1
}
console() {
    now "$1"
    text=$(to_run "$text")
    eval "$text" </dev/tty >"$STEPS/$step.out" 2>&1
}
ended() {
    echo ended >"$STEPS/now"
}
trap 'echo "$BASH_COMMAND" >"$STEPS/failed"' ERR
# What a page has started, and its reader has not stopped.
trap 'for job in $(jobs -p); do kill "$job" 2>/dev/null || true; done' EXIT
while IFS=$'\t' read -r name value; do stands_for "$name" "$value"; done <"$ROOT/stand-ins"
fresh_home
