"""The nets. Initial weights depend on the seed alone, not on the arm."""

from .convolutional import small_cnn, vgg_16, vgg_a
from .deep import dln, narrow
from .mlp import mlp
from .resnet import resnet20
from .transformer import transformer

__all__ = ["dln", "mlp", "narrow", "resnet20", "small_cnn", "transformer", "vgg_16", "vgg_a"]
