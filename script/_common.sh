# Sourced by the other scripts: where things are, and how errors look. Needs bash only.
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENV="$ROOT/.venv"

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}
