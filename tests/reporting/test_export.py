"""Exported runs: they predict as the run did where nothing of it is left, and tell nobody's name."""
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from mstl.config import Experiment
from mstl.data.case import Case
from mstl.data.cohort import Cohort
from mstl.errors import InputError
from mstl.evaluation.predict import predict
from mstl.evaluation.threshold import set_threshold
from mstl.files import read_json, write_json
from mstl.models import build_model
from mstl.reporting.export import export_run
from mstl.reporting.weights_record import read_frozen, read_origins
from mstl.training.run import Run
from mstl.training.state import save_weights
from mstl.transfer.checksums import checksum_states
from mstl.transfer.source import find_source
from tests.exported import SUBJECTS, maps_of, texts_of, train_tiny
from tests.pictures import fluid, grey, save

ABOUT = "Scans of *MS*, 3 T"


@pytest.fixture(scope="module")
def heads(tmp_path_factory, make_case):
    folder = tmp_path_factory.mktemp("scans")
    return [make_case(folder, name, seed=number) for number, name in enumerate(SUBJECTS)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, heads):
    """A run whose encoder came from one that had learned from its test subject; its threshold is chosen."""
    home = tmp_path_factory.mktemp("home")
    source = home / "private" / "pretrained"
    Experiment(train_subjects=["dora"]).save(source / "experiment.yaml")
    save_weights(source / "best.h5", build_model("unet-small", seed=1, channels=2, width=2, depth=2))
    transfer = {"init": str(source), "init_include": ["encoder"], "freeze": ["encoder"]}
    with pytest.warns(UserWarning, match="held out"):
        made = train_tiny(home, heads, preparation={"normalise": "nyul"}, **transfer)
    set_threshold(Run(made.run))
    shutil.rmtree(made.predictions)
    predict(made.run, made.test, out=made.predictions)
    return made


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    out = tmp_path_factory.mktemp("away") / "ms-model"
    return export_run(trained.run, out, scores=trained.scores, about=ABOUT, licence="CC-BY-4.0")


@pytest.fixture
def gone(trained):
    """Takes the run, its prepared data and its source away while a test lasts."""
    hidden = trained.home.with_name("hidden")
    trained.home.rename(hidden)
    yield hidden
    hidden.rename(trained.home)


def test_it_predicts_the_same_bytes_where_nothing_else_is_left(trained, exported, gone, tmp_path):
    predict(exported, trained.test, out=tmp_path / "table")
    assert maps_of(tmp_path / "table") == maps_of(gone / "predictions")
    files = {name: trained.test[0].images[name] for name in ("flair", "t1")}
    predict(exported, Cohort([Case.of_files(files, subject="dora")]), out=tmp_path / "files")
    assert maps_of(tmp_path / "files") == maps_of(gone / "predictions")


def test_it_holds_what_prediction_needs_and_nothing_else(exported):
    assert {path.name for path in exported.iterdir()} == {
        "best.h5", "experiment.yaml", "preparation.json", "threshold.json", "transfer.json", "freeze.json",
        "environment.json", "MODEL_CARD.md", "card.json", "SHA256SUMS",
    }  # fmt: skip


def test_no_file_names_a_subject_a_folder_or_a_scan(trained, exported):
    record = read_json(trained.run / "environment.json")
    hashes = [one for files in record["inputs"].values() for one in files.values()]
    private = [*SUBJECTS, str(trained.home), "private", record["platform"], *hashes]
    for name, text in texts_of(exported).items():
        assert not [word for word in private if word in text], name


def test_the_scale_of_the_cohort_goes_along(trained, exported):
    assert Run(exported).preparation == Run(trained.run).preparation
    assert Run(exported).preparation["landmarks"]


def test_threshold_and_clean_up_go_along(trained, exported):
    assert (Run(exported).threshold, Run(exported).clean_up) == (Run(trained.run).threshold, Run(trained.run).clean_up)
    assert read_json(exported / "threshold.json")["chosen_on_subjects"] == 1


def test_transfer_and_proof_of_freezing_go_along(trained, exported):
    assert read_frozen(exported) == read_frozen(trained.run)
    (ours,), (theirs,) = (read_origins(folder).transfers for folder in (exported, trained.run))
    assert (ours.sha256, ours.rows) == (theirs.sha256, theirs.rows)
    assert ours.source == "pretrained (best.h5)"


