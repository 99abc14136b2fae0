"""A transfer of weights, planned, shown and carried out: one row for every tensor of the model and of the file."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mstl._keras import keras, tf
from mstl.errors import TransferError
from mstl.models.entry import channel_axes
from mstl.models.groups import scope_layers
from mstl.models.tree import ModelTensor, finalize, tensors_of
from mstl.transfer.adapt import check_adapt
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.digest import norm_of, sha256_of
from mstl.transfer.matching import WAYS, match_tensors
from mstl.transfer.origin import Origin, add_origin
from mstl.transfer.rows import PlanRow, ReportRow, facts_of, plan_row, unused_row
from mstl.transfer.table import LOADED, MISSING, StatusTable

Scope = str | Sequence[str]
WHOLE = "the model"
WORTH_A_THREAD = 1 << 16  # bytes; less is hashed sooner than handed over


@dataclass(frozen=True, repr=False)
class TransferReport(StatusTable):
    """What a transfer from the file `path` did; `print(report)` shows the table."""

    path: Path
    rows: tuple[ReportRow, ...]
    notes: tuple[str, ...] = ()

    @property
    def loaded(self) -> tuple[str, ...]:
        """Paths of the model's weights that came from the file."""
        return tuple(row.target for row in self.rows if row.status in LOADED)


@dataclass(frozen=True, repr=False)
class TransferPlan(StatusTable):
    """What a transfer would do; nothing changes before `apply`. `scopes`: what was to be included, as layer paths.

    `weights` are those of the model by path.
    """

    checkpoint: Checkpoint
    model: keras.Model
    weights: Mapping[str, ModelTensor]
    rows: tuple[PlanRow, ...]
    scopes: Mapping[str, frozenset[str]]
    options: Mapping[str, object]
    notes: tuple[str, ...] = ()

    def apply(
        self, *, allow_partial: bool = False, allow_nonfinite: bool = False, init: str | None = None
    ) -> TransferReport:
        """Put the weights into the model and return the account of it.

        The model's run will say that they came from `init` (None: the file's path).

        Raises `TransferError`, with the model unchanged, where a scope would get nothing, where it would get
        less than all its tensors and not `allow_partial`, and where numbers are NaN or infinite and not
        `allow_nonfinite`. Each tensor is read once to be checked and once to be put in, so that no more than
        the largest is held.
        """
        self.check(allow_partial=allow_partial)
        self._check_numbers(allow_nonfinite=allow_nonfinite)
        put = iter(_carried_out([row for row in self.rows if row.status in LOADED], self.weights, self.checkpoint))
        rows = tuple(next(put) if row.status in LOADED else ReportRow(*facts_of(row)) for row in self.rows)
        finalize(self.model)
        report = TransferReport(self.checkpoint.path, rows, self.notes)
        options = {**self.options, "allow_partial": allow_partial}
        add_origin(self.model, Origin(init or str(self.checkpoint.path), options, report))
        return report

    def check(self, *, allow_partial: bool = False) -> None:
        """Raise `TransferError` where `apply` would, short of reading the numbers."""
        loaded = {self.weights[row.target].layer for row in self.rows if row.status in LOADED}
        for scope, layers in self.scopes.items():
            if not layers & loaded:
                raise TransferError(self._nothing_for(scope, layers))
        missing = [row for row in self.rows if row.status in MISSING]
        if missing and not allow_partial:
            wanted = len(missing) + sum(row.status in LOADED for row in self.rows)
            raise TransferError(
                f"{self.checkpoint.path.name} has nothing for {len(missing)} of {wanted} tensors of the model, first "
                f"'{missing[0].target}' ({missing[0].reason}). Leave them out with include or exclude, lead to them "
                "with rename, mapping or adapt, or accept it with allow_partial (init_partial in an experiment)."
            )

    def _nothing_for(self, scope: str, layers: frozenset[str]) -> str:
        ours, theirs = next(iter(sorted(layers)), "nothing"), next(iter(self.checkpoint.layers))
        missing = [row for row in self.rows if row.status in MISSING and self.weights[row.target].layer in layers]
        because = f" ({missing[0].reason})" if missing else ""
        if missing and all(row.status == "shape mismatch" for row in missing):
            return (
                f"Nothing of {self.checkpoint.path.name} fits {scope}: all {len(missing)} tensors differ in shape, "
                f"first '{missing[0].target}'{because}. Build the model as wide; 'mstl transfer' lists them."
            )
        return (
            f"Nothing of {self.checkpoint.path.name} fits {scope}{because}: its layers are named like '{theirs}', "
            f"those wanted like '{ours}'. Look at 'mstl inspect', then give rename, mapping, or match 'order' alone."
        )

    def _check_numbers(self, *, allow_nonfinite: bool) -> None:
        """Read everything once, so that nothing damaged turns up when half is put in."""
        rows = [row for row in self.rows if row.status in LOADED]
        scratch = np.empty(max((self.checkpoint.tensors[row.source].nbytes for row in rows), default=0), np.uint8)
        for row in rows:
            array = _array_for(row, self.weights[row.target].value, self.checkpoint, scratch)
            if not (allow_nonfinite or np.isfinite(norm_of(array))):
                raise TransferError(
                    f"'{row.source}' of {self.checkpoint.path.name} holds NaN or infinite numbers for {array.dtype}: "
                    "its training diverged. Take an earlier checkpoint, or allow them with allow_nonfinite."
                )


