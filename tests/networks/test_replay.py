import pytest

from nas import edit, googlenet, small_googlenet
from nas.networks.replay import resized
from tests.specimens import Residual, quick


@pytest.mark.parametrize("experiment", [googlenet, small_googlenet, quick], ids=range(3))
@pytest.mark.parametrize("more", [0, 7, 32])
def test_the_layers_at_another_size_are_those_of_the_network_without_its_aux_heads(
    experiment, more
):
    size = experiment.recipe.image_size + more
    made = resized(experiment.layers(), (experiment.shape[0], size, size))
    assert made == tuple(layer for layer in experiment.layers(size) if not layer.aux)


def test_a_users_own_network_is_resized_too():
    own = edit(quick, {"network": Residual()})
    assert resized(own.layers(), (1, 21, 21)) == own.layers(21)


def test_a_fully_connected_head_is_refused_at_another_size():
    flat = edit(quick, {"network.head.pooling": "flatten"})
    assert resized(flat.layers(), flat.shape)
    with pytest.raises(ValueError, match=r"reads a map of .*: this network is scored at the size"):
        resized(flat.layers(), (1, 40, 40))


def test_a_window_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="window does not fit"):
        resized(googlenet.layers(), (3, 16, 16))
