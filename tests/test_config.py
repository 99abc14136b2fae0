"""An experiment of a training goes to YAML and back unchanged; values that would fail later are refused."""
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.config import Experiment, Training
from mstl.errors import InputError

CONFIGS = Path(__file__).parents[1] / "configs"
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9).map(str.strip).filter(bool)
WHOLE = st.integers(1, 10**9)
BY_TYPE = {
    "int": WHOLE,
    "int | None": st.none() | WHOLE,
    "float": st.floats(0, 0.9),
    "float | None": st.none() | st.floats(0.1, 0.9),
    "str": WORDS,
    "bool": st.booleans(),
    "dict": st.dictionaries(WORDS, st.integers() | WORDS, max_size=3),
    "tuple[int, ...]": st.just(()),
    "tuple[str, ...]": st.just(()),
    "tuple[float, ...]": st.lists(st.floats(0, 1), max_size=4).map(tuple),
}
BY_NAME = {
    "freeze": st.lists(WORDS.filter("gradual".__ne__), max_size=3).map(tuple),
    "freeze_norm": st.sampled_from(["freeze", "train"]),
    "init_include": st.lists(WORDS, max_size=3).map(tuple),
    "init_rename": st.lists(st.sampled_from(["a => b", "^x/ => ", "(.) => \\1"]), max_size=2).map(tuple),
    "patch": st.sampled_from([(), (8, 16, 24)]),
    "precision": st.sampled_from(["float32", "mixed_bfloat16", "mixed_float16"]),
    "plateau_factor": st.floats(0, 1, exclude_min=True, exclude_max=True),
    "train_subjects": st.just(()),
}
PRIORS = [
    {"weight_decay": 2.0},
    {"prior": "gaussian", "prior_sigma": 0.3, "kl_weight": 0.5, "kl_epochs": 3, "variance_rate": 10.0},
    {"prior": "runs/prior", "kl_weight": 0.0, "prior_kernels": 64, "prior_start": True},
]
OF_PRIORS = {"prior", *PRIORS[0], *PRIORS[1], *PRIORS[2]}
OPTIMIZERS = [{}, {"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.0}]
CROPS = [{}, {"crop": 64}, {"crop": 320, "class_share": 0.75}]
SCHEDULES = [
    {},
    {"decay": "cosine", "plateau_patience": 3},
    {"decay": "polynomial", "epochs": 7},
    {"decay": "cosine", "restarts": 2, "epochs": 9},
    {"plateau_patience": 10, "stop_patience": 30, "stop_rate": 1e-6, "learning_rate": 1e-3},
]
OF_SCHEDULES = {"epochs", *SCHEDULES[3], *SCHEDULES[4]}
IN_GROUPS = OF_PRIORS | OF_SCHEDULES | {"optimizer", "momentum", "crop", "class_share"}


@st.composite
def experiments(draw) -> Experiment:
    """Any experiment, its subjects named or left to ratios."""
    drawn = {field.name: BY_NAME.get(field.name, BY_TYPE.get(field.type)) for field in fields(Experiment)}
    values = {name: draw(strategy) for name, strategy in drawn.items() if name not in IN_GROUPS}
    values |= draw(st.sampled_from(PRIORS)) | draw(st.sampled_from(SCHEDULES)) | draw(st.sampled_from(CROPS))
    values |= draw(st.sampled_from(OPTIMIZERS)) if "prior" not in values else {}
    names = draw(st.lists(NAMES, unique=True, max_size=6))
    if names:
        values["train_subjects"], values["validation_subjects"] = tuple(names[:2]), tuple(names[2:])
    return Experiment(**values)


def file(folder: Path, text: str) -> Path:
    (folder / "experiment.yaml").write_text(text, encoding="utf-8")
    return folder / "experiment.yaml"


@settings(max_examples=60, deadline=None)
@given(experiment=experiments())
def test_an_experiment_goes_to_yaml_and_back(tmp_path_factory, experiment):
    path = tmp_path_factory.mktemp("experiment") / "experiment.yaml"
    experiment.save(path)
    assert Experiment.load(path) == experiment
    assert Experiment.from_dict(experiment.to_dict()) == experiment


def test_a_patch_is_three_sides_or_one_of_a_cube(tmp_path):
    path = file(tmp_path, "patch: 64")
    assert Experiment.load(path).patch == (64, 64, 64)
    assert Experiment.load(path, changes=["patch=[16, 96, 96]"]).patch == (16, 96, 96)


def test_what_to_freeze_is_a_policy_or_a_list_and_epochs_a_number_or_a_list(tmp_path):
    assert Experiment.load(file(tmp_path, "")).freeze == ()
    path = file(tmp_path, "freeze: encoder\n")
    assert Experiment.load(path).freeze == ("encoder",)
    assert Experiment.load(path, changes=["freeze=first:25"]).freeze == ("first:25",)
    assert Experiment.load(path, changes=['freeze=[stem, "^conv[12]_"]']).freeze == ("stem", "^conv[12]_")
    gradual = Experiment.load(path, changes=["freeze=gradual", "unfreeze_epochs=5"])
    assert (gradual.freeze, gradual.unfreeze_epochs) == (("gradual",), (5,))
    assert Training(freeze="gradual", unfreeze_epochs=[5, 10]).unfreeze_epochs == (5, 10)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"epochs": 0}, "epochs is 0; at least 1"),
        ({"batch_size": 0}, "batch_size is 0; at least 1"),
        ({"crop": 0}, "crop is 0; at least 1"),
        ({"stop_patience": -1}, "stop_patience is -1; at least 1"),
        ({"seed": -1}, "seed is -1; at least 0"),
        ({"context": -1}, "context is -1; at least 0"),
        ({"learning_rate": -1e-3}, "learning_rate is -0.001; at least 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
        ({"plateau_factor": 1.0}, "plateau_factor is 1.0; between 0 and 1"),
        ({"freeze_norm": "thaw"}, "freeze_norm is 'thaw'; expected one of freeze, train"),
        ({"freeze": ("gradual", "stem")}, "'gradual' stands alone"),
        ({"freeze": "gradual"}, "'gradual' and its epochs are given together"),
        ({"unfreeze_epochs": (5,)}, "freeze is [] and unfreeze_epochs [5]; 'gradual'"),
        ({"decay": "linear"}, "decay is 'linear'; expected one of constant, cosine, polynomial"),
        ({"ce_weight": -0.5}, "ce_weight is -0.5; at least 0"),
        ({"ce_weight": float("nan")}, "ce_weight is nan; at least 0"),
        ({"auxiliary_weight": -0.1}, "auxiliary_weight is -0.1; at least 0"),
        ({"window": 0}, "window is 0; at least 1"),
        ({"preview_every": 0}, "preview_every is 0; at least 1"),
        ({"decay": "polynomial", "restarts": 1}, "restarts is 1; it is for decay: cosine"),
        ({"restarts": -1}, "restarts is -1; at least 0"),
        ({"restarts": 1}, "restarts is 1; it is for decay: cosine without plateau_patience and stop_patience"),
        ({"restarts": 1, "decay": "cosine", "plateau_patience": 5}, "restarts is 1; it is for decay: cosine without"),
        ({"restarts": 1, "decay": "cosine", "stop_patience": 5}, "restarts is 1; it is for decay: cosine without"),
        ({"restarts": 2, "decay": "cosine", "epochs": 50}, "makes 3 cycles of equal length, and epochs is 50"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0; at least 0"),
        ({"weight_decay": 1.0, "prior": "gaussian"}, "weight_decay is 1.0, but weights have a prior already"),
        ({"stop_rate": -1e-6, "plateau_patience": 5}, "stop_rate is -1e-06; at least 0"),
        ({"stop_rate": float("nan"), "plateau_patience": 5}, "stop_rate is nan; at least 0"),
        ({"stop_rate": 1e-6}, "stop_rate is 1e-06; it is for a learning_rate above it (0.001) that falls"),
        ({"stop_rate": 0.1, "plateau_patience": 5}, "stop_rate is 0.1; it is for a learning_rate above it (0.001)"),
        ({"prior": "gaussian", "prior_sigma": 0.0}, "prior_sigma is 0.0; a number above 0"),
        ({"prior": "gaussian", "kl_weight": float("nan")}, "kl_weight is nan; at least 0"),
        ({"prior": "gaussian", "variance_rate": -1.0}, "variance_rate is -1.0; at least 0"),
        ({"prior": "gaussian", "prior_start": True}, "prior_start is True, but prior is 'gaussian'"),
        ({"prior": "gaussian", "kl_epochs": -1}, "kl_epochs is -1; at least 0"),
        ({"prior": "prior.h5", "prior_kernels": 0}, "prior_kernels is 0; at least 1"),
        ({"prior": "gaussian", "freeze": "gradual", "unfreeze_epochs": (5,)}, "which do not go together"),
        ({"kl_weight": 0.5}, "kl_weight is 0.5, but prior is 'none', which has no use for it"),
        ({"prior": "gaussian", "prior_kernels": 64}, "prior_kernels is 64, but prior is 'gaussian'"),
        ({"prior": "prior.h5", "prior_sigma": 0.2}, "prior_sigma is 0.2, but prior is 'prior.h5'"),
    ],
)
def test_a_value_out_of_range_is_an_error(changes, expected):
    for kind in (Training, Experiment):
        with pytest.raises(InputError) as caught:
            kind(**changes)
        assert expected in str(caught.value)


