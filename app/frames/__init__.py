"""Frames in, and frames out: taken from training processes, kept as history, shown live and asked for again."""
