"""Every speed that the README claims, each beside a peer or a limit in the same run."""