def test_the_least_values_are_allowed():
    experiment = Experiment(epochs=1, seed=0, context=0, learning_rate=0, steps_per_epoch=None, crop=None)
    assert experiment.training()["seed"] == 0


def test_each_prior_has_settings_of_its_own():
    assert Training(prior="gaussian", prior_sigma=0.2, kl_weight=0, kl_epochs=5).prior_sigma == 0.2
    assert Training(prior="runs/prior", kl_weight=0.5, kl_epochs=5, prior_kernels=64).prior_kernels == 64


def test_training_gives_the_arguments_of_fit_alone():
    assert Experiment(epochs=7, prepared="x").training() == Training(epochs=7).training()
    assert set(Training().training()) == {field.name for field in fields(Training)}


@pytest.mark.parametrize(
    "wrong",
    ["crop=100", "seed=4294967296", "patch=[8, 8]", "patch=0", "lesion_patches=2", "overlap=1", "precision=int8"],
)
def test_values_that_would_fail_later_are_refused_at_once(tmp_path, wrong):
    (tmp_path / "e.yaml").write_text("epochs: 1")
    with pytest.raises(InputError, match=wrong.partition("=")[0]):
        Experiment.load(tmp_path / "e.yaml", changes=[wrong])


def test_from_scratch_takes_back_all_that_transfers_or_freezes_and_nothing_else():
    transfer = {"init": "runs/gan", "init_include": "encoder", "init_adapt": "sum", "init_partial": True}
    freezing = {"freeze": "gradual", "unfreeze_epochs": (2, 4), "freeze_norm": "train"}
    scratch = Experiment(epochs=7, seed=3, model="unet-small", twin=True, **transfer, **freezing).from_scratch()
    assert scratch == Experiment(epochs=7, seed=3, model="unet-small", freeze="none")


