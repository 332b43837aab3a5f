"""Search and ablation around Inception networks: everything that studies are written with."""

from nas.arch import (
    PLACES,
    AuxHead,
    Bottleneck,
    Conv,
    GoogLeNet,
    Head,
    Inception,
    Plain,
    Stem,
)
from nas.cost import Budget, Cost, cost, relative
from nas.domain import between, choice, scaled, subsets, versus
from nas.experiment import Experiment
from nas.facts import Data, image_folder, own_data
from nas.layers import Layer, Network, Tape
from nas.presets import (
    googlenet,
    mini_googlenet,
    small_googlenet,
    tiny_googlenet,
    torchvision_googlenet,
)
from nas.recipe import Fidelity, Recipe
from nas.record import Seeds
from nas.space import Candidate, SearchSpace
from nas.study import ASHA, TPE, Ablation, Resources, Search, Study
from nas.tree import Node, edit

__all__ = [
    "ASHA",
    "PLACES",
    "TPE",
    "Ablation",
    "AuxHead",
    "Bottleneck",
    "Budget",
    "Candidate",
    "Conv",
    "Cost",
    "Data",
    "Experiment",
    "Fidelity",
    "GoogLeNet",
    "Head",
    "Inception",
    "Layer",
    "Network",
    "Node",
    "Plain",
    "Recipe",
    "Resources",
    "Search",
    "SearchSpace",
    "Seeds",
    "Stem",
    "Study",
    "Tape",
    "between",
    "choice",
    "cost",
    "edit",
    "googlenet",
    "image_folder",
    "mini_googlenet",
    "own_data",
    "relative",
    "scaled",
    "small_googlenet",
    "subsets",
    "tiny_googlenet",
    "torchvision_googlenet",
    "versus",
]