def test_its_checksums_hold_for_every_other_file(exported):
    states = checksum_states(exported)
    assert set(states.values()) == {"ok"}
    assert states.keys() == {path.name for path in exported.iterdir()} - {"SHA256SUMS"}


def test_a_damaged_one_does_not_predict(trained, exported, tmp_path):
    copy = shutil.copytree(exported, tmp_path / "copy")
    weights = bytearray((copy / "best.h5").read_bytes())
    weights[len(weights) // 2] ^= 1
    (copy / "best.h5").write_bytes(weights)
    with pytest.raises(InputError, match=r"copy is not as it was exported: best\.h5 is damaged\. Copy"):
        predict(copy, trained.test, out=tmp_path / "out")


def test_it_is_the_init_of_another_training(exported):
    source = find_source(str(exported))
    assert (source.path, source.modalities, source.normalise) == (exported / "best.h5", ("flair", "t1"), "nyul")


def test_the_card_says_whom_it_learned_from_and_how_good_it_is(exported):
    card = (exported / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: cc-by-4.0\n")
    assert "# ms-model\n" in card
    assert "It learned from 2 subjects. On 1 held-out subject with lesions the median Dice (1 is perfect) is" in card
    assert r"What its maker says: Scans of \*MS\*, 3 T" in card
    assert "**Those scores are not of new patients:**" in card
    assert "mstl predict ms-model flair=flair.nii.gz t1=t1.nii.gz --out predictions" in card
    assert "- Frozen: the encoder (1,264 of 2,021 parameters); 30 tensors, every one unchanged to the bit" in card
    assert "- Learned from: 2 subjects, 2 cases; voxels 1 x 1.2 x 2 mm;" in card


def test_scores_of_these_weights_are_known_as_such(trained, tmp_path):
    given = {"scores": trained.scores, "predictions": trained.predictions}
    made = read_json(export_run(trained.run, tmp_path / "model", **given) / "card.json")["scores"]["made"]
    assert made.startswith("The masks that were scored were made by these very weights (same SHA-256): threshold 0.")


def test_predictions_of_other_weights_are_refused(trained, tmp_path):
    record = read_json(trained.predictions / "dora.json")
    write_json(tmp_path / "other" / "dora.json", record | {"weights_sha256": "0" * 64})
    with pytest.raises(InputError, match=r"holds a prediction of case dora by other weights than the run's best\.h5"):
        export_run(trained.run, tmp_path / "model", scores=trained.scores, predictions=tmp_path / "other")
    with pytest.raises(InputError, match="there are no scores of them"):
        export_run(trained.run, tmp_path / "model", predictions=tmp_path / "other")


def test_without_scores_the_card_says_that_nothing_is_known(trained, tmp_path):
    card = (export_run(trained.run, tmp_path / "model") / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "How good it is on patients it never saw is not known. No scores were handed over" in card
    assert "Licence of the weights: not stated." in card
    assert "license" not in card.split("---")[1]


def test_a_run_whose_data_are_gone_is_exported_with_what_is_known(trained, tmp_path):
    prepared = (trained.home / "prepared").rename(trained.home / "moved")
    try:
        facts = read_json(export_run(trained.run, tmp_path / "model") / "card.json")
    finally:
        prepared.rename(trained.home / "prepared")
    assert facts["data"] == {"train": {"subjects": 2}, "validation": {"subjects": 1}, "test": {"subjects": 1}}


def test_a_stopped_training_is_exported_and_said_to_be(trained, tmp_path):
    run = shutil.copytree(trained.run, tmp_path / "run")
    replace(Run(run).experiment, epochs=9).save(run / "experiment.yaml")
    card = (export_run(run, tmp_path / "model") / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "**Its training was stopped before its end**, after 1 epoch of 9." in card


@pytest.mark.parametrize("side", ["anna", "cleo", "zoe"])
def test_scores_of_other_than_test_subjects_are_refused(trained, tmp_path, side):
    rows = pd.read_csv(trained.scores, comment="#").assign(case=side, subject=side)
    rows.to_csv(tmp_path / "scores.csv", index=False)
    with pytest.raises(InputError, match=f"subjects .*{side}.*'mstl predict RUN' predicts them"):
        export_run(trained.run, tmp_path / "model", scores=tmp_path / "scores.csv")
    assert not (tmp_path / "model").exists()


def test_a_folder_that_is_no_run_is_refused(exported, trained, tmp_path):
    with pytest.raises(InputError, match="is not a run"):
        export_run(tmp_path, tmp_path / "model")
    (tmp_path / "gan").mkdir()
    (tmp_path / "gan" / "experiment.yaml").write_text("pretraining: gan\n")
    with pytest.raises(InputError, match="is a run of 'mstl pretrain gan'; one of 'mstl train' is expected"):
        export_run(tmp_path / "gan", tmp_path / "model")
    with pytest.raises(InputError, match="was exported already"):
        export_run(exported, tmp_path / "model")
    shutil.copytree(trained.run, tmp_path / "run", ignore=lambda *_: ["best.h5"])
    with pytest.raises(InputError, match=r"has no best\.h5\. Train it further with --resume"):
        export_run(tmp_path / "run", tmp_path / "model")


def test_an_output_that_holds_files_is_refused(trained, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is not empty"):
        export_run(trained.run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("text", [{"name": "net of dora"}, {"about": "see anna"}, {"licence": "ask ben"}])
def test_a_text_that_names_a_subject_is_refused(trained, tmp_path, text):
    with pytest.raises(InputError, match="names a subject of the run"):
        export_run(trained.run, tmp_path / "model", **text)


def test_an_empty_title_is_refused(trained, tmp_path):
    with pytest.raises(InputError, match="name is empty"):
        export_run(trained.run, tmp_path / "model", name=" ")


def test_a_model_of_ones_own_is_refused(trained, tmp_path):
    run = shutil.copytree(trained.run, tmp_path / "run")
    replace(Run(run).experiment, model="custom").save(run / "experiment.yaml")
    with pytest.raises(InputError, match="a model that mstl did not build and cannot build on another machine"):
        export_run(tmp_path / "run", tmp_path / "model")


def test_a_bayesian_3d_network_draws_the_same_without_its_prior(trained, tmp_path):
    run = tmp_path / "home" / "run"
    options = {"filters": [2, 4], "sigma_ratio": 0.5}
    settings = {"patch": (16, 16, 16), "overlap": 0, "prior": str(tmp_path / "home" / "prior.h5"), "prior_kernels": 4}
    Experiment(model="unet3d-bayesian", model_options=options, epochs=1, **settings).save(run / "experiment.yaml")
    save_weights(run / "best.h5", build_model("unet3d-bayesian", seed=2, channels=2, **options))
    shutil.copy(trained.run / "preparation.json", run)
    (run / "history.csv").write_text("epoch,loss\n1,0.5\n")
    predict(run, trained.test, out=tmp_path / "drawn", samples=2, seed=3)
    model = export_run(run, tmp_path / "model")
    shutil.rmtree(tmp_path / "home")
    predict(model, trained.test, out=tmp_path / "again", samples=2, seed=3)
    assert maps_of(tmp_path / "again") == maps_of(tmp_path / "drawn")
    assert not [name for name, text in texts_of(model).items() if "prior.h5" in text]
    card = (model / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Bayesian: a mean and a variance each weight. It sees windows of 16 x 16 x 16 voxels." in card
    assert "--samples 20" in card


def test_a_network_of_pictures_predicts_the_same(tmp_path):
    home = tmp_path / "home"
    cases = [
        Case.of_files(
            {"oct": save(tmp_path / name / "a.png", grey(seed)), "mask": save(tmp_path / name / "m.png", fluid())},
            subject=name,
        )
        for seed, name in enumerate(SUBJECTS)
    ]
    made = train_tiny(home, cases, validation_subjects=[])
    model = export_run(made.run, tmp_path / "model", scores=made.scores)
    shutil.rmtree(home / "prepared")
    predict(model, made.test, out=tmp_path / "again")
    assert maps_of(tmp_path / "again") == maps_of(made.predictions)
    card = (model / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "mstl predict model oct=oct.png --out predictions" in card
    assert "Pooled over all pictures" in card
    assert "12 x 16 pixels" in card
