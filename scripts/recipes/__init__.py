"""The four workloads of the market's first users, each a script on real data. See docs/WORKLOADS.md."""
