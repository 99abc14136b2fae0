"""Rules on what is bright in a scan: modalities whose names were exchanged."""
from __future__ import annotations

from collections.abc import Iterator, Mapping

from mstl.data.checks.coarse import tissue_signals
from mstl.data.checks.finding import Finding
from mstl.data.checks.measures import CaseMeasures

FLUID_GAP = 0.4  # standard deviations between fluid and tissue that tell t2 from the others
WHITE_GAP = 0.4  # by which white minus grey in flair must exceed that in t1
LESION_DARK, LESION_BRIGHT = -0.35, -0.7  # signed contrast of lesions, wrong in flair and in t1


def exchanged_modalities(case: CaseMeasures) -> Iterator[Finding]:
    """Scans that look like another modality: flair and t1 by lesions or tissue, t2 by its fluid."""
    signals = {
        role: tissue_signals(scan.coarse)
        for role, scan in case.scans.items()
        if scan.coarse is not None and scan.extracted
    }
    yield from _flair_and_t1(case, signals)
    for role, (white, grey, fluid) in signals.items():
        bright, dark = fluid > max(white, grey) + FLUID_GAP, fluid < min(white, grey) - FLUID_GAP
        if (role == "t2" and dark) or (role != "t2" and bright):
            yield Finding(
                case.name, role, "error", "contrast",
                f"Fluid is {'dark' if dark else 'bright'} in {role}, which is {'bright' if dark else 'dark'} there. It "
                "is another modality, or its contrast is inverted: correct the columns of the cohort.",
                details={"white": round(white, 2), "grey": round(grey, 2), "fluid": round(fluid, 2)},
            )  # fmt: skip


def _flair_and_t1(case: CaseMeasures, signals: dict) -> Iterator[Finding]:
    by_lesions = lesions_say_swapped(case)
    by_tissue = False
    if "flair" in signals and "t1" in signals:
        flair, t1 = (signals[role][0] - signals[role][1] for role in ("flair", "t1"))
        by_tissue = flair - t1 > WHITE_GAP and _contrasts(case).get("flair", 0) < -LESION_DARK
    if by_lesions or by_tissue:
        why = "lesions are dark in flair and bright in t1" if by_lesions else "white matter is brighter in flair"
        yield Finding(
            case.name, "flair", "error" if by_lesions and by_tissue else "warning", "exchanged",
            f"flair and t1 seem to be exchanged: {why}. Look at both, and exchange the columns of the cohort.",
            details={"by_lesions": by_lesions, "by_tissue": by_tissue},
        )  # fmt: skip


def lesions_say_swapped(case: CaseMeasures) -> bool:
    """Whether lesions are dark in what is called flair and bright in what is called t1."""
    contrasts = _contrasts(case)
    return contrasts.get("flair", 0) < LESION_DARK and contrasts.get("t1", 0) < LESION_BRIGHT


def _contrasts(case: CaseMeasures) -> Mapping[str, float]:
    """Signed contrast of the lesions in each modality; none where there is no mask to tell."""
    return case.mask.fit.contrasts if case.mask is not None and case.mask.fit is not None else {}
