"""What a requester keeps on disk, as frozen dataclasses: one noun a file."""
