#!/bin/sh
# `.venv/bin/brownie` is a link to this file: Brownie with the clone's own compiler, home and networks.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)

export PATH="$root/.venv/bin:$PATH"
export SOLCX_BINARY_PATH="$root/.tools/solc"
export HOME="$root/.tools/home" # Brownie keeps accounts, networks and packages in ~/.brownie
# pyproject.toml keeps Brownie's plugin out of every other pytest; `brownie test` gets a configuration of its own.
if [ "${1:-}" = test ]; then
    export PYTEST_ADDOPTS="${PYTEST_ADDOPTS:-} -c $root/tools/pytest-brownie.ini --rootdir=$root --confcutdir=$root"
fi

# Brownie attaches to whatever answers on its development port, so each run gets a port of its own.
if [ -z "${MALLA_DEV_PORT:-}" ]; then
    MALLA_DEV_PORT=$("$root/.venv/bin/python" -IS -c \
        'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
fi
export MALLA_DEV_PORT

if [ -z "${MALLA_RPC_PORT:-}" ]; then
    if [ -r "$root/var/testnet/rpc_port" ]; then
        MALLA_RPC_PORT=$(cat "$root/var/testnet/rpc_port")
        export MALLA_RPC_PORT
    else
        case " $* " in
            *" --network malla "* | *" --network=malla "*)
                echo "brownie: no testnet is up: run 'malla testnet up', or set MALLA_RPC_PORT to your node's port" >&2
                exit 1 ;;
        esac
    fi
fi

exec "$root/.venv/bin/python" -W ignore::FutureWarning "$root/tools/brownie_main.py" "$@"
