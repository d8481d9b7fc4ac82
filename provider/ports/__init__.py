"""What a provider's flows ask of the world: one part of it a file."""
