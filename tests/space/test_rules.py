import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas import (
    PLACES,
    Budget,
    Experiment,
    Plain,
    Search,
    SearchSpace,
    Study,
    between,
    choice,
    cost,
    edit,
    googlenet,
    scaled,
    tiny_googlenet,
    versus,
)
from nas.space.draws import draw, labels
from tests.space.test_populations import Straight, odd

STAGES = {
    "network.inception_3b.conv3x3.width": scaled(0.5, 1, 2),
    "network.inception_4a.conv3x3.width": scaled(0.5, 1, 2),
    "network.inception_4a.conv3x3": versus(off=None),
    "network.inception_4a.conv5x5.ratio": versus(0.5, 20.0, off=None),
    "network.inception_4b": versus(Plain(width=32), off=None),
    "network.aux_after": versus(("4a",), ()),
    "network.normalization": versus("batch", off="none"),
}


def stage4_is_no_narrower(tree):
    """The 3x3 branch of 4a is no narrower than that of 3b."""
    return tree.network.inception_4a.conv3x3.width >= tree.network.inception_3b.conv3x3.width


def reductions_narrow(tree):
    """A reduction is no wider than its input."""
    return [x.shape[0] <= x.in_shape[0] for x in tree.layers() if x.name.endswith(".reduce")]


def an_aux_head_needs_norm(tree):
    """Without normalization there are two aux heads, or module 4b is a plain one or gone."""
    network = tree.network
    two = network.aux_after.has("4a") & network.aux_after.has("4d")
    plain = ~network.inception_4b.there() | network.inception_4b.kernel.there()
    return (network.normalization != "none") | two | plain


def concrete(experiment):
    """The same three rules, as one would ask them of one network."""
    network = experiment.network
    first, second = network.inception_3b.conv3x3, network.inception_4a.conv3x3
    reduces = [x for x in experiment.layers() if x.name.endswith(".reduce")]
    two = set(network.aux_after) == {"4a", "4d"}
    plain = network.inception_4b is None or isinstance(network.inception_4b, Plain)
    return (
        (second is None or second.width >= first.width)
        and all(x.shape[0] <= x.in_shape[0] for x in reduces)
        and (network.normalization != "none" or two or plain)
    )


free = SearchSpace(googlenet, STAGES)
ruled = SearchSpace(
    googlenet, STAGES, where=(stage4_is_no_narrower, reductions_narrow, an_aux_head_needs_norm)
)


def test_a_population_keeps_the_rules_as_each_of_its_candidates_does():
    positions = ruled.points.positions(0, int(ruled.points.size))
    valid = ruled.costs(positions).valid
    asked = [concrete(free.candidate(index).experiment) for index in range(int(free.points.size))]
    assert valid.tolist() == asked
    assert 100 < sum(asked) < len(asked) - 100
    assert ruled.size == sum(asked)


@given(st.integers(0, int(ruled.points.size) - 1))
def test_a_candidate_breaks_a_rule_or_is_in_the_space(index):
    candidate = ruled.at(ruled.points.decisions(index))
    if concrete(candidate.experiment):
        ruled.check(candidate)
        assert ruled.candidate(index) == candidate
    else:
        with pytest.raises(ValueError, match="it breaks the space's rule"):
            ruled.candidate(index)
        assert ruled.explain(candidate.decisions).startswith(
            "not valid: it breaks the space's rule"
        )


def test_what_is_sampled_mutated_or_near_keeps_the_rules():
    rng = np.random.default_rng(0)
    here = ruled.sample(rng)
    for _ in range(20):
        here = ruled.mutate(here, rng)
        assert concrete(here.experiment)
    assert all(concrete(near.experiment) for near in ruled.neighbours(here))
    assert all(concrete(ruled.sample(rng).experiment) for _ in range(20))


def no_wide_stem(tree):
    """The stem is narrower than 3a's input, whatever there is."""
    found = [x for x in tree.layers() if x.name == "stem.conv7x7"]
    return [x.shape[0] * 2 - 1 < 1 + x.shape[0] * 3 for x in found]


