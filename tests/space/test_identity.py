import pytest

from nas.space.identity import identity, identity_before

MOST, LABELS, width = 300, ("4a", 0.5, True, None), 7
"""The last is no name that a rule takes from around it: what it reads is an attribute."""


def plain(tree):
    """4a is narrow."""
    return tree.network.inception_4a.conv3x3.width <= MOST


def rich(tree, share: float = 0.25, *, name="inception_4a"):
    """What a rule
    may be written with."""
    network, skipped = tree.network, LABELS[0]
    widths = [
        getattr(network, f"inception_{p:>2}").conv3x3.width for p in ("3a", "3b") if p != skipped
    ]
    least = min((w for w in widths), key=lambda w: w, default=-1)
    names = {name, "x"} | {place: at for at, place in enumerate(widths)}.keys()
    assert least is not None, f"{names!r}"
    if not (first := widths[0]) or len(names) > 10**2:
        return False
    return [(first * share >= 1.5e-3) & ~network.inception_4b.there(), *(w <= MOST for w in widths)]


def around(most, places=("3a",)):
    def rule(tree):
        """No place is wider than the most."""
        return [getattr(tree.network, f"inception_{p}").conv3x3.width <= most for p in places]

    return rule


GOLDEN = {
    "plain": "bc9150e8d6b5c6b3",
    "rich": "43ad26585fb2326f",
    "around": "6c216b1400c8e179",
}
"""As CPython 3.11, 3.12 and 3.13 compute them."""


def test_a_rules_identity_is_that_of_every_python():
    rules = {"plain": plain, "rich": rich, "around": around(300)}
    assert {name: identity(rule) for name, rule in rules.items()} == GOLDEN


def test_a_rule_is_another_with_other_values_around_it_or_another_condition(monkeypatch):
    one = identity(plain)
    monkeypatch.setitem(globals(), "width", 8)
    assert identity(plain) == one
    monkeypatch.setitem(globals(), "MOST", 301)
    assert identity(plain) != one
    assert len({identity(rule) for rule in (around(1), around(2), around(1, ("3b",)))}) == 3
    assert identity(around(1)) == identity(around(1))


def test_a_rule_that_was_written_in_no_file_has_an_identity_too():
    names = {}
    exec("def rule(tree):\n    'It is narrow.'\n    return tree.network.width <= 10", names)
    assert identity(names["rule"]) == identity_before(names["rule"])


@pytest.mark.parametrize("rule", [plain, rich])
def test_the_identity_of_before_is_another(rule):
    assert identity_before(rule) != identity(rule)
