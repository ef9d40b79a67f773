"""A run in the formats of other programs, written as its frames are read: memory does not grow with the run."""
