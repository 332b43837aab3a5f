"""What exactly a network is: the settings in which it differs from another, in words and rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, cast

from nas.base.wording import times
from nas.experiment.experiment import Experiment
from nas.networks.googlenet import GoogLeNet
from nas.networks.names import short
from nas.plan.changes import THINGS
from nas.tree.tree import differences, spelled
from reports.page import Column, Table


@dataclass(frozen=True)
class Setting:
    """A setting in which two trees differ."""

    path: str
    before: str
    here: str

    @property
    def whole(self) -> bool:
        """Whether it is a whole part of the network or of the recipe."""
        return self.path.count(".") == 1

    @property
    def part(self) -> str:
        """The module, or the part of the network or of the recipe, that it is in."""
        name = ".".join(self.path.split(".")[1:2])
        return THINGS.get(self.path) or short(name).replace("_", " ")


def settings(found: Mapping[str, tuple[Any, Any]], before: str = "") -> list[Setting]:
    """The differences of two trees, in words."""
    return [
        Setting(path=before + path, before=spell(old), here=spell(new))
        for path, (old, new) in found.items()
    ]


def from_the_paper(experiment: Experiment) -> list[Setting]:
    """Where a GoogLeNet differs from the paper's; of another network nothing is said."""
    if not isinstance(experiment.network, GoogLeNet):
        return []
    return settings(differences(Experiment().network, experiment.network), "network.")


def summed(rows: Sequence[Setting]) -> str:
    """Settings in one line: the parts that are gone, and those that are changed, with how many
    settings of each."""
    gone = [row.part for row in rows if row.here == "none" and row.whole]
    other = Counter(row.part for row in rows if row.part not in gone)
    parts = [f"{name} ({count})" if count > 1 else name for name, count in other.items()]
    said = [f"without {', '.join(gone)}"] if gone else []
    said += [f"changed {', '.join(parts)}"] if parts else []
    return f"{times(len(rows), 'setting')}: {'; '.join(said)}"


def table(
    name: str, label: str, other: str, rows: list[Setting], experiment: Experiment
) -> tuple[Table, ...]:
    """The settings in which an experiment differs from `other`; no table where there is none."""
    if not rows:
        return ()
    factor = getattr(experiment.network, "width", 1.0)
    scaled = factor != 1 and any(row.path.endswith("width") or row.whole for row in rows)
    made = Table(
        name=name,
        label=label,
        columns=(
            Column(name="path", title="setting", words=True),
            Column(name="before", title=other, words=True),
            Column(name="here", title="this network", words=True),
        ),
        rows=rows,
        key=lambda row: row.path,
        note=f"Widths are before the network's width multiplier, here {factor:g}; figures and "
        "costs have it applied."
        if scaled
        else "",
    )
    return (made,)


def spell(value: Any) -> str:
    """A setting in few words; of a module the widths of its branches."""
    if isinstance(value, tuple):
        return ", ".join(map(str, cast("tuple[Any, ...]", value))) or "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    if is_dataclass(value) and not isinstance(value, type):
        return _node(value)
    return "none" if value is None else str(value) if isinstance(value, str) else spelled(value)


def _node(node: Any) -> str:
    parts = {each.name: getattr(node, each.name) for each in fields(node)}
    widths = [f"{name} {part.width}" for name, part in parts.items() if hasattr(part, "width")]
    if widths or any(is_dataclass(part) for part in parts.values()):
        return ", ".join(widths) or spelled(node)
    usual = {each.name: each.default for each in fields(node) if each.default is not MISSING}
    given = (f"{name} {spell(part)}" for name, part in parts.items() if usual.get(name) != part)
    return ", ".join(given) or spelled(node)
