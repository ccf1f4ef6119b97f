# Sourced by the other scripts: where things are, how errors look, and how a command is run. Needs bash only.
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENV="$ROOT/.venv"
COMMANDS=$ROOT/plugins/reporting/cli

# Something was found, or did not succeed.
fail() {
    printf 'script/%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# It was used wrongly, or cannot run here.
refuse() {
    printf 'script/%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 2
}

takes_nothing() { [ $# -eq 0 ] || refuse "'$1' is more than it takes: nothing."; }

# The environments that a command needs. Production has its own, and may have no others: there it runs with what is there.
environments_of() {
    case "$1" in
        backup | memory | start) ;;
        connect | doctor | google-login | new-entity | new-revision | new-source | reference | vendor) echo airflow ;;
        environment) echo airflow dbt ;;
        cleanup | export | mend-stamps | query | replay | report | restore | verify) echo airflow sandbox ;;
        *) echo airflow dbt sandbox ;;
    esac
}

# Becomes the command that is called as this script is.
run_script() {
    local name environments
    name=$(basename "$0")
    read -ra environments <<<"$(environments_of "$name")"
    # Standard output is the command's own.
    [ ${#environments[@]} -eq 0 ] || "$ROOT/script/bootstrap" "${environments[@]}" >&2
    run_command "$name" "$@"
}

# Becomes the command of that name in plugins/reporting/cli.
run_command() {
    [ -x "$VENV/airflow/bin/python" ] || refuse "there is no environment at $VENV. Run script/bootstrap."
    # What a command and whatever it starts write is for its owner alone. A package, which others may install, is none of it.
    umask 077
    export PYTHONPATH="$ROOT/plugins:$ROOT"
    # -P: no module of the folder that somebody happens to be in.
    exec "$VENV/airflow/bin/python" -P -m reporting.cli "$@"
}

is_built() { [ -f "$VENV/airflow/.lock" ]; }

# What a command says about itself: the docstring of its module, or the comment at its script's head.
describe() {
    local module=$COMMANDS/${1//-/_}.py
    if [ -f "$module" ]; then
        awk 'NR == 1 { sub(/^"""/, "") } { is_last = sub(/"""$/, ""); print } is_last { exit }' "$module"
    else
        awk 'NR > 1 { if (!sub(/^# ?/, "")) exit; print }' "$ROOT/script/$1"
    fi
}

# Shows the help and ends. Nothing is built for it: without an environment it is shorter.
show_help() {
    local name path
    name=$(basename "$0")
    if is_built && { [ "$name" = reporting ] || [ -f "$COMMANDS/${name//-/_}.py" ]; }; then
        run_command "$name" --help
    fi
    describe "$name"
    if [ "$name" = reporting ]; then
        for path in "$ROOT"/script/[a-z]*; do
            printf '  %-18s %s\n' "$(basename "$path")" "$(describe "$(basename "$path")" | head -n 1)"
        done
    fi
    exit 0
}

# For every script, and before it does anything. Airflow's command has its own help.
name=$(basename "$0")
for word in "$@"; do
    case "$name $word" in
        airflow* | *' --' ) break ;;
        *' --help' | *' -h') show_help ;;
    esac
    # What comes after a command's name is for the command.
    [ "$name" != reporting ] || break
done
unset name word