def transfer_weights(
    path: str | Path, model: keras.Model, *, allow_partial: bool = False, allow_nonfinite: bool = False, **options
) -> TransferReport:
    """Put the weights of a Keras file into `model`; returns an account of every tensor (`print` it).

    options: those of `plan_transfer`, such as `include="encoder"`. Raises as `plan_transfer` and
    `TransferPlan.apply` do; the model is then unchanged.
    """
    with Checkpoint.open(path) as checkpoint:
        plan = plan_transfer(checkpoint, model, **options)
        return plan.apply(allow_partial=allow_partial, allow_nonfinite=allow_nonfinite)


def plan_transfer(
    checkpoint: Checkpoint,
    model: keras.Model,
    *,
    include: Scope | None = None,
    exclude: Scope | None = None,
    rename: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    match: Iterable[str] = WAYS,
    adapt: str | Iterable[str] = "error",
    mapping: Mapping[str, str] | None = None,
) -> TransferPlan:
    """Plan how the tensors of a file become the weights of a model; changes nothing.

    include, exclude: groups of the model ("encoder", "decoder", "head", "encoder1"; see
    `mstl.models.groups.groups_of`), regexes searched in paths of its layers ("model_1/conv0"), or lists of
    both; by default the whole model. rename: pairs (regex, replacement), or a dictionary of them, applied to the
    file's paths ("conv_1/kernel"). mapping: model's path -> file's path, of layers or tensors. match: see
    `mstl.transfer.matching.match_tensors`. adapt: "error", or rules for what differs in shape: "sum", "mean",
    "repeat" or "truncate" for the image's channels, "inflate:centre" or "inflate:mean" for 2D kernels in 3D.

    Statuses: "load" (same path), "renamed" (from another), "adapted" (changed to fit), "shape mismatch",
    "no source" (nothing in the file), "kept" (as that, of variances in a Bayesian layer, which are the model's own),
    "unused" (of the file). Raises `TransferError` for a wrong rule, `InputError` for a scope that means no layer.
    """
    if not isinstance(checkpoint, Checkpoint):
        raise TransferError(
            f"{checkpoint!r} is no Checkpoint. Open one by Checkpoint.open(path), or use transfer_weights(path, model)."
        )
    rules, rename, match = check_adapt(adapt), _pairs_of(rename), [match] if isinstance(match, str) else list(match)
    weights = tensors_of(model)
    scopes = _scopes(model, weights, include, exclude)
    layers = frozenset().union(*scopes.values())
    matches = match_tensors(checkpoint, model, weights=weights, rename=rename, match=match, mapping=mapping)
    axes = channel_axes(model) if rules != ("error",) else {}
    wanted = [tensor for tensor in weights.values() if tensor.layer in layers]
    rows = [plan_row(tensor, matches, checkpoint, rules, axes.get(tensor.path)) for tensor in wanted]
    used = {row.source for row in rows if row.status in LOADED}
    others = {match.source: "out of scope" for match in matches.values()}
    others |= {row.source: "of another shape" for row in rows if row.status == "shape mismatch"}
    left = [tensor for path, tensor in checkpoint.tensors.items() if path not in used]
    unused = [unused_row(tensor, others.get(tensor.path, "nothing in the model belongs to it")) for tensor in left]
    options = {"include": include, "exclude": exclude, "rename": rename, "match": match, "adapt": adapt}
    options["mapping"] = None if mapping is None else dict(mapping)
    return TransferPlan(checkpoint, model, weights, (*rows, *unused), scopes, options, checkpoint.notes)


