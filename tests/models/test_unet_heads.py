import numpy as np
import pytest

from mstl._keras import keras, sm
from mstl.errors import InputError
from mstl.models import build_model
from mstl.models.auxiliary import auxiliary_output
from mstl.models.groups import groups_of
from mstl.transfer.plan import transfer_weights

IMAGE = np.random.default_rng(0).standard_normal((1, 32, 64, 1)).astype(np.float32)


@pytest.mark.parametrize(("backbone", "head"), [("resnet18", "psp"), ("vgg16", "aspp"), ("mobilenetv2", "fcn")])
def test_any_encoder_takes_a_head(backbone, head):
    model = build_model("unet-heads", seed=0, channels=1, backbone=backbone, head=head, width=8)
    assert model.predict(IMAGE, verbose=0).shape == (1, 32, 64, 1)
    assert auxiliary_output(model).shape.as_list() == [None, None, None, 1]
    groups = groups_of(model)
    assert {path for path in groups["head"]} == {
        layer.name for layer in model.layers if layer.weights and layer.name.startswith(("head_", "auxiliary_"))
    }
    assert not any(path.startswith("decoder") for path in groups["encoder"])
    assert all(path.startswith("decoder") for path in groups["decoder"])


def test_an_encoder_of_segmentation_models_goes_over(tmp_path):
    source = sm.Unet("resnet18", input_shape=(None, None, 3), encoder_weights=None)
    source.save_weights(tmp_path / "source.h5")
    model = build_model("unet-heads", seed=0, channels=3, backbone="resnet18", auxiliary=False)
    transfer_weights(tmp_path / "source.h5", model, include=["encoder", "decoder"])
    for path in ("bn_data", "conv0", "stage4_unit2_conv2", "decoder_stage0a_conv"):
        assert all(map(np.array_equal, source.get_layer(path).get_weights(), model.get_layer(path).get_weights()))


def test_probabilities_are_float32_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = build_model("unet-heads", channels=1, backbone="resnet18", num_classes=2)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.output.dtype == "float32"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "resnet35"}, "backbone is 'resnet35'; expected one of resnet18, resnet34"),
        ({"channels": 0}, "channels is 0"),
        ({"head": "none"}, "head is 'none'"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        build_model("unet-heads", **{"channels": 1, **options})
