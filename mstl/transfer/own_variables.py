"""Variables that a layer has for itself, as the variances of a Bayesian one: they go where its other weights go."""
from __future__ import annotations

from mstl.models.bayesian_conv3d import BayesianConv3D
from mstl.models.tree import ModelTensor
from mstl.transfer.checkpoint import Tensor
from mstl.transfer.pairing import Pairing


class OwnVariables:
    """The open ones of file and model, out of the sight of all ways of pairing until `follow`.

    So a Bayesian layer and a plain one look alike, and no variance is taken for a kernel of its shape.
    """

    def __init__(self, todo: Pairing) -> None:
        self._todo = todo
        self._targets = {path: tensor for path, tensor in todo.targets.items() if tensor.own}
        self._sources = {path: tensor for path, tensor in todo.sources.items() if _is_own(tensor, todo)}
        for path in self._targets:
            del todo.targets[path], todo.all_targets[path]
        for path in self._sources:
            del todo.sources[path], todo.all_sources[path]

    def follow(self) -> None:
        """Pair each with that of the layer whose kernel was taken for its layer's."""
        todo = self._todo
        todo.targets |= self._targets
        todo.sources |= self._sources
        layers = {todo.all_targets[path].layer: match for path, match in todo.found.items() if path in todo.all_targets}
        for path, tensor in self._targets.items():
            match = layers.get(tensor.layer)
            source = match and self._source(todo.all_sources.get(match.source), tensor)
            if source:
                todo.pair(path, source, match.reason)

    def _source(self, kernel: Tensor | None, target: ModelTensor) -> str | None:
        """Path in the file of what stands beside `kernel` under the name of `target`."""
        path = kernel and f"{kernel.layer}/{target.variable}"
        return path if path in self._sources else None


def _is_own(tensor: Tensor, todo: Pairing) -> bool:
    """Whether a tensor of a file has the name of such a variable, and stands beside a kernel."""
    return tensor.variable in BayesianConv3D.own_variables and f"{tensor.layer}/kernel" in todo.all_sources
