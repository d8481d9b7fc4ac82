"""The real clients behind `oracle.ports`: database, broker, peers, chain, replay, metrics."""
