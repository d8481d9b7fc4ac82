"""`init` and `register`: the two keys, and naming the node key on-chain."""

from __future__ import annotations

from protocol.encoding import ZERO
from protocol.errors import ConfigInvalid
from provider.cli.options import (
    DEFAULT_HOME,
    DeploymentFile,
    DryRun,
    Home,
    Json,
    OwnerKeystore,
    PasswordFile,
    Place,
    Rpc,
    Yes,
    ask_password,
)
from provider.cli.output import reporting, say


def init(home: Home = DEFAULT_HOME, password_file: PasswordFile = None, json: Json = False) -> None:
    """Make the owner's key and the node's key as keystore v3 files. No key is ever shown, nothing is overwritten."""
    from protocol.chain.keystore import create_keystore, read_password

    with reporting(json):
        place = Place(home, password_file=password_file)
        for path in (place.owner_keystore, place.node_keystore):
            if path.exists():
                raise ConfigInvalid(f"The keystore {path} exists already and is not overwritten.",
                                    "Choose another --home, or move it away after making a backup.")
        if password_file is not None:
            password = read_password(password_file)
        else:
            password = ask_password("New password of both keystores", confirm=True)
        owner = create_keystore(place.owner_keystore, password)
        node_key = create_keystore(place.node_keystore, password)
        home.chmod(0o700)
        say(json, {"owner": owner, "node_key": node_key, "home": str(home)}, [
            f"owner     {owner}   {place.owner_keystore}",
            f"node key  {node_key}   {place.node_keystore}",
            "Make a backup of both files and of the password: without them the stake is lost.",
            "Next: send tokens and gas to the owner, gas to the node key; then `malla provider register` and `stake`.",
        ])


def register(
    home: Home = DEFAULT_HOME, rpc_url: Rpc = "", deployment: DeploymentFile = None, password_file: PasswordFile = None,
    keystore: OwnerKeystore = None, json: Json = False, yes: Yes = False, dry_run: DryRun = False,
) -> None:
    """Name the node key and its encryption key on-chain, so that requesters can seal prompts to it."""
    from protocol.messages import node_key_digest
    from provider.cli.sending import open_chain, open_owner, send, view_stake
    from provider.flow.staking import plan_register
    from provider.wiring.console import open_node_keys

    with reporting(json):
        place = Place(home, rpc_url, deployment, password_file, keystore)
        chain, owner, keys = open_chain(place), open_owner(place), open_node_keys(place.node_keystore, place.password())
        effects = plan_register(view_stake(chain, owner.address), keys.address)
        consent = keys.sign(node_key_digest(chain.staking_domain, owner.address, keys.address))
        call = chain.register(keys.address, keys.encryption_key, ZERO, consent)
        send(chain, owner, call, effects, as_json=json, yes=yes, dry_run=dry_run)
