"""Inputs that nobody would send, at whatever reads bytes from outside: `make fuzz`."""
