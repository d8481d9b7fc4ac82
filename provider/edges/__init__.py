"""The provider's adapters to PostgreSQL, the broker, oracles, NVML, the model, keys and the chain."""
