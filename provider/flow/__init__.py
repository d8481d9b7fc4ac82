"""What a provider does, step by step, over ports: no database, queue, chain or model is named here."""
