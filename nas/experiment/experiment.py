"""Experiment: the root of every tree, and what makes two of them the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from nas.base.asking import asking
from nas.experiment import recipe
from nas.experiment import subject as measured
from nas.experiment.recipe import Recipe
from nas.experiment.subject import Subject
from nas.networks import classics, inception
from nas.networks import googlenet as arch
from nas.networks.googlenet import GoogLeNet
from nas.networks.layers import Layer, Network, Shape, check_results, check_size, to_plain
from nas.tree.tree import Node, digest, fingerprint, from_json, to_json

CLASSES: dict[str, type] = {
    kind.__name__: kind
    for module in (inception, arch, classics, measured, recipe)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Node) and kind is not Node
}
"""The classes that a stored tree may name."""


@dataclass(frozen=True, kw_only=True)
class Experiment(Node):
    """A network and its recipe: the canonical one, unless told otherwise."""

    network: Any = GoogLeNet()
    recipe: Recipe = Recipe()

    def check(self) -> None:
        network = self.network
        frozen = dataclasses.is_dataclass(network) and network.__dataclass_params__.frozen  # pyright: ignore
        if not (isinstance(network, Network) and frozen):
            raise ValueError(
                f"{type(network).__name__} is no network: it needs layers(shape, classes), and to "
                "be a frozen dataclass"
            )
        with asking(f"hash({type(network).__name__})"):
            hash(network)
        if self.recipe.fidelity.image_size is not None:
            try:
                self.layers(self.recipe.trained_size)
            except ValueError as error:
                size = self.recipe.trained_size
                raise ValueError(f"at Fidelity.image_size {size}, {error}") from None

    @property
    def shape(self) -> Shape:
        """The shape (C, H, W) of an image."""
        size = self.recipe.image_size
        return (self.recipe.data.channels, size, size)

    @property
    def subject(self) -> Subject:
        """What is measured: a network, or a function of one's own."""
        return measured.subject(self.network)

    @property
    def classes(self) -> int:
        return self.recipe.data.classes

    def layers(self, image_size: int | None = None) -> tuple[Layer, ...]:
        """The network's layers, for images of the recipe's size or another; ValueError where the
        network does not fit the image, is too large, or cannot say its layers."""
        shape = self.shape if image_size is None else (self.shape[0], image_size, image_size)
        made = _layers(self.network, shape, self.classes)
        if isinstance(made, str):
            raise ValueError(made)
        return made

    def require_repeatable(self) -> None:
        """Raises ValueError where the network gives other layers when it is asked again."""
        network = self.network
        if type(network).__module__.startswith("nas."):  # ours draw nothing, and spaces are many
            return
        first = self.layers()
        with asking(f"{type(network).__name__}.layers()"):
            alike = all(network.layers(self.shape, self.classes) == first for _ in range(2))
        if not alike:
            raise ValueError(
                f"{type(network).__name__}.layers() must give the same layers each time, and gives "
                "others; what varies is a field of the network, and nothing is drawn at random"
            )

    @property
    def trained_layers(self) -> tuple[Layer, ...]:
        """The layers for images of the size that a run is trained on."""
        return self.layers(self.recipe.trained_size)

    @property
    def network_id(self) -> str:
        """The fingerprint of the layers: two trees that build one network share it."""
        return _network_id(self.layers())

    @property
    def candidate_id(self) -> str:
        """The fingerprint of the network and of the recipe without its fidelity."""
        rules = cast("dict[str, Any]", to_json(self.recipe))
        del rules["fidelity"]
        return fingerprint({"network": self.network_id, "recipe": rules})


CLASSES["Experiment"] = Experiment


def rebuilt(tree: Any, network_id: str, classes: Mapping[str, type] = CLASSES) -> Experiment:
    """The experiment of a stored tree, whose network had this fingerprint when it was trained.

    Raises ValueError where the classes that the tree names build another network by now, and for a
    proposal that was not valid, of which no tree is stored.
    """
    if not tree:
        raise ValueError("the proposal was not valid: there is no network of it")
    made: Experiment = from_json(tree, classes)
    if made.network_id != network_id:
        raise ValueError(
            f"{type(made.network).__name__} is another network by now than the one that was "
            "trained: restore its source, or train the new one under another name"
        )
    return made


@lru_cache(maxsize=256)
def _layers(network: Network, shape: Shape, classes: int) -> tuple[Layer, ...] | str:
    """The layers, or why there are none."""
    name = type(network).__name__
    try:
        with asking(f"{name}.layers()"):
            made = network.layers(shape, classes)
    except ValueError as error:
        return str(error)
    if measured.subject(network).trained:
        try:
            with asking(f"{name}.layers()"):
                check_results(made, classes)
                check_size(made)
        except ValueError as error:
            return f"{name}: {error}"
    return made


@lru_cache(maxsize=256)
def _network_id(layers: tuple[Layer, ...]) -> str:
    rows = to_plain(layers)
    for layer, row in zip(layers, rows, strict=True):
        if layer.down and layer.filled:
            del row["down"]
    return digest([list(row.values()) for row in rows])
