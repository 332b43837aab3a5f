"""Studies to a static site: one folder that opens from a file, needs no server and no network."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from nas.rows import CONFIRMATION_COLUMNS, EFFECT_COLUMNS
from nas.tables import (
    CandidateRow,
    Results,
    frame,
    modules,
    widths,
)
from nas.tree import fingerprint, spelled, to_json
from reports import figures

ASSETS = Path(__file__).parent / "assets"
MANIFEST = "manifest.json"


def build(studies: Sequence[Results], folder: Path) -> Path:
    """Writes the site and gives the path of its first page.

    A site that stands in the folder is replaced whole; ValueError when the folder holds anything
    else.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise ValueError(f"{folder} holds something else than a report; give another --output")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".site-", dir=folder.parent))
    except OSError as error:
        raise ValueError(
            f"{folder} cannot be written ({error.strerror}); give another --output"
        ) from error
    try:
        _write(studies, made)
        made.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return folder / "index.html"


def _write(studies: Sequence[Results], folder: Path) -> None:
    assets = folder / "assets"
    shutil.copytree(ASSETS, assets, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(figures.plotly_js(), assets / "plotly.min.js")
    pages = _Pages(folder)
    cards = [_study(pages, results) for results in studies]
    pages.write("index.html", "index.html", studies=cards)
    manifest = {"made": time.time(), "studies": [results.study.full_name for results in studies]}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2))


class _Pages:
    """Writes pages from templates; every page knows the way to the site's root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = Environment(
            loader=PackageLoader("reports"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Callable[[Any], str]] = {
            "points": lambda value: _number(value, "+.2f"),
            "percent": lambda value: _number(value, ".2f"),
            "p": lambda value: _number(value, ".3g"),
            "signed": lambda value: f"{value:+,}" if value else "0",
            "count": lambda value: "" if value is None else f"{value:,}",
            "raw": lambda value: "" if value is None or value != value else repr(value),
        }
        self.environment.filters.update(filters)  # pyright: ignore[reportArgumentType]

    def write(self, path: str, template: str, **values: Any) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        root = "../" * path.count("/")
        page = self.environment.get_template(template).render(root=root, **values)
        target.write_text(page, encoding="utf-8")


def _study(pages: _Pages, results: Results) -> dict[str, Any]:
    study = results.study
    slug = _page(study.full_name.replace("@", "-"))
    base = f"studies/{slug}"
    _data(pages.folder / "data" / slug, results)
    limit = study.limits.get("mult_adds")
    effects = results.effects
    done = any(row.n for row in effects)
    links = {
        row.candidate_id: f"v/{_page(row.candidate_id)}.html" for row in results.candidates if row.n
    }
    states = Counter(record.state for record in results.records)
    card = {
        "study": study,
        "slug": slug,
        "href": f"{base}/index.html",
        "headline": headline(results),
        "states": states,
        "seconds": sum(row.seconds or 0 for row in results.trials),
        "baseline": next((r for r in results.candidates if r.role == "baseline" and r.n), None),
        "best": results.best,
        "dataset": study.baseline.recipe.data.name,
        "ablation": done,
        "data": f"data/{slug}",
        "limit": limit,
    }
    scored = [row for row in results.candidates if row.n]
    pages.write(
        f"{base}/index.html",
        "study.html",
        **card,
        results=results,
        links=links,
        effects=effects,
        candidates=sorted(scored, key=_order),
        frontier=_figure(figures.frontier(results.candidates, limit)) if scored else None,
        finding=_frontier_finding(results),
        curves=_figure(figures.curves(results.curves)) if results.curves else None,
        cheapest=_cheapest(results),
    )
    if done:
        pages.write(
            f"{base}/ablation.html",
            "ablation.html",
            **card,
            effects=effects,
            links=links,
            forest=_figure(figures.forest(effects, study.margin)),
        )
    for row in scored:
        _variant(pages, base, card, results, row)
    return card


def _variant(
    pages: _Pages, base: str, card: dict[str, Any], results: Results, row: CandidateRow
) -> None:
    variant = results.experiment(row.candidate_id)
    size = results.study.image_size
    channels = widths(results.baseline, variant)
    parts = modules(results.baseline, variant, size)
    own = (r for r in results.trials if r.candidate_id == row.candidate_id)
    runs = [r for r in own if r.role != "control"]
    changed = [
        {"path": path, "old": _spell(old), "new": _spell(new)}
        for path, (old, new) in results.differences(row.candidate_id).items()
    ]
    total = sum(part.change for part in parts)
    pages.write(
        f"{base}/v/{_page(row.candidate_id)}.html",
        "variant.html",
        **card,
        row=row,
        runs=runs,
        changed=changed,
        parts_rows=parts,
        total=total,
        channels=channels,
        widths=_figure(figures.widths(channels, parts)) if channels else None,
        network_id=runs[0].network_id,
        spec=json.dumps(to_json(variant), indent=1),
    )


def _data(folder: Path, results: Results) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    frame(results.trials).to_csv(folder / "trials.csv", index=False)
    frame(results.candidates).to_csv(folder / "candidates.csv", index=False)
    frame(results.curves).to_csv(folder / "curves.csv", index=False)
    if results.effects:
        frame(results.effects, EFFECT_COLUMNS).to_csv(folder / "ablation.csv", index=False)
    if results.confirmations:
        table = frame(results.confirmations, CONFIRMATION_COLUMNS)
        table.to_csv(folder / "confirmation.csv", index=False)


def headline(results: Results) -> str:
    """The study's finding in one or two sentences."""
    made: list[str] = []
    changes = [row for row in results.effects if row.primary]
    if changes and any(row.n for row in changes):
        said = Counter(row.verdict for row in changes)
        least = min(row.n for row in changes)
        margin = results.study.margin
        parts = [
            _verb(said["worse"], "hurts", "hurt"),
            _verb(said["better"], "helps", "help"),
            _verb(said["inconclusive"], "is inconclusive", "are inconclusive"),
        ]
        if margin is not None:
            within = _verb(said["equivalent"], "is equivalent", "are equivalent")
            parts.insert(2, f"{within} within ±{margin:g} points")
        untested = said["unfinished"] + said["extended"]
        if untested:
            parts.append(f"{_verb(untested, 'has', 'have')} no verdict")
        made.append(f"Of {len(changes)} changes {', '.join(parts)}, at n = {least} paired seeds.")
    best = results.best
    if results.confirmations:
        made.append(_confirmed(results))
    elif best is not None:
        made.append(
            f"The search's best candidate scored {best.mean:.2f} % at {best.mult_adds:,} mult-adds "
            "on one seed: exploratory, not confirmed."
        )
    return " ".join(made) or "No run has finished yet."


