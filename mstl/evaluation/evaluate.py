"""Evaluation of a folder of predictions: the table of its cases and, where masks hold labels, of their regions."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mstl.data.cohort import Case
from mstl.data.formats.pictures import is_picture
from mstl.data.labels import checked_labels, to_labels
from mstl.errors import InputError
from mstl.evaluation.pairs import Pair, read_pairs
from mstl.evaluation.pooled import PooledTable
from mstl.evaluation.regions import REGION_COLUMNS, region_rule, regions_of, regions_path, score_regions
from mstl.evaluation.scores import (
    COLUMNS,
    DISTANCE_RULE,
    EMPTY_CONVENTION,
    MATCHING_RULE,
    PICTURE_RULE,
    score_case,
)
from mstl.evaluation.uncertainty_scores import UncertaintyTables
from mstl.files import write_text

CONVENTIONS = (EMPTY_CONVENTION, MATCHING_RULE, DISTANCE_RULE)


def evaluate(
    predictions: str | Path,
    cohort: Iterable[Case],
    *,
    out: str | Path | None = None,
    labels: Sequence[int] = (),
    regions: Mapping[str, Sequence[int]] | None = None,
    binarise_masks: bool = False,
    resample_masks: bool = False,
) -> pd.DataFrame:
    """Score `<case>_prediction.nii.gz` (of pictures .png) in `predictions` for every case of `cohort`.

    Returns a row a case, the columns `COLUMNS`: the scores of the whole lesion, of any label. A prediction is compared
    on its own grid, which the case's mask shares, or onto which it is brought (nearest) with the scan that it was drawn
    on, moved as that was before it was segmented (`references`). With `out`, the table is written there as CSV, whole,
    after lines of `#` that state the conventions.
    labels: values of masks with several classes; those that `mstl predict` wrote beside a prediction are known without.
    Then `scores_regions.csv`, beside `scores.csv`, has a row a case and region: each label, whole, core and enhancing
    where the labels are BraTS', and those of `regions` (`regions_of`). Where there are no labels a table of regions
    that an earlier evaluation left there is removed.
    `scores_pooled.csv`, beside it too, has the scores that are pooled over all cases and over those of each subject.
    Of cases that `mstl predict --samples` wrote maps of uncertainty for, `scores_uncertainty.csv` has a row each and
    `scores_calibration.csv` the bins of their reliability diagrams, beside `scores.csv` as well.
    `binarise_masks` cuts soft masks at 0.5 and makes one class of labels, `resample_masks` accepts masks on any grid,
    as in `mstl.prepare`. Raises `InputError` as `read_pairs` does, and for regions of other labels.
    """
    labels = checked_labels(labels)
    if binarise_masks and (labels or regions):
        raise InputError("Labels and regions keep classes, binarise_masks makes one of all. Ask for one of both.")
    options = {"labels": labels, "binarise_masks": binarise_masks, "resample_masks": resample_masks}
    rows, region_rows, known, uncertain, pooled = [], [], {}, UncertaintyTables(predictions), PooledTable()
    cases = list(cohort)
    for pair in read_pairs(predictions, cases, **options):
        who = {"case": pair.case.name, "subject": pair.case.subject, "session": pair.case.session}
        rows.append(who | score_case(pair.prediction > 0, pair.reference > 0, spacing=pair.spacing))
        if len(pair.labels) > 1:
            known = _same(regions_of(pair.labels, named=regions, dataset=pair.case.dataset), known, pair.case)
            region_rows += [who | row for row in _score_labels(pair, known)]
        if out is not None:
            uncertain.add(pair)
            pooled.add(pair)
    if regions and not known:
        raise InputError(f"Regions {', '.join(regions)} were given for masks of one class. Pass --labels too.")
    scores = pd.DataFrame(rows, columns=list(COLUMNS))
    if out is not None:
        rows = pd.DataFrame(region_rows, columns=list(REGION_COLUMNS))
        _write(Path(out), scores, rows, known, _conventions(cases))
        uncertain.write(out)
        pooled.write(out)
    return scores


def _same(regions: dict, known: dict, case: Case) -> dict:
    """The regions of a case; raises where those of the cases before it are others."""
    if known and regions != known:
        raise InputError(
            f"Case {case.name} has regions {region_rule(regions)} and earlier ones have {region_rule(known)} "
            "Evaluate the two sets one by one, or say what the regions are: --region core=1,4."
        )
    return regions


def _score_labels(pair: Pair, regions: Mapping[str, Sequence[int]]) -> list[dict]:
    prediction, reference = (to_labels(classes, pair.labels) for classes in (pair.prediction, pair.reference))
    return score_regions(prediction, reference, spacing=pair.spacing, regions=regions)


def _conventions(cases: Sequence[Case]) -> tuple[str, ...]:
    return (*CONVENTIONS, PICTURE_RULE) if any(is_picture(case.mask) for case in cases) else CONVENTIONS


def _write(
    out: Path,
    scores: pd.DataFrame,
    rows: pd.DataFrame,
    regions: Mapping[str, Sequence[int]],
    conventions: Sequence[str],
) -> None:
    write_text(out, _table(scores, conventions))
    if regions:
        write_text(regions_path(out), _table(rows, (region_rule(regions), *conventions)))
    else:
        regions_path(out).unlink(missing_ok=True)


def _table(rows: pd.DataFrame, conventions: Sequence[str]) -> str:
    header = "".join(f"# {line}\n" for line in conventions)
    return header + rows.to_csv(index=False, na_rep="nan", lineterminator="\n")