def test_rules_over_layers_know_every_kind_of_alternative():
    space = SearchSpace(odd.canonical, odd.edits, where=(no_wide_stem, reductions_narrow))
    drawn = draw(space.points, space.domains, np.random.default_rng(0), 60)
    valid = space.costs(drawn).valid
    for at in range(60):
        try:
            odd_one = odd.at(labels(drawn, odd.domains, at)).experiment
            layers = odd_one.layers()
        except ValueError:
            assert not valid[at]
            continue
        kept = all(x.shape[0] <= x.in_shape[0] for x in layers if x.name.endswith(".reduce"))
        assert valid[at] == kept


def narrow(tree):
    """A straight network has at most 10 channels."""
    return tree.network.width <= 10


def few(tree):
    """Its convolution gives at most 10 channels."""
    return [x.shape[0] <= 10 for x in tree.layers() if x.op == "conv"]


@pytest.mark.parametrize("rule", [narrow, few])
def test_a_network_that_is_counted_one_by_one_keeps_rules_too(rule):
    experiment = Experiment(network=Straight(), recipe=tiny_googlenet.recipe)
    space = SearchSpace(experiment, {"network.width": choice(8, 10, 12)}, where=(rule,))
    assert space.size == 2
    assert space.costs({"network.width": np.arange(3)}).valid.tolist() == [True, True, False]


def low_rate(tree):
    """The rate is below a tenth, and the dropout not above a half."""
    return (tree.recipe.lr < 0.1) & (tree.network.dropout <= 0.5)


def test_a_rule_asks_of_intervals_and_of_the_recipe():
    space = SearchSpace(
        googlenet,
        {"recipe.lr": between(0.01, 1.0), "network.dropout": between(0.0, 0.8, step=0.1)},
        where=(low_rate,),
    )
    drawn = {"recipe.lr": np.array([0.05, 0.5]), "network.dropout": np.array([5, 5])}
    assert space.costs(drawn).valid.tolist() == [True, False]
    assert not space.costs({"recipe.lr": [0.05], "network.dropout": np.array([6])}).valid[0]


def test_a_rule_moves_with_its_space_and_makes_another_study():
    assert ruled.around(googlenet).where == ruled.where
    one, other = (
        Study(name="s", question="?", space=space, plan=Search(trials=2)) for space in (free, ruled)
    )
    assert one.full_name != other.full_name
    again = SearchSpace(googlenet, STAGES, where=ruled.where)
    same = Study(name="s", question="?", space=again, plan=Search(trials=2))
    assert same.full_name == other.full_name


def no_sentence(tree):
    return True


def twice_as_wide(tree):
    """4a's 3x3 branch is twice as wide as it is."""
    return tree.network.inception_4a.conv3x3.width >= 416


def misspelt(tree):
    """A leaf that there is not."""
    return tree.network.inception_4a.conv3x3.widht > 1


def asks_if(tree):
    """A rule that asks of one candidate."""
    return 1 if tree.network.inception_4a.conv3x3.width > 1 else 0


def of_a_node(tree):
    """A branch is more than one."""
    return tree.network.inception_4a.conv3x3 > 1


def item_in(tree):
    """An aux head after 4a."""
    return "4a" in tree.network.aux_after


