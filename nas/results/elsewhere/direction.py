"""Which way a score is good: its name says it, or its user."""

from __future__ import annotations

import re

from nas.results.elsewhere.columns import bare, said

LOWER = (
    "loss", "losses", "error", "errors", "err", "perplexity", "ppl", "rmse", "mae", "mse",
    "mape", "smape", "msle", "rmsle", "nll", "bce", "ce", "crossentropy", "entropy", "xent",
    "logloss", "brier", "ece", "kl", "divergence", "deviance", "distance", "dist", "wer", "cer",
    "per", "ter", "der", "eer", "fid", "kid", "lpips", "bpc", "bpb", "bpd", "bits", "regret",
    "cost", "energy", "latency", "time", "seconds", "sec", "secs", "second", "minutes", "hours",
    "duration", "runtime", "ms", "us", "ns", "memory", "mem", "mb", "gb", "bytes", "flops",
    "macs", "params", "parameters", "gap", "risk", "residual", "chamfer", "hausdorff", "epe",
    "absrel", "ade", "fde", "violations", "misses", "mistakes", "failures",
)  # fmt: skip
"""Words of names whose scores are, as a rule, the better the lower."""
HIGHER = (
    "score", "scores", "acc", "acc1", "acc5", "accuracy", "accuracies", "accs", "top", "top1",
    "top5", "correct", "f1", "f2", "fscore", "fbeta", "auc", "auroc", "auprc", "roc", "prc",
    "ap", "map", "map50", "iou", "miou", "dice", "jaccard", "bleu", "rouge", "rouge1", "rouge2",
    "rougel", "meteor", "cider", "spice", "chrf", "bertscore", "precision", "recall",
    "sensitivity", "specificity", "psnr", "ssim", "r2", "kappa", "mcc", "ndcg", "mrr", "hit",
    "hits", "return", "returns", "win", "wins", "winrate", "elo", "sharpe",
    "likelihood", "elbo", "loglik", "spearman", "pearson", "correlation", "corr", "em", "match",
    "success", "quality", "fitness", "performance", "profit", "gain", "utility", "throughput",
    "speedup", "fps", "similarity", "purity", "nmi", "ari", "pck", "em", "inception_score",
)  # fmt: skip
"""Words of names whose scores are the better the higher; NNI calls any a reward."""


def higher_is_better(score: str, told: bool | None) -> bool:
    """Whether higher scores of this name are better, where nobody `told`.

    Raises ValueError, a question, where the name means the contrary, or nothing."""
    if told is not None:
        return told
    words = _words(score)
    lower = words.intersection(LOWER) or any(each.endswith(("loss", "error")) for each in words)
    if not lower and words.intersection(HIGHER):
        return True
    guess = "sounds as if lower were" if lower else "does not say whether higher or lower is"
    raise ValueError(
        f"the score {score!r} {guess} better: say it by {said('higher_is_better', False)} or "
        f"{said('higher_is_better', True)}"
    )


def _words(name: str) -> set[str]:
    """The words of a name, with those that capitals begin."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", bare(name))
    return {each.lower() for text in (bare(name), apart) for each in re.split(r"[\W_]+", text)}
