"""The way out of a training process: a ring in shared memory, a process beside it, a socket or a file."""
