"""Rules on what is bright in a scan: modalities whose names were exchanged."""
from __future__ import annotations

from collections.abc import Iterator, Mapping

from mstl.data.checks.coarse import tissue_signals
from mstl.data.checks.finding import Finding
from mstl.data.checks.measures import CaseMeasures

FLUID_GAP = 0.4  # standard deviations between fluid and tissue that tell t2 from the others
WHITE_GAP = 0.4  # by which white minus grey in flair must exceed that in t1
LESION_DARK, LESION_BRIGHT = -0.35, -0.7  # signed contrast of lesions, wrong in flair and in t1
_ALONE = "lesions are bright in t1, on whose grid they were drawn"
ALONE_BRIGHT = -0.5  # where the mask lies on t1's grid alone; lesions of sound t1 are at -0.1 and above

Signals = Mapping[str, tuple[float, float, float]]


def exchanged_modalities(case: CaseMeasures) -> Iterator[Finding]:
    """Scans that look like another modality: flair and t1 by lesions or tissue, t2 by its fluid.

    With skull tissues are told roughly, which makes warnings; fluid in flair is then not judged, as some is bright.
    """
    signals = _signals(case)
    yield from _flair_and_t1(case, signals)
    for role, (white, grey, fluid) in signals.items():
        extracted = case.scans[role].extracted
        bright, dark = fluid > max(white, grey) + FLUID_GAP, fluid < min(white, grey) - FLUID_GAP
        if (role == "t2" and dark) or (role != "t2" and bright and (extracted or role != "flair")):
            yield Finding(
                case.name, role, "error" if extracted else "warning", "contrast",
                f"Fluid is {'dark' if dark else 'bright'} in {role}, which is {'bright' if dark else 'dark'} there. It "
                "is another modality, or its contrast is inverted: correct the columns of the cohort.",
                details={"white": round(white, 2), "grey": round(grey, 2), "fluid": round(fluid, 2)},
            )  # fmt: skip


def _signals(case: CaseMeasures) -> Signals:
    """White matter, grey matter and fluid of each scan that shows enough of them."""
    found = {
        role: tissue_signals(scan.coarse) if scan.extracted and scan.coarse is not None else scan.head_signals
        for role, scan in case.scans.items()
    }
    return {role: signals for role, signals in found.items() if signals is not None}


def _flair_and_t1(case: CaseMeasures, signals: Signals) -> Iterator[Finding]:
    by_lesions, by_tissue, extracted = lesions_say_swapped(case), False, False
    if "flair" in signals and "t1" in signals and case.scans["flair"].extracted == case.scans["t1"].extracted:
        extracted = case.scans["flair"].extracted
        gain = _white_over_grey(signals["flair"]) - _white_over_grey(signals["t1"])
        by_tissue = gain > WHITE_GAP and _contrasts(case).get("flair", 0) < -LESION_DARK
    if by_lesions or by_tissue:
        why = "white matter is brighter in flair"
        if by_lesions:
            why = "lesions are dark in flair and bright in t1" if "flair" in _contrasts(case) else _ALONE
        yield Finding(
            case.name, "flair", "error" if by_lesions and by_tissue and extracted else "warning", "exchanged",
            f"flair and t1 seem to be exchanged: {why}. Look at both, and exchange the columns of the cohort.",
            details={"by_lesions": by_lesions, "by_tissue": by_tissue},
        )  # fmt: skip

def lesions_say_swapped(case: CaseMeasures) -> bool:
    """Whether lesions are dark in what is called flair and bright in what is called t1.

    Of a mask on the grid of t1 alone it is enough that they are bright there, unless the tissue shows a t1.
    """
    contrasts = _contrasts(case)
    if "flair" in contrasts or "flair" not in case.scans:
        return contrasts.get("flair", 0) < LESION_DARK and contrasts.get("t1", 0) < LESION_BRIGHT
    signals = _signals(case).get("t1")
    alone = case.mask is not None and case.mask.twins == ("t1",) and contrasts.get("t1", 0) < ALONE_BRIGHT
    return alone and (signals is None or _white_over_grey(signals) < WHITE_GAP)


def _white_over_grey(signals: tuple[float, float, float]) -> float:
    return signals[0] - signals[1]


def _contrasts(case: CaseMeasures) -> Mapping[str, float]:
    """Signed contrast of the lesions in each modality; none where there is no mask to tell."""
    return case.mask.fit.contrasts if case.mask is not None and case.mask.fit is not None else {}
