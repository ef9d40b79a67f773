"""Compiles the measuring core while the package is built or installed, where there is a C compiler.

Without one the package works all the same, on numpy and torch, and watching takes more of the training time.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = Path("normscope", "native")
SOURCES = tuple(NATIVE / f"{name}.c" for name in ("summarize", "tensors", "ring", "frames"))
# No -march: the source says for which processors its loops are compiled, and the one at hand is found out at run time.
FLAGS = ("-std=c11", "-O3", "-fopenmp-simd", "-ffp-contract=fast", "-fno-strict-aliasing", "-fPIC", "-shared")


class CompileHook(BuildHookInterface[Any]):
    """Puts the shared library beside its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  hatchling names it
        """Compile; say so in one line if that does not work."""
        if self.target_name != "wheel":
            return
        library = compile_library(Path(self.root))
        if library is None:
            return
        build_data["artifacts"].append(f"/{library.relative_to(self.root).as_posix()}")
        build_data["pure_python"] = False
        # It is loaded by name and knows nothing of Python: one wheel serves every version of it.
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def compile_library(root: Path) -> Path | None:
    """The library under `root`, compiled anew; None if it could not be."""
    compiler = shlex.split(os.environ.get("CC", "")) or [c for c in ("cc", "gcc", "clang") if shutil.which(c)][:1]
    if not compiler:
        _say("there is no C compiler")
        return None
    library = root / NATIVE / ("core.dylib" if sys.platform == "darwin" else "core.so")
    # To another name first: a training run may have the old library open.
    fresh = library.with_suffix(".new")
    try:
        command: list[str | Path] = [*compiler, *FLAGS, "-o", fresh, *(root / source for source in SOURCES), "-lm"]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  the user's own compiler
        fresh.replace(library)
    except (OSError, subprocess.CalledProcessError) as error:
        said: list[str] = getattr(error, "stderr", b"").decode(errors="replace").splitlines()
        _say(said[0] if said else str(error))
        return None
    finally:
        fresh.unlink(missing_ok=True)
    return library


def _say(reason: str) -> None:
    sys.stderr.write(f"normscope: the measuring core is not compiled, which makes watching slower: {reason}\n")
