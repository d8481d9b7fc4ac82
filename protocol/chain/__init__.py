"""The web3 edge: typed reads and calls of Malla's contracts, decoded events, the follower, the sender, the keystore.

Imported by edges, wiring files and command lines, never by a flow. `connect` gives a `Chain`; errors come out as
ChainUnreachable, ChainRefused and ConfigInvalid of `protocol.errors` and as nothing else.
"""
