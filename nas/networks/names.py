"""The names of layers: paths in the torch module that is built of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

TAKEN = frozenset((
    "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init",
    "children", "compile", "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr",
    "float", "forward", "get_buffer", "get_extra_state", "get_parameter", "get_submodule",
    "half", "ipu", "load_state_dict", "modules", "mtia", "named_buffers", "named_children",
    "named_modules", "named_parameters", "parameters", "register_backward_hook",
    "register_buffer", "register_forward_hook", "register_forward_pre_hook",
    "register_full_backward_hook", "register_full_backward_pre_hook",
    "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook",
    "register_module", "register_parameter", "register_state_dict_post_hook",
    "register_state_dict_pre_hook", "requires_grad_", "set_extra_state", "set_submodule",
    "share_memory", "state_dict", "to", "to_empty", "train", "training", "type", "xpu",
    "zero_grad",
))  # fmt: skip
"""What every torch module has of its own. They are listed here, so that a network can be written
and counted without torch."""
NET = frozenset(("heads", "outputs", "result"))
"""What the whole network's module has beside them."""
PATH = re.compile(r"[a-z0-9][\w-]*(\.[a-z0-9][\w-]*)*", re.ASCII | re.IGNORECASE)
PLACE = re.compile(r"[a-z]+_(\d+[a-z](_\d+)?)")
"""A module's kind, and its place: a number for the stage, and a letter."""


def short(module: str) -> str:
    """A module by its place alone, where its name tells it: inception_3a is 3a."""
    match = PLACE.fullmatch(module)
    return match[1] if match else module


def shortened(modules: Iterable[str]) -> dict[str, str]:
    """Modules by their short names; by their own where two places are alike."""
    names = {module: short(module) for module in modules}
    return names if len({*names.values()}) == len(names) else {name: name for name in names}


class Names:
    """The names that a network's layers were given so far; `image` is the input's."""

    def __init__(self) -> None:
        self._named: set[str] = set()
        self._above: set[str] = set()

    def add(self, name: str) -> None:
        """Raises ValueError for a name that is taken, begins another's, or cannot be a path."""
        if not isinstance(name, str) or not PATH.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(
                f"{name!r} is no name of a layer; one has letters, digits, _ and -, in parts "
                "between dots, such as stem.conv"
            )
        parts = name.split(".")
        if not TAKEN.isdisjoint(parts) or parts[0] in NET:
            taken = next((part for part in parts if part in TAKEN), parts[0])
            raise ValueError(
                f"{name}: a torch module has {taken!r} of its own; give the layer another name"
            )
        if name in self._named or name == "image":
            raise ValueError(f"two layers are called {name}; each needs a name of its own")
        above = [".".join(parts[:n]) for n in range(1, len(parts))]
        pairs = [(outer, name) for outer in above if outer in self._named]
        if name in self._above:
            pairs = [(name, inner) for inner in self._named if inner.startswith(f"{name}.")]
        for outer, inner in pairs:
            raise ValueError(
                f"{outer} is a layer, and {inner} would lie inside it; give one of the two another "
                "name"
            )
        self._named.add(name)
        self._above.update(above)
