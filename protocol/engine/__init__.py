"""What "running the job" means, bit for bit: weights, prompt, greedy generation and replay in torch.

Provider and oracle use this package and nothing else to produce and to re-check tokens. Nothing here
knows the chain, the queue or the database. Only `llama`, `model`, `generate`, `replay` and `calibrate`
import torch; `catalogue`, `weights`' locating part and `prompt` stay cheap for processes without it.
"""
