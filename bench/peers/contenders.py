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
TABM_EPOCHS = {"bike": 10, "house": 40, "digits": 40}
TABM_MOST_EPOCHS = 200
TIMED_EPOCHS = 10  # of TabM while it is timed, so that neither side stops before the other
MODELS = ("realmlp", "tabm", "tabm_mini")


@dataclass(frozen=True)
class Contender:
    """An estimator of one side: where it is, how it is made, and how fit takes the valid rows."""

    module: str
    estimator: str
    parameters: dict[str, Any]
    valid_rows: str
    warm: tuple[str, ...]


@dataclass(frozen=True)
class Game:
    """What is played: a model on a data set's rows, of which n_train are trained on."""

    model: str
    table: str
    task: str
    n_train: int
    seed: int
    timed: bool = False

    @property
    def epochs(self) -> int:
        """The most epochs that either side may take."""
        if self.model == "realmlp":
            return EPOCHS
        return TIMED_EPOCHS if self.timed else TABM_EPOCHS.get(self.table, TABM_MOST_EPOCHS)


def contender(side: str, game: Game) -> Contender | None:
    """Return who plays on a side, or None where the side has nothing of its own."""
    if side == "ours":
        return _ours(game)
    if side == "default" and game.model == "tabm_mini":
        return None
    return _reference(game, equal=side == "reference")


def _ours(game: Game) -> Contender:
    name = "RealMLP" if game.model == "realmlp" else "TabM"
    parameters: dict[str, Any] = {"seed": game.seed, "epochs": game.epochs}
    if game.task == "classes":
        parameters["metric"] = "log_loss"
    if game.model != "realmlp":
        parameters |= {"mini": game.model == "tabm_mini", "patience": PATIENCE + 1}
    return Contender(
        module="pipeline.models",
        estimator=f"{name}{'Classifier' if game.task == 'classes' else 'Regressor'}",
        parameters=parameters,
        valid_rows="holdout",
        warm=("tensorflow", "keras"),
    )


def _reference(game: Game, *, equal: bool) -> Contender:
    classes = game.task == "classes"
    parameters: dict[str, Any] = {
        "device": "cpu",
        "random_state": game.seed,
        "n_threads": THREADS,
        "n_epochs": game.epochs,
    }
    if classes:
        parameters["val_metric_name"] = "cross_entropy"
    if game.model == "realmlp":
        parameters |= _like_our_realmlp(game) if equal else {}
        parameters |= {"use_ls": False} if classes else {}
    else:
        parameters |= _like_our_tabm(game) if equal else {}
        parameters["patience"] = PATIENCE
    return Contender(
        module="pytabkit",
        estimator=f"{'RealMLP_TD' if game.model == 'realmlp' else 'TabM_D'}_"
        f"{'Classifier' if classes else 'Regressor'}",
        parameters=parameters,
        valid_rows="val_idxs",
        warm=("torch", "shared_batches") if equal else ("torch",),
    )


def _like_our_realmlp(game: Game) -> dict[str, Any]:
    """Return the batch size that the reference's own "auto" means; in 1.7.3 that is always 64."""
    sizes = ((1_024, 64), (8_192, 128), (30_000, 256), (100_000, 512))
    return {"batch_size": next((size for most, size in sizes if game.n_train <= most), 1024)}


def _like_our_tabm(game: Game) -> dict[str, Any]:
    return {
        "arch_type": game.model.replace("_", "-"),
        "num_emb_type": "pwl",
        "batch_size": "auto",
        "weight_decay": 3e-4,
        "share_training_batches": True,
    }
