"""How well the verification tells honest answers from cheats: `make bench-verification`.

`collect` runs models and replays them, the slow part, into var/bench/verification, and goes on where it was
interrupted; `score` fixes thresholds on one half of the prompts and scores the other, without running any model.
"""
