"""A candidate that cannot be built is one that is not valid, whatever its code does."""

import itertools
import re
import sys
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from nas import Layer, Node, SearchSpace, Tape, edit, versus
from nas.base import asking
from nas.engine.driver import run
from nas.networks.layers import MOST
from nas.store.database import connect
from nas.store.reading import records
from tests.examples import BASE, search_only, sqlite


class Mute(Exception):
    def __str__(self):
        raise RuntimeError


@dataclass(frozen=True, kw_only=True)
class Own(Node):
    """A network that misbehaves in the way that `how` says."""

    how: str = "well"
    first: bool = False
    second: bool = False

    def check(self):
        if self.first and self.second:
            raise KeyError("both")

    def layers(self, shape: tuple[int, ...], classes: int) -> tuple[Layer, ...]:
        tape = Tape(shape)
        x = tape.conv("stem", tape.image, 4, kernel=3, stride=2)
        x = getattr(self, f"_{self.how}")(tape, x)
        tape.linear("head.classifier", tape.average_pool("head.pool", x), classes)
        return list(tape.layers) if self.how == "list" else tuple(tape.layers)

    def _well(self, tape, x):
        return x

    def _divided(self, tape, x):
        raise ZeroDivisionError("by\nzero")

    def _left(self, tape, x):
        sys.exit(0)

    def _deeper(self, tape, x):
        return self._deeper(tape, x)

    def _memory(self, tape, x):
        raise MemoryError

    def _mute(self, tape, x):
        raise Mute

    def _list(self, tape, x):
        return x

    def _forever(self, tape, x):
        for _ in itertools.count():
            with suppress(Exception):
                sum(range(100))

    def _endless(self, tape, x):
        return tuple(x for _ in iter(int, 1))

    def _deep(self, tape, x):
        for at in itertools.count():
            x = tape.conv(f"c{at}", x, 4)
        return x

    def _wide(self, tape, x):
        return tape.conv("wide", x, 10**9)

    def _padded(self, tape, x):
        return tape.conv("padded", x, 4, padding=10**5)


WHYS = {
    "divided": r"Own\.layers\(\) raised ZeroDivisionError: by \(test_unbuildable.py, line \d+\)",
    "left": r"Own\.layers\(\) raised SystemExit: 0 ",
    "deeper": r"Own\.layers\(\) raised RecursionError: ",
    "memory": r"Own\.layers\(\) raised MemoryError: ",
    "mute": r"Own\.layers\(\) raised Mute: a Mute, whose text cannot be made",
    "list": r"Own: layers\(\) must return tuple\(tape.layers\), not a list",
    "forever": r"Own\.layers\(\) gave no answer in 1 seconds",
    "endless": r"Own\.layers\(\) gave no answer in 1 seconds",
    "deep": r"c\d+: a network has 200 layers at most",
    "wide": rf"parameters; a network has {MOST:,} at most",
    "padded": rf"activations for an image; a network has {MOST:,} at most",
}


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(asking, "ANSWERS", 1.0)
    monkeypatch.setattr("nas.networks.tape.MOST_LAYERS", 200)


QUICK = [how for how in WHYS if how not in ("forever", "endless")]
OWN = edit(BASE, {"network": Own(), "recipe.fidelity.epochs": 1})


@pytest.mark.parametrize("how", WHYS)
@pytest.mark.filterwarnings("ignore:Exception ignored:pytest.PytestUnraisableExceptionWarning")
def test_a_baseline_that_cannot_be_built_is_refused_in_one_message(how, brief):
    with pytest.raises(ValueError, match=WHYS[how]):
        SearchSpace(edit(OWN, {"network.how": how}), {"recipe.batch_size": versus(8)})


def test_a_search_goes_on_past_candidates_that_cannot_be_built_and_says_why(
    tmp_path, monkeypatch, brief
):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    edits = {"network.how": versus(*QUICK), "recipe.batch_size": versus(8)}
    study = replace(search_only(2), space=SearchSpace(OWN, edits), budget=None)
    assert not run(study, sqlite(tmp_path), local=True).interrupted
    with connect(sqlite(tmp_path)) as storage:
        found = records(storage, study.full_name)
    assert sum(r.state == "complete" for r in found) == 2
    refused = [r for r in found if r.state == "infeasible"]
    assert {r.decisions["network.how"] for r in refused}
    for r in refused:
        assert re.search(f"^not valid: .*{WHYS[r.decisions['network.how']]}", r.reason)


def test_a_check_of_a_users_that_raises_anything_refuses_its_candidates():
    leaves = {f"network.{name}": versus(on=True) for name in ("first", "second")}
    space = SearchSpace(OWN, leaves)
    assert space.size == 3
    with pytest.raises(ValueError, match="network: KeyError: 'both'"):
        space.at({f"network.{name}": "on" for name in ("first", "second")})


def test_what_many_candidates_cost_says_which_are_too_large_as_one_alone_does(brief):
    width = {"network.inception_3a.conv3x3.width": versus(10**8, 100)}
    repeat = {"network.inception_4a.repeat": versus(2, 10**5)}
    space = SearchSpace(BASE, width | repeat)
    assert not SearchSpace(BASE, width | repeat)._census.at_once
    assert SearchSpace(BASE, width)._census.at_once
    assert SearchSpace(BASE, width).size == 2
    assert space.size == 4
    wide = {name: str(10**8) for name in width}
    with pytest.raises(ValueError, match=f"a network has {MOST:,} at most"):
        space.check(space.at(wide))


def test_a_ctrl_c_in_a_network_of_ones_own_is_a_ctrl_c(monkeypatch):
    def interrupted(self, tape, x):
        raise KeyboardInterrupt

    monkeypatch.setattr(Own, "_interrupted", interrupted, raising=False)
    with pytest.raises(KeyboardInterrupt):
        edit(OWN, {"network.how": "interrupted"}).layers()
