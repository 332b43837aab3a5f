"""A network as a file that a person could have written: plain torch, nothing of this project.

The file is run, by us and by whoever gets it, and what it is made of may come from a database that
others write: what is no number of ours goes into it `quoted`, or as a checked name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from keyword import iskeyword

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from nas.networks.layers import Layer, Shape, image_shape, inference, results
from nas.networks.names import Names
from nas.networks.operators import OPERATORS
from nas.tree.tree import require_types

WIDTH = 100
TAKEN = ("F", "module", "nn", "self", "torch")


def source(
    layers: tuple[Layer, ...],
    title: str,
    *,
    mean: float,
    std: float,
    data_size: int,
    class_names: tuple[str, ...] = (),
    pixel_range: tuple[float, float] | None = None,
) -> str:
    """A Python file that rebuilds the network of these layers, loads `model.safetensors` from its
    own folder and classifies images; aux heads are left out.

    It needs torch and safetensors. `mean` and `std` are of the training pixels, from 0 to 1;
    data_size: pixels a side of the data set's images, which the network may read resized;
    class_names: by label; pixel_range: black and white of files of more than 8 bits. The names of
    the parameters are those of `nas.train.net.Net`. Raises ValueError for a title or a class's name
    that is not one printable line, for layers whose names or fields are none, and for numbers that
    are not finite.
    """
    network = network_source(layers)
    shape = image_shape(layers)
    return _template("model").render(
        title=quoted(title),
        network=network,
        channels=shape[0],
        image_size=shape[1],
        classes=results(layers)[0].shape[0],
        data_size=_number(data_size),
        mean=_number(mean),
        std=_number(std),
        class_names=f"({''.join(f'{quoted(name)}, ' for name in class_names).rstrip()})",
        pixel_range=pixel_range and tuple(map(_number, pixel_range)),
    )


def quoted(text: str) -> str:
    """A text as the Python literal of it; ValueError for one that is not one printable line.

    >>> print(quoted("a name"), quoted('say "x"'))
    "a name" 'say "x"'
    """
    if not isinstance(text, str) or not text.isprintable():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"a name in an exported file is one printable line, not {text!r:.60}")
    plain = repr(text) == f"'{text}'" and '"' not in text
    return f'"{text}"' if plain else repr(text)


def _number(value: float) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"a number in an exported file is finite, not {value!r:.60}")
    return value


def _require(layers: tuple[Layer, ...]) -> None:
    """Raises ValueError where a layer's name is no path, or a field not what it is declared."""
    names = Names()
    for layer in layers:
        names.add(layer.name)
        require_types(layer)


def network_source(layers: tuple[Layer, ...]) -> str:
    """The class `Net` of these layers, without aux heads, and the function `part` that it uses;
    ValueError for layers whose names or fields are none."""
    _require(layers)
    kept = inference(layers)
    return _template("network").render(
        mult_adds=sum(layer.mult_adds for layer in kept),
        params=sum(layer.params for layer in kept),
        shape=image_shape(layers),
        classes=results(layers)[0].shape[0],
        constructor=_constructor(kept),
        forward=_Forward(kept).statements(),
    )


def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("nas.export"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"{name}.py.jinja")


def sizes(shape: Shape) -> str:
    """A shape as it is read: 3 x 224 x 224."""
    return " x ".join(map(str, shape))


@dataclass
class _Tree:
    """The module at a path, if there is one, and those below it."""

    module: str = ""
    below: dict[str, _Tree] = field(default_factory=dict[str, "_Tree"])

    def text(self, indent: int, before: int) -> str:
        """The expression that makes it, after `before` characters of a line indented by so many;
        one branch a line."""
        if not self.below:
            return self.module
        words: list[tuple[str, _Tree, str]] = [(self.module, _Tree(), "")] if self.module else []
        for name, tree in self.below.items():
            named = (f"{name}=", "") if _plain(name) else (f"**{{{quoted(name)}: ", "}")
            words.append((named[0], tree, named[1]))
        flat = ", ".join(f"{start}{tree.text(0, 0)}{end}" for start, tree, end in words)
        if "part(" not in flat and before + len(f"part({flat}),") <= WIDTH:
            return f"part({flat})"
        inner = indent + 4
        lines = (
            f"{' ' * inner}{start}{tree.text(inner, inner + len(start))}{end},\n"
            for start, tree, end in words
        )
        return f"part(\n{''.join(lines)}{' ' * indent})"