def _pairs_of(rename: Mapping[str, str] | Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Rename rules as pairs; raises `TransferError` for anything else."""
    rules = list(rename.items()) if isinstance(rename, Mapping) else list(rename)
    pairs = [tuple(rule) for rule in rules if not isinstance(rule, str) and len(rule) == 2]
    if len(pairs) < len(rules) or not all(isinstance(text, str) for pair in pairs for text in pair):
        raise TransferError(f"rename is {rename!r}; pairs (regex, replacement) are expected: [('^old', 'new')].")
    return pairs


def _scopes(
    model: keras.Model, weights: Mapping[str, ModelTensor], include: Scope | None, exclude: Scope | None
) -> dict[str, frozenset[str]]:
    """Layers of every scope that is to be included, without those excluded."""
    left_out = scope_layers(model, exclude) if exclude else set()
    if not include:
        return {WHOLE: frozenset({tensor.layer for tensor in weights.values()} - left_out)}
    names = [include] if isinstance(include, str) else list(include)
    return {f"scope '{name}'": frozenset(scope_layers(model, name) - left_out) for name in names}


def _carried_out(
    rows: Iterable[PlanRow], weights: Mapping[str, ModelTensor], checkpoint: Checkpoint
) -> list[ReportRow]:
    """Put every tensor in its place; a second thread takes a large one to hash whenever it is free."""
    done: list[tuple[PlanRow, float, float, str | Future[str]]] = []
    pending: Future[str] | None = None
    with ThreadPoolExecutor(1) as second:
        for row in rows:
            value = weights[row.target].value
            before, array = norm_of(_view_of(value)), _array_for(row, value, checkpoint)
            value.assign(array, read_value=False)
            digest: str | Future[str]
            busy = pending is not None and not pending.done()
            if busy or array.nbytes < WORTH_A_THREAD:
                digest = sha256_of(array)
            else:
                digest = pending = second.submit(sha256_of, array)
            done.append((row, before, norm_of(array), digest))
    return [
        ReportRow(*facts_of(row), before, after, digest if isinstance(digest, str) else digest.result())
        for row, before, after, digest in done
    ]


def _view_of(value: tf.Variable) -> np.ndarray:
    """The numbers of a variable, not copied; only to be looked at before it changes."""
    tensor = value.value()
    return tensor.numpy() if value.dtype == tf.bfloat16 else np.asarray(memoryview(tensor))


def _array_for(
    row: PlanRow, value: tf.Variable, checkpoint: Checkpoint, scratch: np.ndarray | None = None
) -> np.ndarray:
    array = checkpoint.tensors[row.source].read(scratch)
    array = array if row.change is None else row.change(array)
    with np.errstate(over="ignore"):  # to infinity, which is looked for
        return array.astype(value.dtype.as_numpy_dtype, copy=False)
