"""What can go wrong in the world around us. A caller's mistake is a ValueError or TypeError instead."""


class NormscopeError(Exception):
    """Root of every error that the world causes: a network, a disk, a peer that speaks another version."""


class WireError(NormscopeError):
    """Bytes that are not what the protocol says; the message names what is wrong."""


class MissingError(NormscopeError):
    """Something that this needs is not installed; the message says how to install it."""

    def __init__(self, name: str, extra: str) -> None:
        super().__init__(f"this needs {name}; install it with: pip install 'normscope[{extra}]'")
