# Sourced by the other scripts: where things are, and how errors look. Needs bash only.
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENV="$ROOT/.venv"

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Becomes the command of that name in plugins/reporting/commands.
run_command() {
    local name=$1
    shift
    cd "$ROOT"
    export PYTHONPATH="$ROOT/plugins:$ROOT"
    exec "$VENV/airflow/bin/python" -m "reporting.commands.$name" "$@"
}
