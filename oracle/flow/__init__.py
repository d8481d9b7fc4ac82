"""What an oracle does, without its clients: every flow takes a `Node` and speaks to the world through its ports."""
