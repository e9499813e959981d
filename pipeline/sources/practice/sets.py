"""The practice sets by name: scikit-learn's tables and Keras's images, each as rows of columns."""

import contextlib
import importlib
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import SourceError

LABEL = "label"
SECONDS = 60.0  # after which a silent service is given up
PICTURES = ("mnist", "fashion_mnist", "cifar10", "cifar100")
# What the codes of Keras's labels mean; those of the other sets are digits, or stay codes.
NAMES: dict[str, tuple[str, ...]] = {
    "fashion_mnist": (
        "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
        "ankle boot",
    ),
    "cifar10": (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class PracticeRows:
    """A set: X (n_samples, n_features), y (n_samples,), and how many of the last rows test it.

    n_test: None where the set has no test part of its own.
    """

    X: pd.DataFrame
    y: pd.Series
    origin: str
    n_test: int | None = None


def load_rows(dataset: str) -> PracticeRows:
    """Return a set from the package that has it, which downloads it if it must.

    Raises SourceError if it cannot be downloaded.
    """
    return LOADERS[dataset](dataset)


def image_rows(
    pictures: np.ndarray, labels: np.ndarray, origin: str, n_test: int | None = None
) -> PracticeRows:
    """Return images (n, height, width) or (n, height, width, channels) as rows of columns.

    The columns are pixel0, pixel1, ... row by row, channels last: networks give them their shape
    back.
    """
    flat = pictures.reshape(len(pictures), -1)
    X = pd.DataFrame(flat, columns=[f"pixel{i}" for i in range(flat.shape[1])])
    return PracticeRows(X, pd.Series(labels, name=LABEL), origin, n_test)


def _of_sklearn(dataset: str) -> PracticeRows:
    """Return a set that comes with scikit-learn; classes by their names."""
    import sklearn
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{dataset}")(as_frame=True)
    y, target = bunch.target, TARGETS[dataset]
    if dataset in ("iris", "wine", "breast_cancer"):
        y = y.map(dict(enumerate(map(str, bunch.target_names))))
    return PracticeRows(bunch.data, y.rename(target), f"sklearn {sklearn.__version__}")


def _california(dataset: str) -> PracticeRows:
    """Return the houses of California, downloaded by scikit-learn once."""
    import sklearn
    from sklearn.datasets import fetch_california_housing

    with _downloading(dataset, "scikit-learn"):
        bunch = fetch_california_housing(as_frame=True, n_retries=1)
    y = bunch.target.rename(TARGETS[dataset])
    return PracticeRows(bunch.data, y, f"sklearn {sklearn.__version__}")


def _of_keras(dataset: str) -> PracticeRows:
    """Return images that Keras downloads once, with the test part that they come with."""
    import keras

    module = importlib.import_module(f"keras.datasets.{dataset}")
    with _downloading(dataset, "Keras"), contextlib.redirect_stdout(sys.stderr):
        (x, y), (x_test, y_test) = module.load_data()
    labels = named(dataset, np.concatenate([y, y_test]).ravel())
    origin = f"keras {keras.__version__}"
    return image_rows(np.concatenate([x, x_test]), labels, origin, len(x_test))


def named(dataset: str, codes: np.ndarray) -> np.ndarray:
    """Return the names of labels, or the codes of those that have none."""
    return np.array(NAMES[dataset])[codes] if dataset in NAMES else codes


@contextlib.contextmanager
def _downloading(dataset: str, package: str) -> Iterator[None]:
    """Turn a download that fails into a SourceError, also one that never answers."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS)
    try:
        yield
    except Exception as error:  # Keras raises nothing more special
        reason = " ".join(str(error).split())
        raise SourceError(
            f"{dataset}: {package} cannot download it: {reason}; try again where there is a "
            f"network, or give its files by --from"
        ) from error
    finally:
        socket.setdefaulttimeout(before)


TARGETS = {
    "diabetes": "progression",
    "breast_cancer": "diagnosis",
    "iris": "species",
    "wine": "cultivar",
    "digits": LABEL,
    "california": "MedHouseVal",
}
LOADERS: dict[str, Callable[[str], PracticeRows]] = {
    **dict.fromkeys(("diabetes", "breast_cancer", "iris", "wine", "digits"), _of_sklearn),
    "california": _california,
    **dict.fromkeys(PICTURES, _of_keras),
}
