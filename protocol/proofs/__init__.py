"""Proofs that a provider commits to before anybody knows what of them will be looked at."""
