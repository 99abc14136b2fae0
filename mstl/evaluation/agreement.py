"""How well two raters agree: the masks of one scored against those of the other, as if they were predictions."""
from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mstl.data.case import Case
from mstl.data.formats.pictures import is_picture
from mstl.data.grid import check_same_grid
from mstl.data.indexing import Index
from mstl.data.labels import checked_labels
from mstl.data.layouts.found import CONSENSUS
from mstl.data.volume import read_mask
from mstl.errors import InputError
from mstl.evaluation.evaluate import CONVENTIONS
from mstl.evaluation.pairs import Pair
from mstl.evaluation.pooled import PooledTable
from mstl.evaluation.scores import COLUMNS, PICTURE_RULE, score_case
from mstl.files import write_text

AGREEMENT_RULE = (
    "Agreement: masks by rater {1} (prediction) scored against those by rater {0} (reference) in the cases that both "
    "marked. dice, iou, lesion_f1 and the distances are the same with the raters exchanged; precision and sensitivity "
    "exchange."
)


@dataclass(frozen=True, eq=False)
class Agreement:
    """What two `raters` have in common: `scores`, a row a case, and `pooled` over all cases and each subject.

    `scores` has the columns of `scores.csv` (`mstl.evaluation.scores.COLUMNS`), `pooled` those of
    `mstl.evaluation.pooled.PooledTable`. `pictures`: the cases are pictures, see `PICTURE_RULE`.
    """

    raters: tuple[str, str]
    scores: pd.DataFrame
    pooled: pd.DataFrame
    pictures: bool

    @property
    def marked(self) -> pd.DataFrame:
        """The scores of the cases in which either rater marked something."""
        return self.scores[(self.scores["reference_ml"] > 0) | (self.scores["prediction_ml"] > 0)]


def rater_agreement(
    index: Index,
    *,
    raters: Sequence[str] = (),
    labels: Sequence[int] = (),
    binarise_masks: bool = False,
    out: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Agreement:
    """Score the second rater's masks against the first's, for every case of `index` that has masks by both.

    raters: two names, "consensus" among them where one is published; () the first two raters that there are. labels:
    values of masks with several classes: scores are of the whole lesion, the pooled ones of each class too.
    binarise_masks: one class of all, cut at 0.5. out: the CSV of the scores, with `_pooled.csv` beside it.
    progress: called with a case's name when it is done. Cases that one of the two did not mark are left out, which a
    warning tells. Raises `InputError` where there are not two raters, or no case has masks by both; and naming the
    case, where masks cannot be read or lie on different grids.
    """
    labels = checked_labels(labels)
    both = _chosen(index, raters)
    cases = [case for case in index.cases if set(both) <= set(index.raters[case.name])]
    if not cases:
        raise InputError(f"No case has masks by both raters, {both[0]} and {both[1]}. {_present(index)}")
    if left := len(index.cases) - len(cases):
        warnings.warn(f"Cases without masks by both raters, left out: {left}.", stacklevel=2)
    rows, pooled = [], PooledTable()
    for pair in _pairs(index, cases, both, labels=labels, binarise=binarise_masks):
        who = {"case": pair.case.name, "subject": pair.case.subject, "session": pair.case.session}
        rows.append(who | score_case(pair.prediction > 0, pair.reference > 0, spacing=pair.spacing))
        pooled.add(pair)
        if progress is not None:
            progress(pair.case.name)
    pictures = all(is_picture(path) for case in cases for path in case.images.values())
    found = Agreement(both, pd.DataFrame(rows, columns=list(COLUMNS)), pooled.rows(), pictures)
    if out is not None:
        rules = [AGREEMENT_RULE.format(*both), *CONVENTIONS] + [PICTURE_RULE] * pictures
        table = found.scores.to_csv(index=False, na_rep="nan", lineterminator="\n")
        write_text(out, "".join(f"# {rule}\n" for rule in rules) + table)
        pooled.write(out)
    return found


def _chosen(index: Index, raters: Sequence[str]) -> tuple[str, str]:
    """The two raters that are wanted, or the first two that there are."""
    there = _raters(index)
    if not raters:
        found = [name for name in there if name != CONSENSUS][:2]
        if len(found) < 2:
            raise InputError(f"Agreement needs masks by two raters. {_present(index)}")
        return found[0], found[1]
    if len(raters) != 2 or raters[0] == raters[1]:
        raise InputError(f"Raters are {', '.join(raters)}; two different ones are expected, such as 1,2.")
    if unknown := [name for name in raters if name not in there]:
        raise InputError(f"No mask by rater {unknown[0]!r} is here. {_present(index)}")
    return raters[0], raters[1]


def _raters(index: Index) -> list[str]:
    """Every rater's name once, numbers in their order."""
    return sorted({name for masks in index.raters.values() for name in masks}, key=lambda name: (len(name), name))


def _present(index: Index) -> str:
    names = _raters(index)
    return f"There are masks by {', '.join(names)}." if names else "There are no masks. Check root and layout."


def _pairs(
    index: Index, cases: Sequence[Case], raters: tuple[str, str], *, labels: tuple[int, ...], binarise: bool
) -> Iterator[Pair]:
    """The masks of each case, those by the first rater as reference, by the second as prediction."""
    known = () if binarise else labels
    for case in cases:
        paths = [index.raters[case.name][name] for name in raters]
        try:
            reference, other = (read_mask(path, labels=known, binarise=binarise) for path in paths)
            check_same_grid(other.grid, reference.grid, names=(str(paths[1]), str(paths[0])))
        except InputError as error:
            raise InputError(f"Case {case.name}: {error}") from None
        yield Pair(case, other.data, reference.data, known, reference.spacing)
