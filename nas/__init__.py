"""Search and ablation around Inception networks: everything that studies are written with."""

from nas.ablate import ablate
from nas.compare import compare
from nas.data.datasets import Data, image_folder, own_data
from nas.experiment.cost import Budget, Cost, cost, relative
from nas.experiment.experiment import Experiment
from nas.experiment.presets import (
    alexnet,
    googlenet,
    lenet5,
    mini_googlenet,
    network_in_network,
    small_alexnet,
    small_googlenet,
    small_network_in_network,
    small_plain,
    small_vgg16,
    tiny_googlenet,
    torchvision_alexnet,
    torchvision_googlenet,
    vgg16,
    zfnet,
)
from nas.experiment.recipe import Fidelity, Recipe
from nas.networks.classics import (
    AlexNet,
    Convolution,
    LeNet5,
    MlpConv,
    NetworkInNetwork,
    PlainNet,
    Stage,
)
from nas.networks.googlenet import PLACES, AuxHead, GoogLeNet, Head, Stem
from nas.networks.inception import Bottleneck, Conv, Inception, Plain
from nas.networks.layers import Layer, Network
from nas.networks.tape import Tape
from nas.plan.plans import ASHA, Ablation, Confirmation, Median, Search
from nas.plan.samplers.evolution import Evolution
from nas.plan.samplers.gp import GP
from nas.plan.samplers.local_search import LocalSearch
from nas.plan.samplers.nsga2 import NSGA2
from nas.plan.samplers.optuna import OptunaSampler
from nas.plan.samplers.random import Random
from nas.plan.samplers.sampler import Ask, Sampler
from nas.plan.samplers.tpe import TPE
from nas.plan.study import Resources
from nas.runs.record import Seeds
from nas.space.matching import control, match
from nas.space.space import Candidate, SearchSpace
from nas.study import Study
from nas.tree.domain import between, choice, scaled, subsets, versus
from nas.tree.tree import Node, edit

__all__ = [
    "ASHA",
    "GP",
    "NSGA2",
    "PLACES",
    "TPE",
    "Ablation",
    "AlexNet",
    "Ask",
    "AuxHead",
    "Bottleneck",
    "Budget",
    "Candidate",
    "Confirmation",
    "Conv",
    "Convolution",
    "Cost",
    "Data",
    "Evolution",
    "Experiment",
    "Fidelity",
    "GoogLeNet",
    "Head",
    "Inception",
    "Layer",
    "LeNet5",
    "LocalSearch",
    "Median",
    "MlpConv",
    "Network",
    "NetworkInNetwork",
    "Node",
    "OptunaSampler",
    "Plain",
    "PlainNet",
    "Random",
    "Recipe",
    "Resources",
    "Sampler",
    "Search",
    "SearchSpace",
    "Seeds",
    "Stage",
    "Stem",
    "Study",
    "Tape",
    "ablate",
    "alexnet",
    "between",
    "choice",
    "compare",
    "control",
    "cost",
    "edit",
    "googlenet",
    "image_folder",
    "lenet5",
    "match",
    "mini_googlenet",
    "network_in_network",
    "own_data",
    "relative",
    "scaled",
    "small_alexnet",
    "small_googlenet",
    "small_network_in_network",
    "small_plain",
    "small_vgg16",
    "subsets",
    "tiny_googlenet",
    "torchvision_alexnet",
    "torchvision_googlenet",
    "versus",
    "vgg16",
    "zfnet",
]
