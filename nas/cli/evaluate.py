"""The command that scores trained networks again, each alone or several as an ensemble."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import click

from nas.cli.show import FORMAT, Column, count, fixed, table
from nas.cli.stored import STORAGE, trial
from nas.experiment.experiment import rebuilt

if TYPE_CHECKING:
    from nas.results.tables import Results
    from nas.runs.record import Record
    from nas.runs.scores import Crops, Predictions
    from nas.train.evaluation import Split


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="TRIAL...")
@click.option(
    "--split", type=click.Choice(["validation", "train"]),
    help="Score it on these images, from its weights.",
)  # fmt: skip
@click.option(
    "--crops", type=click.Choice(["1", "10", "144"]), help="Views of an image, averaged [1]."
)
@click.option("--image-size", type=click.IntRange(1), metavar="PIXELS", help="[the run's own]")
@click.option("--together", is_flag=True, help="Score their mean prediction too: an ensemble.")
@STORAGE
@FORMAT
def evaluate(
    references: tuple[str, ...], split: str | None, crops: str | None, image_size: int | None,
    together: bool, storage: str, form: str,
) -> None:  # fmt: skip
    """Score each TRIAL (STUDY:NUMBER) in full: top-1, top-5, likelihood, calibration, mult-adds.

    Without an option the stored predictions are scored: those on the validation split, or a
    confirmation's on the test split, which nothing else reads.
    """
    from nas.base.paths import home
    from nas.export.export import kept_weights
    from nas.runs.scores import ensemble, score
    from nas.train.evaluation import predict, stored, taken_up

    def predicted(found: Results, record: Record) -> Predictions:
        study = found.study.full_name
        experiment = rebuilt(record.experiment, record.network_id, found.classes)
        if not (split or crops or image_size):
            return stored(record, experiment, home() / study)
        training = taken_up(record, experiment, kept_weights(record, study))
        views = cast("Crops", int(crops or 1))
        return predict(training, cast("Split", split or "validation"), views, image_size)

    named = {name: trial(name, storage) for name in references}
    once = {(found.study.full_name, record.number): name for name, (found, record) in named.items()}
    each = {name: predicted(*named[name]) for name in once.values()}
    rows = [{"trial": name} | asdict(score(made)) for name, made in each.items()]
    if together:
        rows.append({"trial": "together"} | asdict(score(ensemble(list(each.values())))))
    table(
        rows,
        {
            "trial": Column("trial"),
            "split": Column("split"),
            "images": Column("images", count, spare=True),
            "image_size": Column("pixels", spare=True),
            "crops": Column("crops"),
            "top1": Column("top-1 %", fixed(".2f")),
            "top5": Column("top-5 %", fixed(".2f")),
            "nll": Column("nats", fixed(".3f")),
            "calibration_error": Column("calibration error", fixed(".2f")),
            "mult_adds": Column("mult-adds", count),
        },
        form,
    )