def test_a_prior_from_other_networks_is_a_transfer_and_a_gaussian_one_is_not():
    settings = {"prior": "runs/prior", "kl_weight": 0.5, "kl_epochs": 2, "prior_kernels": 64}
    learned = Experiment(model="unet3d-bayesian", twin=True, **settings)
    assert learned.from_scratch() == Experiment(model="unet3d-bayesian", freeze="none")
    gaussian = Experiment(prior="gaussian", prior_sigma=0.2, kl_weight=0.5, init="runs/source")
    assert gaussian.from_scratch() == Experiment(prior="gaussian", prior_sigma=0.2, kl_weight=0.5, freeze="none")
    with pytest.raises(InputError, match="the same training"):
        Experiment(prior="gaussian", twin=True)


@pytest.mark.parametrize("freeze", [(), "none"])
def test_a_twin_of_what_begins_at_random_is_refused(freeze):
    with pytest.raises(InputError, match="twin is true, but init is 'random' and nothing is frozen"):
        Experiment(twin=True, freeze=freeze)
    assert Experiment(twin=True, freeze="encoder").twin
    assert Experiment(twin=True, init="imagenet", freeze=freeze).twin


def test_the_modality_transfer_freezes_the_first_25_layers_and_its_twin_none():
    experiment = Experiment.load(CONFIGS / "brats-modality-transfer.yaml", changes=["twin=true"])
    assert (experiment.freeze, experiment.from_scratch().freeze) == (("first:25",), ("none",))
    assert experiment.from_scratch().init == "random"
