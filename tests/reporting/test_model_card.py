"""The card in Markdown: its metadata, its sections, texts that are no markup."""
import pytest
import yaml

from mstl.models.recipes import BUILDERS
from mstl.reporting.model_card import is_tainted, method_sources, model_card, plain
from mstl.transfer.initial import known_subjects
from mstl.transfer.source import Source
from tests.reporting.test_card_words import BUDGET, SIDE

FACTS = {
    "name": "MS | 3 T", "folder": "ms model", "about": "", "licence": "not stated", "date": "2026-01-02",
    "task": {"modalities": ["flair"], "labels": [], "classes": 1, "pictures": False, "brain": "", "words": "FLAIR",
             "pictured": "brain MRI scans", "reference": "FLAIR scan", "output": "a lesion mask", "files": "Files."},
    "preparation": {"steps": ["n4", "regrid"], "normalise": "nyul"}, "needs": ["One."], "done": ["Two."],
    "network": {"model": "unet-small", "options": "", "parameters": 1234, "dimensions": 2, "bayesian": False,
                "sees": "all"},
    "weights": {"sentences": ["All came from x."], "notes": [], "sources": []},
    "data": {"train": SIDE, "validation": {"subjects": 1}, "test": {"subjects": 0}},
    "budget": BUDGET, "decision": None, "scores": None, "sha256": "ff",
    "versions": {"mstl": "0.1.0", "python": "3.11", "packages": {"numpy": "2"}},
}  # fmt: skip
SECTIONS = (
    "Model details", "Intended use", "What a new case must be like", "How to run it", "Factors", "Training data",
    "Evaluation", "Ethical considerations", "Limits", "Sources",
)  # fmt: skip


def front_of(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_all_sections_stand_there_once_and_no_gap_is_wide():
    card = model_card(FACTS)
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == list(SECTIONS)
    assert "\n\n\n" not in card
    assert "None" not in card
    assert card.endswith(".\n")


@pytest.mark.parametrize(("licence", "front"), [
    ("not stated", {}),
    ("MIT", {"license": "mit"}),
    ("Ours: ask", {"license": "other", "license_name": "Ours: ask"}),
])  # fmt: skip
def test_the_metadata_state_a_licence_only_where_there_is_one(licence, front):
    found = front_of(model_card(FACTS | {"licence": licence}))
    assert {name: value for name, value in found.items() if name.startswith("license")} == front
    assert found["tags"] == ["mstl", "medical-imaging", "lesion-segmentation", "2d", "flair"]


def test_texts_of_people_are_no_markup():
    assert plain("a\n<b> |*c*| [d](e) `f`") == r"a \<b\> \|\*c\*\| \[d\](e) \`f\`"
    assert r"# MS \| 3 T" in model_card(FACTS)


def test_a_folder_with_a_blank_is_quoted_in_commands():
    assert "mstl predict 'ms model' cohort.csv --out predictions" in model_card(FACTS)


def test_commands_mirror_images_where_the_threshold_was_chosen_so():
    decision = {"threshold": 0.4, "mean_dice": [0.5], "cases": 2, "flip": True}
    card = model_card(FACTS | {"decision": decision})
    assert "flair=flair.nii.gz --flip --out predictions" in card
    assert 'mstl.Cohort([case]), flip=True, out="predictions")' in card


def test_weights_that_knew_held_out_subjects_are_found_by_their_note(tmp_path):
    notes = known_subjects(Source(tmp_path, subjects=("a",)), ["a", "b"])
    assert is_tainted(notes)
    assert not is_tainted(["These weights know other channels."])


@pytest.mark.parametrize("model", BUILDERS)
def test_every_network_names_its_source(model):
    if not model.endswith("-generator"):
        assert method_sources(model, FACTS["preparation"])[0].startswith(f"network `{model}`: ")


def test_what_a_preparation_does_names_its_sources():
    found = " ".join(method_sources("unet-small", FACTS["preparation"]))
    assert "N4: Tustison" in found
    assert "Nyul" in found
    assert "Mattes" not in found
