"""A domain shift in words: what few subjects cannot show is said, and that it is a hint."""
import pytest

from mstl.reporting.domain_words import in_words


def record(**changes):
    a, b = ({"name": f"ms {name}", "subjects": ["s1", "s2", "s3"], "samples": 1200} for name in ("flair", "t1"))
    features = {"source": "intensities", "patch": (8, 8, 8)}
    numbers = {"mmd2": 0.12345, "kernel": "rbf", "p": 0.01, "smallest_p": 0.01, "paired_subjects": 0, "partitions": 100,
               "by_chance": {"median": 0.011, "95%": 0.0222}}  # fmt: skip
    return {"a": a, "b": b, "features": features, **numbers, **changes}


def test_the_measure_names_both_domains_and_what_was_measured():
    assert in_words(record())["measure"] == (
        "The squared MMD of ms flair (1,200 samples of 3 subjects) and ms t1 (1,200 samples of 3 subjects) is 0.123, "
        "measured on intensities of patches of 8 × 8 × 8 voxels in the brain, with the rbf kernel."
    )
    layer = in_words(record(features={"source": "runs/a:encoder/conv1"}))["measure"]
    assert "activations of the layer encoder/conv1, averaged over space" in layer


@pytest.mark.parametrize(("changes", "words"), [
    ({}, "Chance, when whole subjects changed sides, gave 0.011 in the middle and more than 0.0222 in 5 of 100 cases: "
         "the domains differ by more than chance explains, p = 0.01."),
    ({"p": 0.3}, "no difference beyond chance was seen, p = 0.3, which does not prove that there is none."),
    ({"paired_subjects": 3}, "Chance, when the two sides of each subject were swapped or not, gave"),
    ({"paired_subjects": 2}, "swapped or not, or whole subjects changed sides, gave"),
    ({"p": 0.5, "smallest_p": 0.5}, "more than chance is open. Samples of one subject resemble each other, so whole "
                                    "subjects are permuted, and with so few of them p cannot be below 0.5"),
])  # fmt: skip
def test_the_test_says_what_it_can_and_cannot_show(changes, words):
    assert words in in_words(record(**changes))["test"]


def test_it_is_always_a_hint():
    assert "never instead of results of training" in in_words(record())["hint"]
