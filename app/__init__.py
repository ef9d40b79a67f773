"""The FastAPI server: takes frames in, keeps them, shows them. Never imports torch."""
