"""Images in CSV files: a column a pixel, read as bytes and mapped into memory from disk."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.competition import Competition
from pipeline.csvtext import CsvFile, read_typed
from pipeline.errors import DataError
from pipeline.storage import UNFINISHED, storing

MOST_BYTES = 2**28  # of images that are copied in memory; more of them are copied on disk
CHUNK = 2**24  # bytes that are copied at once
_PIXEL = pa.uint8()
_WHOLE = re.compile(r"\s*\d{1,3}\s*")


def read_images(
    path: Path, competition: Competition, folder: Path | None = None
) -> tuple[CsvFile, pd.DataFrame, pd.DataFrame]:
    """Return how a file is written, its cells that are no pixels as written, and its pixels.

    The pixels are bytes (n_samples, height * width * channels), in the order of the columns.
    folder: where they are put into a file without a name, and mapped into memory, so that the
    system may take the memory back; without one they are in memory.
    Raises DataError if there are not as many pixels as [images] says, or a cell is none.
    """
    hidden = competition.columns.not_features
    files = competition.files
    file, names, rows = read_typed(
        path,
        lambda name: None if name in hidden else _PIXEL,
        encoding=files.encoding,
        separator=files.separator,
    )
    pixels = [name for name in names if name not in hidden]
    _check_count(file, competition, pixels, names)
    try:
        cells, array = _split(rows, names, pixels, folder)
    except pa.ArrowInvalid as error:
        raise _fault(file, names, pixels, error) from None
    return file, cells, pd.DataFrame(array, columns=pixels, copy=False)


def take_images(X: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Return rows at these positions; of so many images that they fill the memory, on disk."""
    folder = _folder(X) if len(rows) * X.shape[1] > MOST_BYTES else None
    if folder is None:
        return X.iloc[rows]
    values, step = X.to_numpy(), max(1, CHUNK // X.shape[1])
    parts = (values[rows[start : start + step]] for start in range(0, len(rows), step))
    copied = _on_disk(parts, X.shape[1], folder)
    return pd.DataFrame(copied, index=X.index[rows], columns=X.columns, copy=False)


def are_images(X: pd.DataFrame) -> bool:
    """Tell whether all columns are bytes, as those of images are."""
    return bool(X.shape[1]) and all(dtype == np.uint8 for dtype in X.dtypes.unique())


def _folder(X: pd.DataFrame) -> Path | None:
    """Return the folder of the file that images are mapped from; None if they are in memory."""
    array: object = X.to_numpy() if are_images(X) else None
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.filename is not None:
            return Path(array.filename).parent
        array = array.base
    return None


def _on_disk(blocks: Iterator[np.ndarray], width: int, folder: Path) -> np.ndarray:
    """Return blocks (n, width) of images as one array, mapped from a file without a name.

    It is gone when nobody looks at it any more, however that ends.
    """
    with (
        storing(folder),
        tempfile.NamedTemporaryFile(dir=folder, prefix=f"{UNFINISHED}{os.getpid()}-") as file,
    ):
        for block in blocks:
            file.write(np.ascontiguousarray(block).tobytes())
        file.flush()
        return np.memmap(file.name, np.uint8, "r", shape=(file.tell() // width, width))


def _split(
    rows: Iterator[pa.RecordBatch], names: list[str], pixels: list[str], folder: Path | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the cells that are no pixels, and the pixels, in memory or mapped from a file."""
    places = [names.index(name) for name in pixels]
    others = [i for i in range(len(names)) if i not in set(places)]
    texts: list[pa.RecordBatch] = []

    def blocks() -> Iterator[np.ndarray]:
        for batch in rows:
            texts.append(batch.select(others))
            columns = [batch.column(i) for i in places]
            if any(column.null_count for column in columns):
                raise pa.ArrowInvalid("an empty cell")
            yield np.stack([column.to_numpy() for column in columns], axis=1)

    if folder is None or os.name != "posix":  # Windows removes no file that is in use
        array = np.concatenate([*blocks()])
    else:
        array = _on_disk(blocks(), len(pixels), folder)
    table = pa.Table.from_batches(texts).rename_columns([names[i] for i in others])
    dtype = pd.StringDtype("pyarrow", na_value=np.nan)
    cells: pd.DataFrame = table.to_pandas(types_mapper={pa.large_string(): dtype}.get)
    return cells.fillna(""), array


def _check_count(
    file: CsvFile, competition: Competition, pixels: list[str], names: list[str]
) -> None:
    """Check that there are as many pixels as [images] says; raises DataError."""
    images = competition.images
    assert images is not None
    if len(pixels) == images.n_pixels:
        return
    others = ", ".join(name for name in names if name not in pixels) or "nothing"
    raise DataError(
        f"{file.path}: expected {images.n_pixels:,} columns of pixels, as [images] says "
        f"({images}), found {len(pixels):,} beside {others}; correct [images], or add what is no "
        "pixel to [columns] drop"
    )


def _fault(file: CsvFile, names: list[str], pixels: list[str], error: pa.ArrowInvalid) -> DataError:
    """Return what is wrong with the first row that cannot be read."""
    records = file.records()
    next(records)
    are_pixels = [name in set(pixels) for name in names]
    for line, cells in records:
        if len(cells) != len(names):
            return DataError(
                f"{file.path}, line {line}: expected {len(names):,} fields as in the header, found "
                f"{len(cells):,}; correct the file"
            )
        for name, cell, is_pixel in zip(names, cells, are_pixels, strict=True):
            if is_pixel and not (_WHOLE.fullmatch(cell) and int(cell) <= 255):
                return DataError(
                    f"{file.path}, line {line}, column {name!r}: expected a pixel, a whole number "
                    f"from 0 to 255, found {cell!r}; correct it, or remove [images]"
                )
    return DataError(f"{file.path}: cannot be read as images: {' '.join(str(error).split())}")
