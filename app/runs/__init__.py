"""Experiments and their runs: started, queued, controlled, looked after, judged and cleared away."""
