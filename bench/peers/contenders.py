"""What is compared: each network of ours and the reference's, with equal settings.

The reference is pytabkit, in an environment of its own. Where its defaults differ from ours it is
set to ours, and once more left as it is (`default`), so that nobody is compared with a weakened
opponent. Classification is judged by log loss: the epoch is chosen by it and nothing is smoothed.
"""

from dataclasses import dataclass
from typing import Any

SIDES = ("ours", "reference", "default")
THREADS = 2
EPOCHS = 256  # RealMLP, always all of them
PATIENCE = 16  # the reference's word for ending after 17 epochs without progress
# TabM trains until PATIENCE epochs bring nothing, but no longer than this, on both sides: what a
# fit of the reference does in about four minutes of two CPU cores.
TABM_EPOCHS = {"bike": 20, "house": 40, "digits": 40}
TABM_MOST_EPOCHS = 200
MODELS = ("realmlp", "tabm", "tabm_mini")


@dataclass(frozen=True)
class Contender:
    """An estimator of one side: where it is, how it is made, and how fit takes the valid rows."""

    module: str
    estimator: str
    parameters: dict[str, Any]
    valid_rows: str
    warm: tuple[str, ...]


def contender(side: str, model: str, table: str, task: str, seed: int) -> Contender | None:
    """Return who plays a model on a side, or None where the side has nothing of its own."""
    if side == "ours":
        return _ours(model, table, task, seed)
    if side == "default" and model == "tabm_mini":
        return None
    return _reference(model, table, task, seed, equal=side == "reference")


def _ours(model: str, table: str, task: str, seed: int) -> Contender:
    name = "RealMLP" if model == "realmlp" else "TabM"
    parameters: dict[str, Any] = {"seed": seed, "epochs": _epochs(model, table)}
    if task == "classes":
        parameters["metric"] = "log_loss"
    if model != "realmlp":
        parameters |= {"mini": model == "tabm_mini", "patience": PATIENCE + 1}
    return Contender(
        module="pipeline.models",
        estimator=f"{name}{'Classifier' if task == 'classes' else 'Regressor'}",
        parameters=parameters,
        valid_rows="holdout",
        warm=("tensorflow", "keras"),
    )


def _reference(model: str, table: str, task: str, seed: int, *, equal: bool) -> Contender:
    classes = task == "classes"
    name = "RealMLP_TD" if model == "realmlp" else "TabM_D"
    parameters: dict[str, Any] = {
        "device": "cpu",
        "random_state": seed,
        "n_threads": THREADS,
        "n_epochs": _epochs(model, table),
    }
    if classes:
        parameters["val_metric_name"] = "cross_entropy"
    if model == "realmlp" and classes:
        parameters["use_ls"] = False
    if model == "realmlp" and equal:
        parameters["batch_size"] = "auto"
    if model != "realmlp":
        parameters["patience"] = PATIENCE
    if model != "realmlp" and equal:
        parameters |= {
            "arch_type": model.replace("_", "-"),
            "num_emb_type": "pwl",
            "batch_size": "auto",
            "weight_decay": 3e-4,
            "share_training_batches": True,
        }
    return Contender(
        module="pytabkit",
        estimator=f"{name}_{'Classifier' if classes else 'Regressor'}",
        parameters=parameters,
        valid_rows="val_idxs",
        warm=("torch", "shared_batches") if equal else ("torch",),
    )


def _epochs(model: str, table: str) -> int:
    return EPOCHS if model == "realmlp" else TABM_EPOCHS.get(table, TABM_MOST_EPOCHS)
