"""Rules on masks with several labels: which they hold, which are rare, and whether two conventions are mixed."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mstl.data.checks.finding import Finding
from mstl.data.checks.measures import CaseMeasures
from mstl.data.labels import shown

RULE = "labels-mask"
ENHANCING = (3, 4)  # of BraTS: 4 up to 2021, 3 from 2023 on


def cohort_labels(cases: Sequence[CaseMeasures]) -> tuple[int, ...]:
    """All labels of a cohort's masks, rising; () where no mask holds several."""
    several = {label for case in cases if case.mask and case.mask.kind == "labels" for label in case.mask.labels}
    return tuple(sorted(several))


def holds_labels(case: CaseMeasures, labels: Sequence[int]) -> bool:
    """Whether a case has a mask with a label, all of it among `labels`: a mask of 0 and 2 may be one of them."""
    return bool(case.mask is not None and case.mask.labels and set(case.mask.labels) <= set(labels))


def labelled_masks(cases: Sequence[CaseMeasures]) -> Iterator[Finding]:
    """Masks with labels, the voxels of each, and the options that take them."""
    labels = cohort_labels(cases)
    for case in _labelled(cases, labels):
        counts = ", ".join(f"{label} ({voxels:,})" for label, voxels in case.mask.labels.items())
        yield Finding(
            case.name, "mask", "note", RULE,
            f"Mask holds labels (voxels) {counts}. 'mstl prepare --labels {shown(labels)}' keeps the classes, "
            "--binarise-masks makes one of all.",
            details={"labels": {str(label): voxels for label, voxels in case.mask.labels.items()}},
        )  # fmt: skip


def labels_told(findings: Iterable[Finding]) -> tuple[int, ...]:
    """The labels that the findings of `labelled_masks` tell of, rising."""
    return tuple(sorted({int(label) for one in findings if one.rule == RULE for label in one.details["labels"]}))


def rare_labels(cases: Sequence[CaseMeasures]) -> Iterator[Finding]:
    """Labels that only some masks hold: told of those that hold one, or of those that lack it, whichever are fewer."""
    labels = cohort_labels(cases)
    found = _labelled(cases, labels)
    for label in labels:
        having = [case for case in found if label in case.mask.labels]
        lacking = [case for case in found if label not in case.mask.labels]
        fewer, word = (having, "holds") if len(having) <= len(lacking) else (lacking, "lacks")
        others = len(found) - len(fewer)
        for case in fewer if others else ():
            yield Finding(
                case.name, "mask", "note", "rare-label",
                f"Mask {word} label {label}, unlike {others} of {len(found)} masks. Is it so in life?",
                details={"label": label, "masks": len(found), "with_it": len(having)},
            )  # fmt: skip


def mixed_conventions(cases: Sequence[CaseMeasures]) -> Iterator[Finding]:
    """Masks that say 3 where others say 4, and no mask both: enhancing tumour of two years of BraTS."""
    by_label = {label: [case for case in cases if case.mask and label in case.mask.labels] for label in ENHANCING}
    fewer = min(by_label.values(), key=len)
    if not fewer or any(set(ENHANCING) <= set(case.mask.labels) for case in fewer):
        return
    label = next(label for label, found in by_label.items() if found is fewer)
    other = sum(ENHANCING) - label
    for case in fewer:
        yield Finding(
            case.name, "mask", "warning", "mixed-labels",
            f"Mask holds label {label} and no {other}; other masks of the cohort hold {other} and no {label}. BraTS "
            "stores enhancing tumour as 4 up to 2021 and as 3 from 2023 on: where both are meant, bring the masks to "
            "one convention.",
            details={"label": label, "other": other},
        )  # fmt: skip


def _labelled(cases: Sequence[CaseMeasures], labels: Sequence[int]) -> list[CaseMeasures]:
    return [case for case in cases if holds_labels(case, labels)]
