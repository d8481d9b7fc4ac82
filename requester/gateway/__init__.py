"""The local OpenAI-compatible gateway: it holds the wallet, so that an OpenAI client needs to change only its URL."""
