"""From a URL and a deployment to a `Chain` that is the right one."""

from __future__ import annotations

from protocol.chain.chain import Chain
from protocol.chain.deployment import CONTRACTS, Deployment
from protocol.chain.rpc import TIMEOUT, Rpc
from protocol.encoding import keccak, to_hex
from protocol.errors import ConfigInvalid


def connect(rpc_url: str, deployment: Deployment, timeout: float = TIMEOUT) -> Chain:
    """A chain whose id and whose contracts' code are those of the deployment. `timeout` is seconds a request.

    Raises ChainUnreachable when the node does not answer, ConfigInvalid when the URL is none or when it is another
    chain or other code.
    """
    if not rpc_url.startswith(("http://", "https://")):
        # Not repeated: it may carry an access key of a node provider.
        raise ConfigInvalid("The address of the chain's node does not begin with http:// or https://.",
                            "Write --rpc-url or MALLA_RPC_URL as http://host:port.")
    rpc = Rpc(rpc_url, timeout)
    require_deployment(rpc, deployment)
    return Chain(rpc, deployment)


def require_deployment(rpc: Rpc, deployment: Deployment) -> None:
    """Raises ConfigInvalid unless chain id and code hashes are those of the deployment."""
    chain_id = rpc.chain_id()
    if chain_id != deployment.chain_id:
        raise ConfigInvalid(
            f"The node serves chain {chain_id}, the deployment is on chain {deployment.chain_id}.",
            "Set MALLA_RPC_URL to a node of the deployment's chain, or MALLA_DEPLOYMENT to the chain's own file.",
        )
    for name in CONTRACTS:
        address = deployment.addresses[name]
        code = rpc.code(address)
        if not code:
            raise ConfigInvalid(
                f"There is no contract at {address}, where the deployment has the {name}.",
                "The chain may have been reset since: deploy again, or start the chain with its old state.",
            )
        found = to_hex(keccak(code))
        if found != deployment.code_hashes[name].lower():
            raise ConfigInvalid(
                f"The code of the {name} at {address} has the hash {found}, not {deployment.code_hashes[name]}.",
                "This is another contract: use the deployment file that was written when it was deployed.",
            )