def nothing(tree):
    """Returns nothing."""


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ((no_sentence,), "a rule is a function with a name and a sentence as its docstring"),
        ((lambda tree: True,), "a rule is a function with a name and a sentence"),
        (stage4_is_no_narrower, r"where= takes several rules: where=\(rule,\)"),
        ((few, few), "where= has a rule twice: few: Its convolution"),
        ((twice_as_wide,), "the baseline is not valid: it breaks the space's rule twice_as_wide: "
         "4a's 3x3 branch is twice as wide as it is."),
        ((misspelt,), r"the rule misspelt: tree.network.inception_4a.conv3x3 \(Bottleneck\) has no "
         "'widht'"),
        ((asks_if,), "the rule asks_if: a rule is asked of many candidates at once: join conditio"),
        ((of_a_node,), "the rule of_a_node: .*conv3x3 is a Bottleneck; name a leaf of it"),
        ((item_in,), r"ask whether tree.network.aux_after has an item by .has\('4a'\), not by in"),
        ((nothing,), "the rule nothing: it returns None, which is no condition"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_asked_is_refused_when_the_space_is_made(where, message):
    with pytest.raises(ValueError, match=message):
        SearchSpace(googlenet, STAGES, where=where)


def joined(tree):
    """No module of stage 3 gives more than 300 channels, and all convolutions 10,600 at most."""
    wide = [x.shape[0] <= 300 for x in tree.layers() if x.op == "concat" and x.module[-2] == "3"]
    convs = [x.shape[0] for x in tree.layers() if x.op == "conv" and not x.aux]
    return [*wide, sum(convs) <= 10_600]


def test_a_rule_sums_over_the_layers_that_there_are_and_sees_joined_maps():
    edits = {
        "network.inception_3a.conv3x3.width": choice(128, 512),
        "network.inception_4b.pool_proj": versus(off=None),
        "network.inception_5b.conv3x3.width": choice(384, 4000),
    }
    base = edit(googlenet, {"network.inception_3b.conv3x3.width": 96, "network.aux_after": ()})
    base = edit(base, {"network.inception_3b.conv1x1.width": 32})
    free = SearchSpace(base, edits)
    space = SearchSpace(base, edits, where=(joined,))
    expected = []
    for index in range(8):
        layers = free.candidate(index).experiment.layers()
        concats = [x.shape[0] for x in layers if x.op == "concat" and x.module[-2] == "3"]
        total = sum(x.shape[0] for x in layers if x.op == "conv")
        expected.append(max(concats) <= 300 and total <= 10_600)
    assert space.costs(space.points.positions(0, 8)).valid.tolist() == expected
    assert 0 < sum(expected) < 4


def small_kernels(tree):
    """No kernel is larger than 5."""
    return tree.network.inception_3a.conv5x5.kernel <= 5


def forgotten(tree):
    """A comparison that is not there."""
    return tree.network.inception_3a.conv5x5.width


def counts_items(tree):
    """At most two aux heads."""
    return len(tree.network.aux_after) < 3


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (small_kernels, r"the rule small_kernels: .*'<=' not supported between"),
        (forgotten, "the rule forgotten: .*width is a value and no condition: compare it with an"),
        (counts_items, "the rule counts_items: TypeError: object of type 'Place' has no len"),
    ],
)
def test_a_rule_that_fails_on_some_option_is_refused_when_the_space_is_made(rule, message):
    edits = {"network.inception_3a.conv5x5.kernel": versus("3+3", 7)}
    with pytest.raises(ValueError, match=message):
        SearchSpace(googlenet, edits, where=(rule,))


def at_most(channels):
    def rule(tree):
        """3a is narrow enough."""
        return tree.network.inception_4a.conv3x3.width <= channels

    return rule


def test_a_rule_is_told_from_another_by_what_it_takes_from_around_it():
    def name(*where):
        space = SearchSpace(googlenet, STAGES, where=where)
        return Study(name="a", question="?", space=space, plan=Search(trials=2)).full_name

    assert name(at_most(300)) != name(at_most(400))
    assert name(at_most(300)) == name(at_most(300))
    two = (stage4_is_no_narrower, reductions_narrow)
    assert name(*two) == name(*reversed(two))


def equal_widths(tree):
    """The 3x3 branches are equally wide."""
    network = tree.network
    return network.inception_3a.conv3x3.width == network.inception_3b.conv3x3.width


def test_the_cheapest_candidate_keeps_the_rules():
    paths = [f"network.inception_{place}.conv3x3.width" for place in ("3a", "3b")]
    base = edit(googlenet, dict.fromkeys(paths, 128))
    space = SearchSpace(base, {path: choice(64, 128, 256) for path in paths}, where=(equal_widths,))
    least = min(cost(candidate.experiment).mult_adds for candidate in space.enumerate())
    assert (space.size, space.cheapest()) == (3, least)
    space.require_fit(Budget(mult_adds=least))


def one_width(tree):
    """All 3x3 branches are equally wide."""
    network = tree.network
    first = network.inception_3a.conv3x3.width
    places = ("3b", "4a", "4b", "4c", "4d", "4e", "5a")
    return [getattr(network, f"inception_{p}").conv3x3.width == first for p in places]


def test_a_large_space_with_rules_is_not_called_empty_before_it_is_drawn_from():
    paths = [f"network.inception_{p}.conv3x3.width" for p in PLACES[:8]]
    base = edit(googlenet, dict.fromkeys(paths, 192))
    options = choice(64, 96, 128, 192, 256)
    space = SearchSpace(base, dict.fromkeys(paths, options), where=(one_width,))
    narrow = cost(edit(base, dict.fromkeys(paths, 64))).mult_adds
    space.require_fit(Budget(mult_adds=narrow))
