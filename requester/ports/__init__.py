"""What a requester's flows ask of the world: one part of it a file."""
