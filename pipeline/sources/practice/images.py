"""Images that a person has: idx files, npz, CIFAR's batches, folders of classes, rows of pixels."""

import gzip
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from pipeline.errors import SourceError
from pipeline.progress import counted
from pipeline.sources.archives import Limits, Unpacker, archive_suffix
from pipeline.sources.practice.batches import batch_parts
from pipeline.sources.practice.sets import LABEL, PracticeRows, image_rows, named

IDX_BYTES = 0x08  # the only kind of number that images come in
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
EXPECTED = (
    "expected idx files (train-images-idx3-ubyte.gz and its labels), an .npz with x_train and "
    "y_train, batches of CIFAR, a CSV file with a column label beside pixels, or a folder of "
    "images for each class"
)
Part = tuple[np.ndarray, np.ndarray]  # images (n, height, width[, channels]), labels (n,)


def read_images(path: Path, dataset: str) -> PracticeRows:
    """Return the images of a folder, an archive of one, an .npz or a .csv, with their labels.

    A part called test, or t10k, stays the test part if there is another one as well.
    Raises SourceError for what is neither, is damaged, or does not fit together.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = _files(path, Path(scratch))
        readers = (_idx_parts, _npz_parts, batch_parts, _class_parts, _csv_parts)
        parts = next((found for read in readers if (found := read(files))), {})
    if not parts:
        raise SourceError(f"{path}: {EXPECTED}; found {counted(len(files), 'other file')}")
    order = sorted(parts, key=lambda name: name == "test")  # the test part is the last
    for name in order:
        _check_part(f"{path}, {name}", parts[name])
    shapes = {parts[name][0].shape[1:] for name in order}
    if len(shapes) > 1:
        raise SourceError(f"{path}: expected images of one size, found {_sizes(shapes)}")
    pictures, labels = (np.concatenate([parts[name][i] for name in order]) for i in (0, 1))
    if labels.dtype.kind in "iu":
        labels = named(dataset, labels.ravel())
    n_test = len(parts["test"][0]) if len(parts) > 1 else None
    kind = "folder" if path.is_dir() else "file"
    return image_rows(pictures, labels, f"{kind} {path.name}", n_test)


def read_idx(path: Path, shown: str) -> np.ndarray:
    """Return the array of an idx file, packed by gzip or not.

    Raises SourceError if it is damaged.
    """
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, ValueError) as error:
        raise SourceError(f"{shown}: cannot be unpacked: {error}; download it again") from None
    n_axes = content[3] if len(content) > 3 else 0
    start = 4 + 4 * n_axes
    if len(content) < start or content[:3] != bytes([0, 0, IDX_BYTES]):
        raise SourceError(f"{shown}: expected an idx file of bytes, found another beginning")
    shape = np.frombuffer(content[4:start], ">u4").astype(int).tolist()
    if len(content) - start != math.prod(shape):
        raise SourceError(
            f"{shown}: expected {math.prod(shape):,} bytes for {_by(shape)}, found "
            f"{len(content) - start:,}; download it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _files(path: Path, scratch: Path) -> dict[str, Path]:
    """Return the files of a folder or an archive by the names they have in it."""
    if path.is_dir():
        files = (p for p in sorted(path.rglob("*")) if p.is_file() and p.name[0] != ".")
        found = {p.relative_to(path).as_posix(): p for p in files}
        packed = [name for name in found if archive_suffix(name) and not _idx_part(name)]
        if len(found) == 1 and packed:  # a folder with one archive is that archive
            return _files(found[packed[0]], scratch)
        return found
    if path.suffix in (".npz", ".csv") and path.is_file():
        return {path.name: path}
    if path.is_file() and archive_suffix(path.name):
        return dict(sorted(Unpacker(scratch, Limits()).unpack(path, path.name).items()))
    raise SourceError(f"{path}: {EXPECTED}; found {'a file' if path.is_file() else 'nothing'}")


def _idx_part(name: str) -> str | None:
    """Return "test" or "train" for a file of idx images, else None."""
    base = PurePosixPath(name).name
    if "images" not in base or "idx3" not in base:
        return None
    return "test" if base.startswith(("t10k", "test")) else "train"


def _idx_parts(files: Mapping[str, Path]) -> dict[str, Part]:
    parts = {}
    for name, path in files.items():
        part = _idx_part(name)
        if part is not None:
            labels = name.replace("images", "labels").replace("idx3", "idx1")
            if labels not in files:
                raise SourceError(f"{name}: expected its labels beside it, {labels}")
            parts[part] = (read_idx(path, name), read_idx(files[labels], labels))
    return parts


def _npz_parts(files: Mapping[str, Path]) -> dict[str, Part]:
    """Return the parts of a file as Keras stores them: x_train, y_train, x_test, y_test."""
    names = [name for name in files if name.endswith(".npz")]
    if len(names) != 1:
        return {}
    try:
        with np.load(files[names[0]]) as arrays:  # never unpickles
            return {
                part: (arrays[f"x_{part}"], arrays[f"y_{part}"].ravel())
                for part in ("train", "test")
                if f"x_{part}" in arrays
            }
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{names[0]}: cannot be read as images and labels: {reason}") from None


def _class_parts(files: Mapping[str, Path]) -> dict[str, Part]:
    """Return the parts of folders like train/cat/1.jpg, or cat/1.jpg: a folder is a class."""
    found: dict[str, list[tuple[str, Path, str]]] = {}
    for name, path in files.items():
        place = PurePosixPath(name)
        if place.suffix.lower() in SUFFIXES and len(place.parts) > 1:
            part = "test" if "test" in place.parts[:-2] else "train"
            found.setdefault(part, []).append((name, path, place.parts[-2]))
    return {
        part: (_pictures([(name, path) for name, path, _ in some]), np.array([c for *_, c in some]))
        for part, some in found.items()
    }


def _csv_parts(files: Mapping[str, Path]) -> dict[str, Part]:
    """Return the parts of CSV files whose rows are a label and the pixels of a square.

    Files without labels, as Kaggle's test.csv, teach and test nothing.
    """
    parts = {}
    for name, path in files.items():
        if not name.lower().endswith(".csv"):
            continue
        try:
            table = pd.read_csv(path)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise SourceError(f"{name}: cannot be read as rows of pixels: {reason}") from None
        if LABEL in table:
            part = "test" if "test" in PurePosixPath(name).name else "train"
            parts[part] = _square(name, table.drop(columns=LABEL)), table[LABEL].to_numpy()
    return parts


def _square(name: str, pixels: pd.DataFrame) -> np.ndarray:
    """Return rows of pixels as square images, of three colours where their number says so."""
    n = pixels.shape[1]
    values = pixels.to_numpy()
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 255:
        raise SourceError(f"{name}: expected pixels, whole numbers from 0 to 255, beside {LABEL!r}")
    for channels in (1, 3):
        side = math.isqrt(n // channels)
        if side * side * channels == n:
            axes = (side, side) if channels == 1 else (side, side, channels)
            return values.astype("uint8").reshape(-1, *axes)
    raise SourceError(f"{name}: expected the pixels of square images, found {n:,} columns")


def _pictures(files: list[tuple[str, Path]]) -> np.ndarray:
    """Return images (n, height, width, channels) of one size.

    Raises SourceError naming the first that cannot be read, or is of another size.
    """
    import tensorflow as tf

    pictures: list[np.ndarray] = []
    for name, path in files:
        try:
            picture = tf.io.decode_image(path.read_bytes(), expand_animations=False).numpy()
        except (OSError, tf.errors.InvalidArgumentError):
            raise SourceError(
                f"{name}: is no image that can be read, or a damaged one; replace or remove it"
            ) from None
        if pictures and picture.shape != pictures[0].shape:
            raise SourceError(
                f"{name}: expected {_by(pictures[0].shape)} as {files[0][0]} has, found "
                f"{_by(picture.shape)}; make all images one size"
            )
        pictures.append(picture)
    return np.stack(pictures)


def _check_part(where: str, part: Part) -> None:
    """Check that there is an image for each label; raises SourceError."""
    pictures, labels = part
    if pictures.ndim not in (3, 4) or len(pictures) != len(labels) or not len(labels):
        raise SourceError(
            f"{where}: expected as many labels as images, found images of {_by(pictures.shape)} "
            f"and {counted(len(labels), 'label')}"
        )


def _by(shape: object) -> str:
    return " x ".join(map(str, shape))  # type: ignore[call-overload]


def _sizes(shapes: set[tuple[int, ...]]) -> str:
    return " and ".join(sorted(map(_by, shapes)))
