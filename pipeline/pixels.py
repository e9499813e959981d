"""Images in CSV files: a column a pixel, kept as bytes on disk and mapped into memory."""

import hashlib
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
from pipeline.storage import saving, storing

MOST_BYTES = 2**28  # of images that are copied in memory; more of them are copied on disk
CHUNK = 2**24  # bytes that are copied at once
_PIXEL = pa.uint8()
_WHOLE = re.compile(r"\s*\d{1,3}\s*")


def read_images(
    path: Path, competition: Competition, folder: Path | None = None
) -> tuple[CsvFile, pd.DataFrame, pd.DataFrame]:
    """Return how a file is written, its cells that are no pixels as written, and its pixels.

    The pixels are bytes (n_samples, height * width * channels), in the order of the columns.
    folder: where they are kept, mapped into memory, and found again by the file's content; without
    one they are in memory.
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
    kept = None if folder is None else folder / f"{_digest(path)}.pixels"
    try:
        cells, array = _split(rows, names, pixels, kept)
    except pa.ArrowInvalid as error:
        raise _fault(file, names, pixels, error) from None
    return file, cells, pd.DataFrame(array, columns=pixels, copy=False)


def take_images(X: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Return rows of images at these positions; many of them stay on disk.

    What would fill the memory is copied to a file without a name beside the first one, which is
    gone when nobody looks at it any more.
    """
    source = _mapped(X)
    if source is None or len(rows) * X.shape[1] <= MOST_BYTES:
        return X.iloc[rows]
    with storing(source), tempfile.TemporaryFile(dir=source.parent) as file:
        values, step = X.to_numpy(), max(1, CHUNK // X.shape[1])
        for start in range(0, len(rows), step):
            file.write(np.ascontiguousarray(values[rows[start : start + step]]).tobytes())
        file.flush()
        copied = np.memmap(file, np.uint8, "r", shape=(len(rows), X.shape[1]))
    return pd.DataFrame(copied, index=X.index[rows], columns=X.columns, copy=False)


def are_images(X: pd.DataFrame) -> bool:
    """Tell whether all columns are bytes, as those of images are."""
    return bool(X.shape[1]) and all(dtype == np.uint8 for dtype in X.dtypes.unique())


def _mapped(X: pd.DataFrame) -> Path | None:
    """Return the file that a frame's bytes are mapped from, or None if they are in memory."""
    if not are_images(X):
        return None
    array: object = X.to_numpy()
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.filename is not None:
            return Path(array.filename)
        array = array.base
    return None


def _split(
    rows: Iterator[pa.RecordBatch], names: list[str], pixels: list[str], kept: Path | None
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

    array = _kept(blocks(), len(pixels), kept) if kept else np.concatenate([*blocks()])
    table = pa.Table.from_batches(texts).rename_columns([names[i] for i in others])
    dtype = pd.StringDtype("pyarrow", na_value=np.nan)
    cells: pd.DataFrame = table.to_pandas(types_mapper={pa.large_string(): dtype}.get)
    return cells.fillna(""), array


def _kept(blocks: Iterator[np.ndarray], width: int, path: Path) -> np.ndarray:
    """Return images mapped from a file, which is written if it is not there."""
    if path.is_file():
        for _ in blocks:  # for the cells beside them
            pass
    else:
        with saving(path) as file:
            for block in blocks:
                file.write(block.tobytes())
    return np.memmap(path, np.uint8, "r", shape=(path.stat().st_size // width, width))


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


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
