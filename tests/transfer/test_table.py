from mstl.transfer.plan import PlanRow
from mstl.transfer.table import STATUSES, StatusTable, shape_text


class Table(StatusTable):
    rows = (
        PlanRow("load", "a/kernel", "a/kernel", (3, 2), (3, 2), "same name"),
        PlanRow("load", "a/bias", "a/bias", (2,), (2,), "same name"),
        PlanRow("adapted", "b/kernel", "old/b/kernel", (1, 2), (3, 2), "sum of channels", change=abs),
        PlanRow("unused", None, "c/kernel", None, (4,), "out of scope"),
        PlanRow("unused", None, "d/kernel", None, (4,), "out of scope"),
    )
    notes = ("Mind the batch norm.",)


def test_every_status_is_counted_and_absent_ones_are_left_out_of_the_summary():
    assert Table().counts == {**dict.fromkeys(STATUSES, 0), "load": 2, "adapted": 1, "unused": 2}
    assert Table().summary == "2 load, 1 adapted, 2 unused"


def test_the_tensors_of_a_layer_share_a_line_and_unused_layers_one():
    lines = Table().by_layer()
    assert lines[0] == ("load", "a", "a", "kernel 3x2, bias 2", "same name")
    assert [line[0] for line in lines] == ["load", "adapted", "unused"]


def test_text_and_page_show_rows_counts_and_notes():
    for shown in (str(Table()), Table()._repr_html_()):
        assert "same name" in shown
        assert "None" not in shown
        assert "2 load, 1 adapted, 2 unused" in shown
        assert "Mind the batch norm." in shown


def test_how_a_tensor_is_changed_is_no_value_for_json():
    assert "change" not in Table().to_dict()["tensors"][2]
    assert list(Table().to_frame()) == ["status", "target", "source", "target_shape", "source_shape", "reason"]


def test_shapes_are_written_as_people_do():
    assert shape_text((3, 3, 8, 16)) == "3x3x8x16"
    assert shape_text(()) == "1"
