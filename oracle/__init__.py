"""An oracle's node: takes reports, audits drawn work, agrees with its peers and settles on-chain."""
