import io

from rich.console import Console

from mstl.training.fit import fit
from mstl.training.progress import TrainingProgress


def test_the_bar_shows_epochs_loss_and_validation_dice(prepared, small_model, tmp_path):
    console = Console(file=io.StringIO(), width=160)
    sides = prepared.select(["s0"]), prepared.select(["s1"])
    with TrainingProgress(console) as bar:
        fit(small_model(), *sides, out=tmp_path / "run", epochs=2, steps_per_epoch=2, batch_size=2, callbacks=[bar])
    shown = console.file.getvalue()
    assert shown.startswith("Training on the CPU (")
    assert shown.count("Training on") == 1
    assert "epoch 2/2" in shown
    assert "4/4" in shown
    assert "loss" in shown
    assert "validation Dice" in shown
