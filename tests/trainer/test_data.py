"""The data: orders, splits, what is generated, a person's own files, and downloads from a server of our own."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sklearn.datasets._openml as fetcher
import torch
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import cross_entropy

from normscope.errors import NormscopeError
from trainer import data, nets
from trainer.data import generated, openml, own
from trainer.data.digits import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "shape", "outputs", "train", "test"),
    [
        ("digits", (1, 8, 8), 10, 1438, 359),
        ("gaussian", (10,), 10, 1000, 1000),
        ("shapes", (3, 32, 32), 10, 4000, 1000),
        ("mixture", (10,), 4, 2000, 500),
        ("even_mixture", (10,), 4, 2000, 500),
    ],
)
def test_what_needs_no_download(name: str, shape: tuple[int, ...], outputs: int, train: int, test: int) -> None:
    task = data.load(name)
    assert (task.shape, task.outputs, len(task.train), len(task.test)) == (shape, outputs, train, test)
    assert torch.isfinite(task.train).all()
    again = data.load(name)
    assert torch.equal(task.train, again.train)
    assert torch.equal(task.train_targets, again.train_targets)
    if task.classification:
        shares = torch.bincount(task.train_targets, minlength=outputs) / train
        assert shares.min() > 0.7 / outputs
    rows = {tuple(row.tolist()) for row in task.flat().train}
    assert not rows & {tuple(row.tolist()) for row in task.flat().test}


def test_digits_are_those_that_scikit_learn_gives() -> None:
    images, targets = read()
    given = load_digits()
    assert np.array_equal(images, given.images)
    assert np.array_equal(targets, given.target)


def test_the_seed_alone_decides_the_order_and_an_epoch_has_every_sample_once() -> None:
    task = data.load("digits")
    torch.manual_seed(1)
    first = list(islice(task.batches(100, seed=3), 14))
    torch.manual_seed(2)
    again = list(islice(task.batches(100, seed=3), 14))
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(first, again, strict=True))
    other = next(task.batches(100, seed=4))
    assert not torch.equal(first[0][0], other[0])
    known = {tuple(row.tolist()) for row in task.flat().train}
    drawn = [tuple(row.tolist()) for x, _ in first for row in x.flatten(1)]
    assert len(drawn) == 1400
    assert set(drawn) <= known


def test_the_whole_data_are_one_batch_and_more_is_refused() -> None:
    task = data.load("gaussian")
    batches = task.batches(1000, seed=0)
    assert next(batches)[0] is next(batches)[0] is task.train
    with pytest.raises(ValueError, match="batch: 1001 samples, but the data has only 1000"):
        next(task.batches(1001, seed=0))


def test_shifted_inputs_are_shifted_and_flat_ones_are_flat() -> None:
    task = data.load("digits")
    assert torch.equal(task.shifted(5).test, task.test + 5)
    assert task.flat().shape == (64,)


def test_the_regression_is_linear() -> None:
    task = data.load("gaussian")
    x, y = task.train.numpy(), task.train_targets.numpy()
    matrix, *_ = np.linalg.lstsq(x.astype(np.float64), y.astype(np.float64), rcond=None)
    assert np.abs(task.test.numpy() @ matrix - task.test_targets.numpy()).max() < 1e-5
    assert stats.kstest(x.ravel(), "norm").pvalue > 1e-3


@pytest.mark.parametrize(
    ("name", "spread"), [("mixture", generated.WIDE_SPREAD), ("even_mixture", generated.NARROW_SPREAD)]
)
def test_densities_of_the_mixture_are_those_of_scipy(name: str, spread: float) -> None:
    task = data.load(name)
    x = task.train.double().numpy()
    axis = np.eye(10)[0] * generated.CENTRE
    dense = stats.multivariate_normal(-axis, generated.NARROW_SPREAD**2).pdf(x)
    sparse = stats.multivariate_normal(axis, spread**2).pdf(x)
    expected = 0.9 * dense + 0.1 * sparse
    assert np.exp(generated.log_density(task.train, spread).numpy()) == pytest.approx(expected, rel=1e-6)
    assert task.deciles is not None
    assert torch.bincount(task.deciles).tolist() == [200] * 10
    means = [expected[(task.deciles == k).numpy()].mean() for k in range(10)]
    assert means == sorted(means)
    if name == "mixture":
        assert (sparse / expected > 5)[(task.deciles == 0).numpy()].mean() > 0.9


def test_labels_of_the_mixture_are_as_hard_in_both_parts() -> None:
    task = generated.mixture(samples=20_000)
    wide = task.train[:, 0] > 0
    for part, sign in ((wide, 1), (~wide, -1)):
        x = task.train[part].clone()
        x[:, 0] -= sign * generated.CENTRE
        guess = 2 * (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
        assert (guess == task.train_targets[part]).float().mean() > 0.97
        assert torch.bincount(task.train_targets[part]).min() > 0.2 * part.sum()


@pytest.mark.filterwarnings("ignore:.*failed to converge")
def test_shapes_are_for_convolutions_and_not_for_linear_models() -> None:
    task = data.load("shapes")
    flat = task.flat()
    linear = LogisticRegression(max_iter=30, tol=1e-2)
    linear.fit(flat.train[:1500, ::2].numpy(), flat.train_targets[:1500].numpy())
    guessed = linear.score(flat.test[:, ::2].numpy(), flat.test_targets.numpy())
    torch.set_num_threads(1)
    net = nets.small_cnn("batch", inputs=3, side=32)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for x, y in islice(task.batches(64, seed=0), 120):
        optimizer.zero_grad()
        cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    net.eval()
    with torch.no_grad():
        learned = (net(task.test).argmax(1) == task.test_targets).float().mean().item()
    assert guessed < 0.5
    assert learned > guessed + 0.2


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


X, Y = np.random.default_rng(0).random((20, 5)), np.arange(20) % 3


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    task = data.load(str(write(tmp_path / "a.npz", x=X, y=Y)))
    assert (task.shape, task.outputs, len(task.train), len(task.test)) == ((5,), 3, 16, 4)
    task = data.load(str(write(tmp_path / "b.npz", x_train=X, y_train=Y, x_test=X[:4], y_test=Y[:4])))
    assert torch.equal(task.train, torch.tensor(X, dtype=torch.float32))
    images = (X * 255).astype(np.uint8).reshape(5, 20)
    task = data.load(str(write(tmp_path / "c.npz", x=np.stack([images.reshape(5, 4, 5)] * 3, -1), y=X[:5, :2])))
    assert (task.shape, task.classification, task.outputs) == ((3, 4, 5), False, 2)
    assert 0 <= task.train.min() < task.train.max() <= 1
    assert data.load(str(write(tmp_path / "d.npz", x=images.reshape(5, 4, 5), y=X[:5, 0]))).shape == (1, 4, 5)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": X}, "holds x; needed are x_train"),
        ({"x": X, "y": Y[:7]}, "y has 7 targets for 20 inputs"),
        ({"x": X[:1], "y": Y[:1]}, "y has 1 samples; at least 2"),
        ({"x": X[:, 0], "y": Y}, r"x has shape \[20\]"),
        ({"x": X.astype(complex), "y": Y}, "x is of type complex128"),
        ({"x": X * np.inf, "y": Y}, "x has values that are not finite"),
        ({"x": X, "y": Y - 1}, "y has the label -1"),
        ({"x": X, "y": Y * 10_000}, "y has the label 20000"),
        ({"x": X, "y": np.stack([Y, Y], 1)}, "y is of type int64 and shape"),
        ({"x": X, "y": X[:, 0] * np.inf}, "y has values that are not finite"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :3], "y_test": Y}, "has another shape"),
        ({"x": np.array([{}, {}]), "y": Y[:2]}, "is not an .npz file of plain arrays"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(arrays: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=sentence):
        data.load(str(write(tmp_path / "wrong.npz", **arrays)))


def test_a_file_that_would_unpack_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x=np.zeros((1000, 1000), np.float32), y=np.zeros(1000, np.int64))
    monkeypatch.setattr(own, "MOST_BYTES", 1 << 20)
    with pytest.raises(ValueError, match="its arrays have 3 MB; there may be 1"):
        data.load(str(path))
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    with zipfile.ZipFile(path, "w") as file:  # a few bytes that announce 8 TB
        file.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    with pytest.raises(ValueError, match=r"bomb.npz: is not an .npz file of plain arrays"):
        data.load(str(path))


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such file"):
        data.load(str(tmp_path / "none.npz"))
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(ValueError, match=r"is not an \.npz file"):
        data.load(str(tmp_path / "text.npz"))
    with pytest.raises(ValueError, match="unknown data 'letters'; there are digits"):
        data.load("letters")


PIXELS = np.random.default_rng(1).integers(0, 256, (8, 4))
LABELS = np.arange(8)
ARFF = "@RELATION tiny\n" + "".join(f"@ATTRIBUTE p{i} REAL\n" for i in range(4))
ARFF += "@ATTRIBUTE class {" + ",".join(map(str, range(8))) + "}\n@DATA\n"
ARFF += "".join(",".join(map(str, [*row, label])) + "\n" for row, label in zip(PIXELS, LABELS, strict=True))


class OpenMl(BaseHTTPRequestHandler):
    """Answers as OpenML does for one tiny data set."""

    checksum = hashlib.md5(ARFF.encode()).hexdigest()
    cut = False
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        feature = {
            "is_ignore": "false",
            "is_row_identifier": "false",
            "is_target": "false",
            "data_type": "numeric",
            "number_of_missing_values": "0",
        }
        features: list[dict[str, Any]] = [{**feature, "name": f"p{i}", "index": str(i)} for i in range(4)]
        features.append({**feature, "name": "class", "index": "4", "data_type": "nominal", "is_target": "true",
                         "nominal_value": [str(k) for k in range(8)]})  # fmt: skip
        described = {"id": "554", "name": "tiny", "version": "1", "format": "ARFF", "status": "active", "file_id": "1",
                     "description": "tiny", "url": f"http://{self.headers['Host']}/tiny.arff",
                     "md5_checksum": self.checksum}  # fmt: skip
        qualities = [{"name": "NumberOfInstances", "value": "8.0"}]
        answers: dict[str, Any] = {
            "/data/554": {"data_set_description": described},
            "/features/554": {"data_features": {"feature": features}},
            "/qualities/554": {"data_qualities": {"quality": qualities}},
        }
        body = ARFF.encode() if self.path.endswith(".arff") else json.dumps(answers[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.cut and self.path.endswith(".arff") else body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[OpenMl]]:
    class Handler(OpenMl):
        pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{http.server_port}"
    for name, path in (("_DATA_INFO", "data"), ("_DATA_FEATURES", "features"), ("_DATA_QUALITIES", "qualities")):
        monkeypatch.setattr(fetcher, name, f"{base}/{path}/{{}}")
    monkeypatch.setitem(openml.SOURCES, "mnist", openml.Source(554, (1, 2, 2), 6, 1))
    monkeypatch.setenv("NORMSCOPE_DATA", str(tmp_path))
    yield Handler
    http.shutdown()
    http.server_close()
    thread.join()


def test_a_download_is_made_once_and_kept(server: type[OpenMl]) -> None:
    task = data.load("mnist")
    assert (task.shape, len(task.train), len(task.test)) == ((1, 2, 2), 6, 2)
    expected = torch.tensor(PIXELS, dtype=torch.float32).div(255).view(8, 1, 2, 2)
    assert torch.equal(torch.cat([task.train, task.test]), expected)
    assert torch.cat([task.train_targets, task.test_targets]).tolist() == LABELS.tolist()
    asked = server.asked
    assert torch.equal(data.load("mnist").train, task.train)
    assert server.asked == asked


@pytest.mark.filterwarnings("ignore:Invalid cache")
def test_a_wrong_checksum_is_refused(server: type[OpenMl]) -> None:
    server.checksum = "0" * 32
    with pytest.raises(
        NormscopeError,
        match=r"mnist cannot be downloaded.*md5.*; digits, gaussian, shapes, mixture, even_mixture and phrases need",
    ):
        data.load("mnist")


@pytest.mark.filterwarnings("ignore:A network error occurred", "ignore:Invalid cache")
def test_a_connection_that_is_cut_is_said(server: type[OpenMl]) -> None:
    server.cut = True
    with pytest.raises(NormscopeError, match="mnist cannot be downloaded"):
        data.load("mnist")
    server.cut = False
    assert len(data.load("mnist").train) == 6


@pytest.mark.filterwarnings("ignore:A network error occurred")
def test_no_network_is_said_with_what_works(server: type[OpenMl], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "_DATA_INFO", "http://127.0.0.1:9/{}")
    with pytest.raises(NormscopeError, match=r"refused.*need no download"):
        data.load("mnist")


@pytest.mark.parametrize("harm", [lambda b: b[:-100], lambda b: b.replace(b"x.npy", b"z.npy"), None])
def test_what_was_kept_and_is_damaged_is_said(server: type[OpenMl], tmp_path: Path, harm: Any) -> None:
    data.load("mnist")
    kept = tmp_path / "normscope" / "mnist.npz"
    if harm is None:
        with np.load(kept) as file:
            arrays = dict(file)
        arrays["x"][0, 0] ^= 1
        np.savez(kept, **arrays)
    else:
        kept.write_bytes(harm(kept.read_bytes()))
    with pytest.raises(NormscopeError, match=r"mnist\.npz (is damaged|cannot be read); delete it"):
        data.load("mnist")
