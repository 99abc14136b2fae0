from dataclasses import replace

from mstl.transfer.ordering import LayerShapes, align


def layers(*widths, name="a"):
    return [
        LayerShapes(f"{name}{number}", (f"{name}{number}/kernel",), ((3, 3, 1, width),))
        for number, width in enumerate(widths)
    ]


def paired(source, target):
    return [(one.path, other.path) for one, other in align([layers(*source)], layers(*target, name="b"))]


def test_equal_sequences_are_paired_throughout():
    assert paired((1, 2, 3), (1, 2, 3)) == [("a0", "b0"), ("a1", "b1"), ("a2", "b2")]


def test_equal_kinds_are_paired_whatever_their_widths():
    assert paired((1, 2), (4, 8)) == [("a0", "b0"), ("a1", "b1")]


def test_another_end_leaves_the_start_paired():
    assert paired((1, 2, 3), (1, 2, 7, 8)) == [("a0", "b0"), ("a1", "b1"), ("a2", "b2")]


def test_another_start_leaves_the_end_paired():
    assert paired((9, 2, 3), (1, 8, 2, 3)) == [("a0", "b0"), ("a1", "b2"), ("a2", "b3")]


def test_layers_that_fit_from_either_side_are_left_alone():
    assert paired((1, 2, 3), (1, 2, 2, 3)) == [("a0", "b0"), ("a2", "b3")]
    assert paired((2, 2), (2, 2, 2)) == []


def test_a_layer_more_or_less_at_the_end_is_doubt_where_shapes_are_equal():
    assert paired((1, 2), (1, 2, 2)) == [("a0", "b0")]
    assert paired((1, 2, 2, 2), (1, 2, 2)) == [("a0", "b0")]


def test_a_layer_less_at_the_end_is_no_doubt_where_its_shape_is_its_own():
    assert paired((1, 2, 3), (1, 2)) == [("a0", "b0"), ("a1", "b1")]


def test_the_candidate_that_fits_wins_and_of_equals_none():
    first, second, target = layers(1, 2, name="x"), layers(1, 2, name="y"), layers(1, 2, name="b")
    assert align([layers(5), first, list(first)], target)[0][0].path == "x0"
    assert align([layers(5), first, second], target) == []
    assert align([layers(1, name="x"), layers(1, name="y")], target) == []
    assert align([], target) == []
    assert align([first], []) == []


def test_layers_with_names_of_their_own_are_never_paired_with_others():
    source = [replace(layer, name=name) for layer, name in zip(layers(1, 1), ("c", None), strict=True)]
    target = [replace(layer, name=name) for layer, name in zip(layers(1, 1, name="b"), ("d", "e"), strict=True)]
    assert [(one.path, other.path) for one, other in align([source], target)] == [("a1", "b1")]