def _constructor(layers: tuple[Layer, ...]) -> Iterator[str]:
    """The statements that make the modules with parameters."""
    root = _Tree()
    for layer in layers:
        module = _module(layer)
        if module is None:
            continue
        tree = root
        for name in layer.name.split("."):
            tree = tree.below.setdefault(name, _Tree())
        tree.module = module
    for name, tree in root.below.items():
        if _plain(name):
            yield f"self.{name} = {tree.text(8, 8 + len(f'self.{name} = '))}"
        else:
            yield f"self.add_module({quoted(name)}, {tree.text(8, WIDTH)})"


def _module(layer: Layer) -> str | None:
    """What makes a layer that has parameters."""
    call = OPERATORS[layer.op].torch(layer)
    return f"{call.name}({', '.join(call.arguments)})" if call.name.startswith("nn.") else None


def _plain(name: str) -> bool:
    return name.isidentifier() and not iskeyword(name)


def _at(owner: str, path: str) -> str:
    """The expression for what is below `owner` at a dotted path."""
    for name in path.split("."):
        owner = f"{owner}.{name}" if _plain(name) else f"getattr({owner}, {quoted(name)})"
    return owner


class _Forward:
    """Writes `forward`: a statement a layer, those that only pass a value on within it."""

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self.layers = layers
        self.readers: dict[str, list[int]] = {layer.name: [] for layer in layers}
        self.readers["image"] = []
        for at, layer in enumerate(layers):
            for name in layer.inputs:
                self.readers[name].append(at)
        self.result = results(layers)[0]
        self.readers[self.result.name].append(len(layers))
        self.held = {"image": "x"}  # a layer's output -> the variable, or expression, that has it

    def statements(self) -> Iterator[str]:
        """The lines, module by module."""
        start = 0
        for name, run in groupby(self.layers, key=lambda layer: layer.module):
            part = tuple(run)
            if start:
                yield ""
            yield f"# {name}: {sizes(part[0].in_shape)} to {sizes(part[-1].shape)}"
            yield from self._part(start, part)
            start += len(part)
        end = self.held[self.result.name]
        yield f"return {end}.flatten(1)" if len(self.result.shape) > 1 else f"return {end}"

    def _part(self, start: int, part: tuple[Layer, ...]) -> Iterator[str]:
        module = part[0].module
        inside = sum(_module(layer) is not None and "." in layer.name for layer in part)
        short = inside > 1
        if short:
            yield f"module = {_at('self', module)}"
        branches = {layer.branch for layer in part if layer.name.count(".") > 1}
        for at, layer in enumerate(part, start):
            rest = layer.name.partition(".")[2]
            itself = _at("module", rest) if short and rest else _at("self", layer.name)
            expression = self._expression(layer, itself)
            if self._passed_on(at, layer) or expression == self.held[layer.inputs[0]]:
                self.held[layer.name] = expression
                continue
            variable = self._variable(at, layer, len(branches) > 1)
            self.held[layer.name] = variable
            yield f"{variable} = {expression}"

    def _passed_on(self, at: int, layer: Layer) -> bool:
        """Whether only the norm or ReLU that follows in the module reads it, or who called."""
        if self.readers[layer.name] != [at + 1]:
            return False
        if at + 1 == len(self.layers):
            return True
        after = self.layers[at + 1]
        return after.op in ("batch_norm", "relu") and after.module == layer.module

    def _variable(self, at: int, layer: Layer, branches: bool) -> str:
        """The first name that no value has which is still to be read."""
        parts = layer.name.split(".")
        wanted = [parts[1]] if branches and len(parts) > 2 else []
        wanted = [*wanted, "x", parts[-1], layer.name, *(f"{layer.name}_{n}" for n in range(2, 99))]
        busy = {
            self.held[name]
            for name, at_ in self.readers.items()
            if name in self.held and max(at_, default=-1) > at
        }
        names = (re.sub(r"\W", "_", name) for name in wanted)
        return next(name for name in names if _plain(name) and name not in {*busy, *TAKEN})

    def _expression(self, layer: Layer, itself: str) -> str:
        reads, rule = [self.held[name] for name in layer.inputs], OPERATORS[layer.op]
        if rule.flat and len(layer.in_shape) > 1:
            reads = [f"{x}.flatten(1)" for x in reads]
        if _module(layer) is not None:
            return f"{itself}({', '.join(reads)})"
        if layer.op == "concat" and len(reads) == 1:
            return reads[0]
        if layer.op == "add":
            return " + ".join(reads)
        call = rule.torch(layer)
        several = [f"[{', '.join(reads)}]"] if layer.op == "concat" else reads
        trained = ["self.training"] if rule.training else []
        return f"{call.name}({', '.join([*several, *call.arguments, *trained])})"
