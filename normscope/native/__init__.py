"""The measuring core compiled, where a C compiler was at hand when this was installed.

It gives the answers of `normscope/capture/summary.py` and `normscope/capture/reduction.py`, and makes, checks and
adds up frames as `normscope/wire/` does, in a fraction of the time. It is all there is of the package that is not
Python: four files, one library, called through ctypes, built by `hatch_build.py`. Where it is missing, those do the
work themselves.

What it finds of a tensor it writes as a record: the eight numbers, whose it is, the filled bins, their counts.
"""

from . import library
from .frames import Framer, check, merge
from .library import VERSION, available
from .records import HEAD, JOB, KINDS, LARGEST, Pad, numbers, record, unpack
from .ring import Committer
from .tensors import Describer, describer

__all__ = [
    "HEAD",
    "JOB",
    "KINDS",
    "LARGEST",
    "VERSION",
    "Committer",
    "Describer",
    "Framer",
    "Pad",
    "available",
    "check",
    "describer",
    "library",
    "merge",
    "numbers",
    "record",
    "unpack",
]
