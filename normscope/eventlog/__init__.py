"""What TensorBoard has written: event files, read a record at a time. Needs the extra `tensorboard`."""

from .log import Log, logs

__all__ = ["Log", "logs"]
