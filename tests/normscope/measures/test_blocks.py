"""How weights are told apart as layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from normscope.measures.blocks import blocks_of, checked


def test_a_normalizers_parameters_go_with_the_weights_before_it() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False),
        nn.BatchNorm2d(2),
        nn.PReLU(),
        nn.Sequential(nn.Flatten(), nn.Linear(8, 3)),
        nn.Linear(3, 1),
    )
    assert blocks_of(model) == {
        "0": ("0.weight", "1.weight", "1.bias", "2.weight"),
        "3.1": ("3.1.weight", "3.1.bias"),
        "4": ("4.weight", "4.bias"),
    }


def test_a_normalizer_that_comes_first_is_a_block() -> None:
    assert list(blocks_of(nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 1)))) == ["0", "1"]


def test_parametrized_and_frozen_weights() -> None:
    model = nn.Sequential(nn.Linear(3, 2), weight_norm(nn.Linear(2, 2)), nn.Linear(2, 2))
    model[2].weight.requires_grad_(False)
    found = blocks_of(model)
    assert list(found) == ["0", "1"]
    parts = {"1.bias", "1.parametrizations.weight.original0", "1.parametrizations.weight.original1", "2.bias"}
    assert set(found["1"]) == parts


def test_tied_weights_and_weights_of_the_model_itself() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2, 2))
            self.one, self.other = nn.Linear(2, 2), nn.Linear(2, 2)
            self.other.weight = self.one.weight

    assert blocks_of(Tied()) == {"": ("scale",), "one": ("one.weight", "one.bias", "other.bias")}


def test_blocks_of_no_weights_are_refused() -> None:
    model = nn.Linear(2, 1)
    assert checked(model, None) == {"": ("weight", "bias")}
    refused: list[dict[str, list[str]]] = [{}, {"a": []}, {"a": ["weights"]}]
    for blocks in refused:
        with pytest.raises(ValueError, match="blocks"):
            checked(model, blocks)
    with pytest.raises(ValueError, match="ReLU has no trainable weights"):
        checked(nn.ReLU(), None)
