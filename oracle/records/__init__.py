"""What an oracle keeps, as frozen dataclasses: one noun a file."""
