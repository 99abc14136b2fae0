"""The loop of a training: in which order things happen at the end of an epoch, and that its processes end."""
from types import SimpleNamespace

import pytest

from mstl._keras import tf
from mstl.errors import TrainingError
from mstl.training.loop import run_epochs


class Model:
    """Notes what it is fitted with."""

    distribute_strategy = tf.distribute.get_strategy()

    def fit(self, x, **options) -> None:
        self.batches, self.options = x, options
        if options["epochs"] == 13:
            raise RuntimeError("unlucky")


@pytest.fixture
def recorder(tmp_path):
    settings = SimpleNamespace(workers=1, epochs=7)
    return SimpleNamespace(folder=tmp_path, settings=settings, history=[{"loss": 1.0}, {"loss": 0.5}])


def test_it_goes_on_behind_the_epochs_of_the_history(recorder):
    model = Model()
    run_epochs(model, "sampler", "validation", recorder)
    assert model.batches.sampler == "sampler"
    assert model.batches.epoch == model.options["initial_epoch"] == 2
    assert (model.options["epochs"], model.options["validation_data"]) == (7, "validation")


def test_what_is_not_finite_stops_it_before_anything_is_written_and_the_state_comes_behind_sheets(recorder):
    model = Model()
    run_epochs(model, "sampler", None, recorder, before=["sheets"], after=["progress"])
    guard, *others = model.options["callbacks"]
    assert guard.sequence is model.batches
    assert [others[0], others[1], others[-1]] == ["sheets", recorder, "progress"]


def test_worker_processes_end_with_it_whatever_happens(recorder, monkeypatch):
    closed = []
    monkeypatch.setattr("mstl.training.loop.BatchSequence.close", lambda self: closed.append(self))
    recorder.settings.epochs = 13
    with pytest.raises(RuntimeError, match="unlucky"):
        run_epochs(Model(), "sampler", None, recorder)
    assert len(closed) == 1


def test_a_batch_for_which_memory_does_not_suffice_says_what_to_lower(recorder):
    class Greedy(Model):
        def fit(self, x, **options) -> None:
            raise tf.errors.ResourceExhaustedError(None, None, "Graph error\nOOM when allocating tensor[9999]\n\t more")

    recorder.settings.batch_size = 16
    with pytest.raises(TrainingError, match=r"^Memory .*\(OOM when .*\[9999\]\).* batch_size \(16\)") as told:
        run_epochs(Greedy(), "sampler", None, recorder)
    assert "\n" not in str(told.value)
