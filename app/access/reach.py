"""How the server is reached from elsewhere: flags for tokens, proxies and TLS, and what makes no sense of them."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from normscope.errors import NormscopeError

if TYPE_CHECKING:
    import argparse


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add them to a command line."""
    parser.add_argument("--require-token", action="store_true", help="demand a token on this machine, too")
    parser.add_argument("--root-path", default="", metavar="/PREFIX", help="what a proxy has before every path")
    parser.add_argument(
        "--forwarded-allow-ips", default="", metavar="ADDRESSES",
        help="proxies whose X-Forwarded-… headers are believed, separated by commas; everyone needs a token then",
    )  # fmt: skip
    parser.add_argument(
        "--user-header", default="", metavar="NAME", help="the header in which these name whom they have let in"
    )
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="a certificate with its chain: serve https")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its key")


def reach(given: argparse.Namespace) -> dict[str, Any]:
    """The fields of Settings that the flags say.

    Raises:
        NormscopeError: If they make no sense.
    """
    root = given.root_path.rstrip("/")
    if root and not root.startswith("/"):
        raise NormscopeError(f"--root-path {given.root_path}: it begins with a slash, as in /normscope")
    for address in filter(None, given.forwarded_allow_ips.split(",")):
        try:
            ipaddress.ip_network(address.strip())
        except ValueError:
            raise NormscopeError(f"--forwarded-allow-ips: {address!r} is neither an address nor a network") from None
    if given.user_header and not given.forwarded_allow_ips:
        raise NormscopeError("--user-header: say which proxy sends it with --forwarded-allow-ips, or anyone could")
    return {
        "require_token": given.require_token, "root_path": root, "proxies": given.forwarded_allow_ips,
        "user_header": given.user_header, "tls": _tls(given.tls_cert, given.tls_key),
    }  # fmt: skip


def _tls(cert: Path | None, key: Path | None) -> tuple[Path, Path] | None:
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise NormscopeError("--tls-cert and --tls-key belong together: give both")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise NormscopeError(f"cannot use the certificate {cert} with the key {key}: {error.strerror}") from error
    return cert, key
