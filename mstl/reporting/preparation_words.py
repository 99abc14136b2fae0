"""How scans were prepared, in sentences for people who have such scans."""
from __future__ import annotations

from collections.abc import Sequence

from mstl.data.preparation import NYUL, STEPS, Preparation

MODALITIES = {
    "flair": "FLAIR",
    "t1": "T1",
    "t1ce": "T1 with contrast agent",
    "t2": "T2",
    "oct": "OCT (optical coherence tomography)",
}
GIVEN = "given mask"  # how a brain was found, in a case's record
NORMALISED = {
    "max": "divided by the largest value",
    "minmax": "scaled so that the smallest value becomes 0 and the largest 1",
    "percentile": "scaled so that the percentiles 0.5 and 99.5 become 0 and 1, and cut there",
    "zscore": "brought to mean 0 and standard deviation 1",
    "imagenet": "taken as 8-bit greys (0 to 255) and scaled as ImageNet's",
    NYUL: "laid on a histogram scale (Nyul) that was learned from the cohort and is kept in preparation.json",
}


def modality_words(modalities: Sequence[str]) -> str:
    """The modalities as people write them: "FLAIR, T1 and T2"."""
    words = [MODALITIES[name] for name in modalities]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def what_is_done(preparation: Preparation, *, pictures: bool) -> list[str]:
    """What `mstl predict` does with a new case before the network sees it, a sentence a step."""
    where = "within the picture" if pictures else "within the brain"
    steps = [f"{STEPS[name][:1].upper()}{STEPS[name][1:]}." for name in preparation.steps if name != "brain"]
    brain = [] if pictures else [_brain(preparation)]
    return [*steps, *brain, _grid(preparation, pictures), f"Each is {NORMALISED[preparation.normalise]}, {where}."]


def what_is_needed(preparation: Preparation, *, pictures: bool, brains: Sequence[str] = ()) -> list[str]:
    """What a new case must be like, a sentence a demand; `brains` are the ways to the training cases' brains."""
    names = modality_words(preparation.modalities)
    needs = [f"All of {names} of a patient: none may be missing."]
    if len(preparation.modalities) == 1:
        needs = [f"{names} of each patient, as {'pictures' if pictures else 'a scan'}."]
    if pictures:
        return needs if preparation.shape else [*needs, "Pictures with as many micrometres a pixel as in training."]
    if len(preparation.modalities) > 1 and not {"regrid", "coregister"} & set(preparation.steps):
        needs.append("All scans of a patient on one grid, registered to each other.")
    if "brain" not in preparation.steps:
        needs.append("Scans without skull, background 0; or give each its brain mask (`brain_mask=`).")
    if GIVEN in brains:
        needs.append("Best a brain mask for each (`brain_mask=`), as the training scans had: masks may hang on it.")
    if preparation.spacing is None and "mni" not in preparation.steps:
        needs.append("Voxels of about the size that the training scans have (below): nothing is resampled.")
    return needs


def _brain(preparation: Preparation) -> str:
    if "brain" not in preparation.steps:
        return "No brain is extracted: what is not background counts as brain, where no brain mask is given."
    tool = "the best tool on the machine" if preparation.brain == "auto" else f"'{preparation.brain}'"
    return f"The brain is extracted by {tool}, where no brain mask is given."


def _grid(preparation: Preparation, pictures: bool) -> str:
    shape = preparation.shape
    if pictures:
        sides = f"stretched to {shape[1]} x {shape[2]} pixels" if shape else "kept at its own size"
        return f"The picture is {sides}."
    voxels = f"resampled to {_times(preparation.spacing)} mm" if preparation.spacing else "kept at its own voxels"
    box = f"set into a box of {_times(shape)} voxels" if shape else "cut to the brain's bounding box"
    return f"The volume is turned to axial slices, {voxels} and {box}."


def _times(numbers: Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)
