"""Nets of other packages, which `make nets` installs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .net import Net, from_package, pictures, squared, tokens

if TYPE_CHECKING:
    from collections.abc import Callable


def noised(**conditions: Callable[[], Tensor]) -> Callable[[nn.Module], Tensor]:
    """A loss of diffusion: the noise in pictures is to be told at any time."""

    def loss(net: nn.Module) -> Tensor:
        told = {name: draw() for name, draw in conditions.items()}
        x, noise = pictures(2, 16), pictures(2, 16)
        output = net(x + noise, timestep=torch.randint(1000, (2,)), **told).sample
        return cast(Tensor, (output - noise).square().mean())

    return loss


def redrawn(net: nn.Module) -> Tensor:
    """A loss of autoencoders: pictures are to be given back."""
    x = pictures(2, 16)
    return cast(Tensor, (net(x, sample_posterior=True).sample - x).square().mean())


def on_a_graph(**conditions: Callable[[], Tensor]) -> Callable[[nn.Module], Tensor]:
    """A loss on the nodes of random graphs."""

    def loss(net: nn.Module) -> Tensor:
        told = {name: draw() for name, draw in conditions.items()}
        return squared(net(torch.randn(12, 8), torch.randint(12, (2, 40)), **told))

    return loss


def of_pictures(size: int, channels: int = 1) -> Callable[[nn.Module], Tensor]:
    """A loss on random pictures."""
    return lambda net: squared(net(pictures(2, size, channels)))


def of_atoms(net: nn.Module) -> Tensor:
    """A loss on random points in space."""
    data: dict[str, Any] = {"pos": torch.randn(8, 3), "x": torch.randn(8, 4), "batch": torch.zeros(8, dtype=torch.long)}
    return squared(net(data))


def of_text(net: nn.Module) -> Tensor:
    """How unlikely a model of language thinks random tokens."""
    ids = tokens()
    return cross_entropy(net(ids).transpose(1, 2), ids)


def x_transformer() -> nn.Module:
    """A decoder of x-transformers, of two parts."""
    package = import_module("x_transformers")
    rotary = {"rotary_pos_emb": True, "rotary_emb_dim": 32}
    decoder = package.Decoder(dim=16, depth=2, heads=2, attn_dim_head=32, ff_glu=True, **rotary)
    return cast(nn.Module, package.TransformerWrapper(num_tokens=64, max_seq_len=32, attn_layers=decoder))


UNET: Final = {"sample_size": 16, "block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}

NETS: Final = (
    from_package("diffusers", "UNet2DModel", "diffusion", noised(), **UNET, attention_head_dim=4,
                 down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D")),
    from_package("diffusers", "UNet2DConditionModel", "diffusion",
                 noised(encoder_hidden_states=lambda: torch.randn(2, 5, 12)), **UNET, attention_head_dim=4,
                 in_channels=3, out_channels=3, cross_attention_dim=12,
                 down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                 up_block_types=("UpBlock2D", "CrossAttnUpBlock2D")),
    from_package("diffusers", "DiTTransformer2DModel", "diffusion", noised(class_labels=lambda: torch.randint(4, (2,))),
                 sample_size=16, patch_size=4, in_channels=3, out_channels=3, num_layers=2, num_attention_heads=2,
                 attention_head_dim=8, norm_num_groups=4, num_embeds_ada_norm=4),
    from_package("diffusers", "AutoencoderKL", "diffusion", redrawn, block_out_channels=(8, 16), norm_num_groups=4,
                 down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2),
    from_package("torch-geometric", "nn.GCN", "graph", on_a_graph(), in_channels=8, hidden_channels=16, num_layers=2,
                 out_channels=4, dropout=0.2, norm="batch_norm"),
    from_package("torch-geometric", "nn.GAT", "graph", on_a_graph(), in_channels=8, hidden_channels=16, num_layers=2,
                 out_channels=4, heads=2, dropout=0.2),
    from_package("torch-geometric", "nn.GIN", "graph", on_a_graph(), in_channels=8, hidden_channels=16, num_layers=2,
                 out_channels=4, norm="graph_norm", jk="lstm"),
    from_package("torch-geometric", "nn.GraphUNet", "graph", on_a_graph(), in_channels=8, hidden_channels=16,
                 out_channels=4, depth=2),
    from_package("e3nn", "nn.models.v2106.gate_points_networks.SimpleNetwork", "graph", of_atoms,
                 irreps_in="4x0e", irreps_out="2x0e", max_radius=3.0, num_neighbors=4.0, num_nodes=8.0, mul=4,
                 layers=2, lmax=1),
    from_package("monai", "networks.nets.UNet", "convolutional", of_pictures(16), spatial_dims=2, in_channels=1,
                 out_channels=2, channels=(8, 16, 32), strides=(2, 2), num_res_units=0),
    from_package("monai", "networks.nets.SegResNet", "residual", of_pictures(16), spatial_dims=2, init_filters=8,
                 blocks_down=(1, 1), blocks_up=(1,), dropout_prob=0.1),
    from_package("monai", "networks.nets.DenseNet", "convolutional", of_pictures(32), spatial_dims=2, in_channels=1,
                 out_channels=3, init_features=8, growth_rate=4, block_config=(2, 2), dropout_prob=0.1),
    from_package("pytorch-tcn", "TCN", "convolutional", lambda net: squared(net(torch.randn(4, 6, 20))), num_inputs=6,
                 num_channels=[8, 8], kernel_size=3),
    Net("TransformerWrapper", "x-transformers", "attention", x_transformer, of_text),
)  # fmt: skip
