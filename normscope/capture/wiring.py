"""Which layer's output each layer takes, directly or through operations that belong to none."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from .hooks import Border
from .tensors import tensors_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.autograd.graph import Node


class Wiring:
    """Follows forward passes, layer by layer, along torch's autograd graph.

    From what a layer gives, the graph leads back through the operations of the layer itself, and of no layer at all, to
    what other layers gave. Where nothing needs a gradient there is no graph: there, a layer follows another if it takes
    the very tensor that the other gave.

    Args:
        layers: Of each slot the index of the layer whose outputs it holds, None if it holds something else.
    """

    def __init__(self, layers: Sequence[int | None]) -> None:
        self._layers = layers
        self._border = Border("following the net from layer to layer failed")
        self.edges: dict[tuple[int, int], None] = {}
        """Pairs of layers, by index: the second takes what the first gives. In the order in which they were found."""
        self._makers: dict[Node, int] = {}
        self._behind: dict[Node, frozenset[int]] = {}
        self._given: dict[int, tuple[weakref.ref[Tensor], int]] = {}

    def note(self, slot: int, args: Any, output: Any) -> None:
        """A slot's layer was called with some arguments and has given an output; both may be nests of tensors."""
        layer = self._layers[slot]
        if layer is not None and not self._border.failures:
            with self._border:
                self._follow(layer, args, output)

    def _follow(self, layer: int, args: Any, output: Any) -> None:
        given = list(tensors_in(output))
        nodes = [x.grad_fn for x in given if x.grad_fn is not None]
        sources = frozenset[int]().union(*map(self._sources, nodes))
        if not sources:
            sources = frozenset(i for x in tensors_in(args) if (i := self._giver(x)) is not None)
        self.edges |= dict.fromkeys((i, layer) for i in sorted(sources) if i != layer)
        self._makers |= dict.fromkeys(nodes, layer)
        self._given |= {id(x): (weakref.ref(x), layer) for x in given}

    def let_go(self) -> None:
        """Forget what was seen of a forward pass, but for the edges: nothing of a graph is to outlive it."""
        self._makers.clear()
        self._behind.clear()
        self._given.clear()

    def _giver(self, x: Tensor) -> int | None:
        known = self._given.get(id(x))
        return known[1] if known is not None and known[0]() is x else None

    def _sources(self, start: Node) -> frozenset[int]:
        """The layers that made what a node was made of; the node's own, if it belongs to one."""
        waiting = [start]
        while waiting:
            node = waiting[-1]
            before = [n for n, _ in node.next_functions if n is not None]
            unknown = [n for n in before if self._known(n) is None]
            if self._known(node) is None and unknown:
                waiting += unknown
            else:
                waiting.pop()
                if self._known(node) is None:
                    self._behind[node] = frozenset[int]().union(*(self._known(n) or () for n in before))
        return self._known(start) or frozenset()

    def _known(self, node: Node) -> frozenset[int] | None:
        maker = self._makers.get(node)
        return self._behind.get(node) if maker is None else frozenset((maker,))
