#!/bin/sh
# `.venv/bin/anvil` and `.venv/bin/forge` are links to this file. It becomes the real program (same process id),
# with a home inside the clone, because both write caches below ~/.foundry.
set -eu
name=$(basename -- "$0")
root=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
program="$root/node_modules/@foundry-rs/$name-linux-amd64/bin/$name"
if [ ! -x "$program" ]; then
    echo "$name: $program is missing: run 'make setup' (npm carries Foundry for Linux on x86-64 only)" >&2
    exit 1
fi
export HOME="$root/.tools/home"
exec "$program" "$@"
