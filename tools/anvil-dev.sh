#!/bin/sh
# The development chain that Brownie starts (tools/brownie-networks.yaml), on the port that tools/brownie.sh chose.
exec anvil --port "${MALLA_DEV_PORT:?start Brownie by .venv/bin/brownie, which chooses a free port}" "$@"
