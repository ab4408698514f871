# What all cases begin with. A case is a piece of bash under -eu and pipefail; it fails where a command fails.
#   $RUNTIME  the runtime's file         $WORK  a directory of this case alone      $NAME  a name of this case alone
#   $SUITE    this suite's own file
#   $BASE     the engine's directory     $PARENT  the cgroup above all containers
set -eEuo pipefail
trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR
cd "$WORK"

# Fails unless both texts are the same.
eq() { [ "$1" = "$2" ] || { echo "got '$1', want '$2'" >&2; return 1; }; }
# Fails unless the first text holds the second, a pattern.
has() { [[ $1 == *$2* ]] || { echo "'$1' has no '$2'" >&2; return 1; }; }
hasnt() { [[ $1 != *$2* ]] || { echo "'$1' has '$2'" >&2; return 1; }; }
# gives CODE COMMAND...: the command must end with that code. What it says is in $said.
gives() {
    local want=$1 code=0
    shift
    said=$("$@" 2>&1) || code=$?
    [ "$code" = "$want" ] || { echo "'$*' gave $code, want $want: $said" >&2; return 1; }
}
# soon COMMAND...: the command must succeed within ten seconds; it is tried again and again.
soon() {
    local deadline=$((SECONDS + 10))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || { echo "not in 10 s: $*" >&2; return 1; }
        sleep 0.05
    done
}
skip() { echo "$*" >&2; trap - ERR; exit 77; }
# A command at a pseudo-terminal; what it writes comes without carriage returns.
pty() {
    local line
    printf -v line '%q ' "$@"
    [ -p quiet ] || mkfifo quiet
    script -qefc "$line" /dev/null <>quiet | tr -d '\r'
}
