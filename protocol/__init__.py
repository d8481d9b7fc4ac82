"""What requesters, providers and oracles must agree on bit for bit.

The modules of this folder are pure: they know bytes and integers, and know no chain, queue, GPU, database or clock.
`protocol.chain` (web3) and `protocol.engine` (torch) are edges and are imported by edges only.
"""
