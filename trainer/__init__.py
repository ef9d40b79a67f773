"""The background trainer: one process per run, an ordinary training loop that calls `normscope.watch`."""