def _confirmed(results: Results) -> str:
    base, *rows = results.confirmations
    said = f"On the test split the baseline scores {base.mean:.2f} %"
    if rows and rows[0].name != "baseline":
        first = rows[0]
        said += (
            f" and the search's best candidate {first.mean:.2f} %, {first.delta:+.2f} points"
            + ("" if math.isnan(first.low) else f" ({first.low:+.2f} to {first.high:+.2f})")
        )
    return f"{said}, at n = {base.n} fresh seeds."


def _page(name: str) -> str:
    """A name as a file's: as it is where it is plain, its fingerprint otherwise."""
    plain = len(name) <= 120 and name.replace("-", "").replace("_", "").isalnum()
    return name if plain and name.isascii() else fingerprint(name)


def _verb(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _frontier_finding(results: Results) -> str:
    rows = results.candidates
    refused = sum(not row.feasible and not row.n for row in rows)
    explored = sum(row.exploratory and row.n > 0 for row in rows)
    several = sum(row.n > 1 for row in rows)
    return (
        f"{explored} candidates were explored on one seed each (hollow), {several} were run on "
        f"several seeds (filled, with 95 % intervals), and {refused} were refused by the budget "
        "before any training (crosses, below)."
    )


def _cheapest(results: Results) -> str:
    rows = [row for row in results.effects if row.verdict == "equivalent"]
    if results.study.margin is None:
        return "none claimed: the study names no margin"
    if not rows:
        return f"none shown within ±{results.study.margin:g} points"
    row = min(rows, key=lambda row: row.mult_adds or math.inf)
    return row.name + (f", {row.mult_adds:,} mult-adds" if row.mult_adds else "")


def _order(row: CandidateRow) -> tuple[int, float]:
    return ({"baseline": 0, "change": 1, "candidate": 2}[row.role], -row.mean)


def _figure(figure: go.Figure) -> Markup:
    text = figure.to_json()
    assert text is not None
    return Markup(text.replace("<", "\\u003c"))


def _spell(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, cast("tuple[Any, ...]", value))) or "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else str(value) if isinstance(value, str) else spelled(value)


def _number(value: float | None, spec: str) -> str:
    return "" if value is None or math.isnan(value) else format(value, spec)
