"""A provider's side: the command line, the node's processes, and what they keep."""
