"""What a provider keeps and what its flows pass to each other, as frozen dataclasses: one noun a file."""
