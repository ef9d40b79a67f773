"""The command line: `normscope serve`, `migrate`, `run`, `token`, `import`, `export` and `backup`."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from . import __version__, command
from .command import exporting, importing

USAGE: Final = """usage: normscope [--version] [--help] COMMAND ...

commands:
  serve    serve the dashboard (normscope serve --help)
  run      try a claim without a page (normscope run --help)
  token    list, make and revoke the tokens of a server (normscope token --help)
  migrate  bring a PostgreSQL database to this version (normscope migrate --help)
  import   give a server recordings and logs of TensorBoard (normscope import --help)
  export   write a run as Parquet, CSV, JSON, event file or page (normscope export --help)
  backup   copy what a server keeps, while it runs (normscope backup --help)
"""


def main() -> int:
    """Run the command that was asked for; the exit status."""
    match sys.argv[1:]:
        case ["serve", *rest]:
            return _server_side("__main__", rest)
        case ["migrate", *rest]:
            return _server_side("commands.migrate", rest)
        case ["token", *rest]:
            return _server_side("commands.keyring", rest)
        case ["run", *rest]:
            return command.main(rest, f"{_room()}.folder")
        case ["import", *rest]:
            return importing.main(rest)
        case ["export", *rest]:
            return exporting.main(rest, _room())
        case ["backup", *rest]:
            return _server_side("commands.backup", rest)
        case ["--version"]:
            sys.stdout.write(f"normscope {__version__}\n")
            return 0
        case ["--help" | "-h"]:
            sys.stdout.write(USAGE)
            return 0
        case [] | [*_]:
            sys.stderr.write(USAGE)
            return 2


def _room() -> str:
    """Installed, the server lives inside this package; in a checkout it is its neighbour."""
    return "normscope.app" if find_spec("normscope.app") else "app"


def _server_side(module: str, argv: list[str]) -> int:
    """A command that lives with the server."""
    try:
        server = import_module(f"{_room()}.{module}")
    except ModuleNotFoundError as error:
        sys.stderr.write(f"normscope: serving needs {error.name}; install it with: pip install 'normscope[server]'\n")
        return 1
    status: int = server.main(argv)
    return status


if __name__ == "__main__":
    sys.exit(main())
