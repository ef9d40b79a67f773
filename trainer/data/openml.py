"""Data sets that are downloaded once, through scikit-learn's OpenML fetcher, and kept."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from normscope.errors import NormscopeError

from .task import Data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

log = logging.getLogger("trainer.data")


@dataclass(frozen=True, slots=True)
class Source:
    """A data set at OpenML: its number there, the shape of an input, how many are for training, and its size."""

    number: int
    shape: tuple[int, int, int]
    train: int
    megabytes: int


SOURCES: Final[Mapping[str, Source]] = {
    "mnist": Source(554, (1, 28, 28), 60_000, 15),
    "fashion_mnist": Source(40996, (1, 28, 28), 60_000, 30),
    "cifar10": Source(40927, (3, 32, 32), 50_000, 170),
}
OFFLINE: Final = "digits, gaussian, shapes, mixture, even_mixture and phrases need no download"
_TELL: Final = 5.0
"""Seconds between two words on how far a download is."""


class DownloadError(NormscopeError):
    """Data could not be had; the message says what works without."""


def fetch(name: str, folder: Path | None = None) -> Data:
    """MNIST (LeCun et al. 1998), Fashion-MNIST (Xiao et al. 2017, arXiv 1708.07747) or CIFAR-10 (Krizhevsky 2009).

    Pixels are scaled to [0, 1]; the first samples are for training, as is usual. What was downloaded is kept in
    `folder` (NORMSCOPE_DATA, else scikit-learn's own), in scikit-learn's form, which OpenML's checksum vouches for, and
    as arrays with a checksum, which load in a second. Processes that want the same data wait for one another.

    Raises:
        DownloadError: If it is not kept and cannot be downloaded, or what is kept is damaged.
    """
    source = SOURCES[name]
    home = folder or Path(os.environ.get("NORMSCOPE_DATA") or _usual())
    kept = home / "normscope" / f"{name}.npz"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with _alone(kept.with_suffix(".lock")):
        if not kept.exists():
            _keep(kept, *_download(name, source, home))
        x, y = _load(kept)
    inputs = torch.from_numpy(x.astype(np.float32) / 255).view(-1, *source.shape)
    labels = torch.from_numpy(y.astype(np.int64))
    cut = source.train
    return Data(inputs[:cut], labels[:cut], inputs[cut:], labels[cut:], outputs=10)


def _usual() -> str:
    from sklearn.datasets import get_data_home

    found: str = get_data_home()
    return found


def _download(name: str, source: Source, home: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    from sklearn.datasets import fetch_openml

    log.info("downloading %s from OpenML, about %d MB, to %s", name, source.megabytes, home)
    try:
        with _progress(home, source.megabytes):
            bunch: Any = fetch_openml(
                data_id=source.number, data_home=str(home), as_frame=False, parser="liac-arff", n_retries=2
            )
    except (OSError, ValueError, HTTPException) as error:  # the network, or a checksum
        reason = str(error).split("\n")[0][:200]
        raise DownloadError(f"{name} cannot be downloaded from OpenML ({reason}); {OFFLINE}") from error
    return bunch.data.astype(np.uint8), bunch.target.astype(np.uint8)


def _keep(path: Path, x: NDArray[np.uint8], y: NDArray[np.uint8]) -> None:
    """Whole or not at all."""
    unfinished = path.with_suffix(".partial.npz")
    np.savez(unfinished, x=x, y=y, checksum=np.array(_checksum(x, y)))
    unfinished.replace(path)


def _load(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    try:
        # Opened here: numpy leaves a file open that it cannot read.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            x, y, checksum = file["x"], file["y"], str(file["checksum"])
    except Exception as error:
        raise DownloadError(f"{path} cannot be read; delete it, and it is downloaded anew") from error
    if _checksum(x, y) != checksum:
        raise DownloadError(f"{path} is damaged; delete it, and it is downloaded anew")
    return x, y


def _checksum(*arrays: NDArray[np.uint8]) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in such a block."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _progress(home: Path, megabytes: int) -> Iterator[None]:
    """Say now and then how much has been written below a folder, as far as the fetcher lets that be seen."""
    folder = home / "openml"
    known = sum(file.stat().st_size for file in folder.rglob("*"))
    done = threading.Event()

    def size() -> int:
        with suppress(FileNotFoundError):  # the fetcher moves what is whole; the next look finds it
            return sum(file.stat().st_size for file in folder.rglob("*"))
        return 0

    def tell() -> None:
        while not done.wait(_TELL):
            log.info("downloaded %.1f of about %d MB", max(0, size() - known) / 1e6, megabytes)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
