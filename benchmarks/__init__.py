"""Each figure that Malla claims, with the command that measures it: `python -m benchmarks.<name>`."""
