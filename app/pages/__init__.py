"""The pages: what they are made of, and the same as one file."""
