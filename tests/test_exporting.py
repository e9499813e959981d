"""Scripts and notebooks of runs: they run without the package, and say what the runs said."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import TOML, Done, environment, only_run, write

from pipeline.exporting.bundle import Bundle
from pipeline.exporting.expressions import Writer
from pipeline.generating import GeneratedFeatures

# Python without the project: its names cannot be imported, however it is installed.
ALONE = """\
import sys, runpy

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pipeline", "cli", "competitions"):
            raise ImportError(f"{name} is not public")

sys.meta_path.insert(0, Nothing())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
FEATURES = """\
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

UNIT = 10


def add_features(frame):
    # a comment that belongs to the code
    return frame.assign(tens=frame["size"] // UNIT, log=np.log1p(frame["size"]))


class Centred(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.mean_ = X["size"].mean()
        return self

    def transform(self, X):
        return X.assign(centred=X["size"] - self.mean_)


def make_transformer():
    return Centred()
"""


def rows(n: int, first: int = 1, seed: int = 0) -> pd.DataFrame:
    """Return rows of a price that follows size and colour, but for noise."""
    rng = np.random.default_rng(seed)
    size, colour = rng.normal(50, 10, n).round(2), rng.choice(["red", "blue", "NA"], n)
    price = (3 * size + 20 * (colour == "red") + rng.normal(0, 5, n)).round(2)
    frame = pd.DataFrame({"id": np.arange(first, first + n), "size": size, "colour": colour})
    frame.loc[::9, "size"] = np.nan
    return frame.assign(shop=rng.integers(0, 12, n), day=np.arange(n) // 3, price=price)


TRAIN, TEST = rows(120), rows(30, first=201, seed=1).drop(columns="price")
SAMPLE = TEST[["id"]].assign(price=0)


@pytest.fixture
def made(tiny: Callable[..., Path]) -> Callable[..., Path]:
    """Make the workspace of a competition of 120 rows."""

    def make(**changes: Any) -> Path:
        frames = {"train": TRAIN, "test": TEST, "sample": SAMPLE} | {
            name: value for name, value in changes.items() if isinstance(value, pd.DataFrame)
        }
        texts = {name: frame.to_csv(index=False) for name, frame in frames.items()}
        return tiny(**(changes | texts))

    return make


@pytest.fixture
def exported(kc_here: Callable[..., Done]) -> Callable[..., Path]:
    """Train, export, and return the folder of the script."""

    def make(workspace: Path, *options: object) -> Path:
        kc_here(workspace, "train", "tiny", "--quiet", *options, expect=0)
        done = kc_here(workspace, "export", "tiny", expect=0)
        script, notebook = map(Path, done.out.splitlines())
        assert (script.name, notebook.name) == ("solution.py", "solution.ipynb")
        return script.parent

    return make


def run_alone(folder: Path, data: Path, code: str = ALONE) -> Path:
    """Run a script where the project is not, and return the submission that it wrote."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    variables = environment(PYTHONWARNINGS="error::SyntaxWarning")
    variables.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", code, str(folder / "solution.py"), str(data)]
    ended = subprocess.run(
        command, cwd=elsewhere, env=variables, capture_output=True, text=True, timeout=600
    )
    assert ended.returncode == 0, ended.stderr
    return elsewhere / "submission.csv"


def check_same(workspace: Path, folder: Path) -> str:
    """Check that a script writes its run's submission to within 1e-6, and return its text."""
    found = run_alone(folder, workspace / "data" / "tiny" / "raw")
    expected = only_run(workspace, "tiny") / "submission.csv"
    mine, theirs = pd.read_csv(found), pd.read_csv(expected)
    pd.testing.assert_frame_equal(mine, theirs, rtol=0, atol=1e-6)
    assert found.read_bytes().splitlines()[0] == expected.read_bytes().splitlines()[0]
    text = (folder / "solution.py").read_text(encoding="utf-8")
    assert "import pipeline" not in text
    assert "from pipeline" not in text
    return text


def test_a_script_says_what_its_run_said_and_reads_like_a_solution(
    made: Callable[..., Path], exported: Callable[..., Path]
) -> None:
    workspace = made(features=FEATURES)
    folder = exported(workspace, "--model", "ridge")
    text = check_same(workspace, folder)
    assert "return Ridge(alpha=10.0, random_state=seed)" in text
    assert "    # a comment that belongs to the code\n" in text
    assert "KFold(3, shuffle=True, random_state=seed)" in text
    assert "lightgbm" not in text.split('"""', 2)[2]  # only what it uses
    assert "pyarrow" not in text  # which pandas can do without
    assert text.index("# 1. The files") < text.index("# 5. Models") < text.index("def solve(")


NETS = """
[models.net]
kind = "realmlp"
epochs = 8
units = [16]

[models.trees]
kind = "lightgbm"
n_estimators = 20
"""


@pytest.mark.slow
def test_a_blend_of_several_models_with_a_network_among_them_is_reproduced(
    made: Callable[..., Path], exported: Callable[..., Path]
) -> None:
    workspace = made(toml=TOML + NETS)
    folder = exported(workspace, "--model", "trees,net", "--time", "90s")
    text = check_same(workspace, folder)
    record = json.loads((only_run(workspace, "tiny") / "run.json").read_text())
    weighed = [one for one in record["members"] if any(one["weights"])]
    for one in weighed:
        assert f'"{one["label"]}": {one["weights"]},' in text
        assert len(one["passes"]) == one["repeats"]
    assert {one["label"] for one in weighed} == {"net", "trees"}


PARTS = f"""{TOML.partition("[validation]")[0].rstrip()}
group = "shop"
drop = ["members", "others"]

[target]
transform = "sqrt"
lower = 0
parts = ["members", "others"]

[models.both]
kind = "lightgbm"
by_parts = true
n_estimators = 30
features = ["target_encoding", "groups"]

[models.line]
kind = "ridge"
by_parts = true
"""


def with_parts() -> pd.DataFrame:
    members = (TRAIN["price"] * 0.4).round(2)
    return TRAIN.assign(members=members, others=(TRAIN["price"] - members).round(2))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["both", "line"])
def test_groups_parts_roots_and_generated_features_are_reproduced(
    made: Callable[..., Path], exported: Callable[..., Path], model: str
) -> None:
    toml = PARTS + '\n[validation]\nscheme = "group"\nn_splits = 3\n'
    workspace = made(train=with_parts(), toml=toml)
    check_same(workspace, exported(workspace, "--model", model))


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--scheme", "time"), ("--rule", "strict")])
def test_folds_in_time_are_reproduced(
    made: Callable[..., Path], exported: Callable[..., Path], options: tuple[str, str]
) -> None:
    test = TEST.assign(day=np.arange(len(TEST)) + 20)
    toml = TOML.replace('target = "price"\n', 'target = "price"\ntime = "day"\n')
    workspace = made(toml=toml, test=test)
    check_same(workspace, exported(workspace, "--model", "lightgbm", "--epochs", 20, *options))


ENDLESS = """
[models.long_trees]
kind = "lightgbm"
n_estimators = 1000000
patience = 1000000

[models.long_net]
kind = "realmlp"
epochs = 100000
units = [8]
"""


@pytest.mark.slow
@pytest.mark.parametrize(("model", "time"), [("long_trees", "2s"), ("long_net", "10s")])
def test_a_fit_that_the_clock_ended_is_ended_where_it_was(
    made: Callable[..., Path], exported: Callable[..., Path], model: str, time: str
) -> None:
    workspace = made(toml=TOML + ENDLESS)
    folder = exported(workspace, "--model", model, "--time", time)
    record = json.loads((only_run(workspace, "tiny") / "run.json").read_text())
    assert all(one["stopped_by_time"] for one in record["folds"])
    assert "ended={(0, 0, 0): " in check_same(workspace, folder)


@pytest.mark.slow
def test_what_ended_fits_have_taught_those_on_all_rows_is_kept(
    made: Callable[..., Path], exported: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    toml = TOML.replace("[validation]", '[target]\ntransform = "sqrt"\nlower = 0\n\n[validation]')
    toml += '\n[models.quick]\nkind = "lightgbm"\nn_estimators = 20\n'
    workspace = made(toml=toml)
    exported(workspace, "--model", "quick,", "--time", "2m")
    path = only_run(workspace, "tiny") / "run.json"
    record = json.loads(path.read_text())
    (member,) = record["members"]
    assert member["refits"] == 3
    member["cut_short"] = True  # as if; the fits of its folds are not kept then
    write(path, json.dumps(record))
    out = workspace / "again"
    kc_here(workspace, "export", "tiny", "--out", out, expect=0)
    assert "taught=[[([" in check_same(workspace, out)


CLASSES = """\
title = "Tiny"
task = "binary"
metric = "accuracy"
default_model = "logistic"

[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"
encoding = "cp949"
separator = ";"
decimal = ","

[columns]
id = "id"
target = "dear"

[cleaning]
duplicates = "drop"
outliers = "size > 75"

[validation]
n_splits = 3

[levels]
NA = ["colour"]
"""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["logistic", "catboost", "hist_gradient_boosting", "xgboost"])
def test_labels_and_files_of_another_country_are_reproduced(
    tiny: Callable[..., Path], exported: Callable[..., Path], model: str
) -> None:
    train = TRAIN.drop(columns="price").assign(
        dear=np.where(TRAIN["price"] > TRAIN["price"].median(), "비싸다", "싸다")
    )
    sample = TEST[["id"]].assign(dear="싸다")
    texts = {
        name: frame.to_csv(index=False, sep=";", decimal=",", lineterminator="\r\n").encode("cp949")
        for name, frame in {"train": train, "test": TEST, "sample": sample}.items()
    }
    workspace = tiny(**texts, toml=CLASSES)
    options = () if model == "logistic" else ("--epochs", 20)
    folder = exported(workspace, "--model", model, *options)
    found = run_alone(folder, workspace / "data" / "tiny" / "raw")
    assert found.read_bytes() == (only_run(workspace, "tiny") / "submission.csv").read_bytes()


OWN = """\
from sklearn.linear_model import Ridge


class Twice(Ridge):
    pass


def make_mine(task, seed, *, alpha=1.0):
    return Twice(alpha=alpha)
"""


def test_a_model_of_ones_own_is_part_of_the_script(
    made: Callable[..., Path], exported: Callable[..., Path]
) -> None:
    toml = f'{TOML}\n[models.mine]\nkind = "models.py:make_mine"\nalpha = 3.0\n'
    workspace = made(toml=toml)
    write(workspace / "competitions" / "tiny" / "models.py", OWN)
    text = check_same(workspace, exported(workspace, "--model", "mine"))
    assert "class Twice(Ridge):" in text
    assert "return Twice(alpha=3.0)" in text


METRIC = """\
import numpy as np
from sklearn.metrics import mean_absolute_error

HARD = 100


def within(y_true, y_pred):
    far = np.abs(y_true - y_pred) > HARD
    return mean_absolute_error(y_true, y_pred) + far.sum()
"""


def test_a_metric_and_models_in_files_of_any_name_are_part_of_the_script(
    made: Callable[..., Path], exported: Callable[..., Path]
) -> None:
    table = '[metric]\nfunction = "score.py:within"\ngreater_is_better = false\nscores = "value"\n'
    toml = TOML.replace('metric = "rmse"\n', "")
    workspace = made(toml=f'{toml}\n{table}\n[models.mine]\nkind = "ours.py:make_mine"\n')
    write(workspace / "competitions" / "tiny" / "score.py", METRIC)
    write(workspace / "competitions" / "tiny" / "ours.py", OWN)
    text = check_same(workspace, exported(workspace, "--model", "mine"))
    assert "from sklearn.metrics import mean_absolute_error\n" in text
    assert "return mean_absolute_error(y_true, y_pred) + far.sum()" in text
    assert "{within(np.asarray(y)[rows], prediction[rows][:, 0]):.5f}" in text


@pytest.mark.slow
def test_networks_bring_the_code_that_trained_them(
    made: Callable[..., Path], exported: Callable[..., Path]
) -> None:
    workspace = made()
    folder = exported(workspace, "--model", "dnn", "--epochs", 3)
    text = check_same(workspace, folder)
    assert "What the sections above need of the package kc" in text


def test_the_notebook_is_the_script_in_cells(
    made: Callable[..., Path], exported: Callable[..., Path]
) -> None:
    workspace = made(features=FEATURES)
    folder = exported(workspace, "--model", "ridge")
    notebook = json.loads((folder / "solution.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    cells = notebook["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert "".join(cells[0]["source"]).startswith("# Tiny\n")
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    write(folder / "solution.py", "\n\n".join(code))
    found = run_alone(folder, workspace / "data" / "tiny" / "raw")
    assert found.read_bytes() == (only_run(workspace, "tiny") / "submission.csv").read_bytes()


def test_nothing_is_overwritten_and_other_files_are_refused(
    made: Callable[..., Path], exported: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    workspace = made()
    folder = exported(workspace, "--model", "ridge")
    kc_here(workspace, "export", "tiny", expect=0)  # the same again is no harm
    write(folder / "solution.py", "print('mine')\n")
    done = kc_here(workspace, "export", "tiny", expect=1)
    assert done.err.endswith(
        "solution.py: is there already, with other content; choose another --out\n"
    )
    assert (folder / "solution.py").read_text() == "print('mine')\n"
    write(workspace.parent / "downloaded" / "test.csv", TEST.head(29).to_csv(index=False))
    write(workspace.parent / "downloaded" / "sample.csv", SAMPLE.head(29).to_csv(index=False))
    kc_here(workspace, "fetch", "tiny", "--from", workspace.parent / "downloaded", expect=0)
    done = kc_here(workspace, "export", "tiny", "--out", workspace / "new", expect=1)
    assert "was trained on other files than those that are here now" in done.err
    assert not (workspace / "new").exists()


def test_a_blend_of_runs_is_written_if_all_have_one_code(
    made: Callable[..., Path], kc_here: Callable[..., Done], tmp_path: Path
) -> None:
    workspace = made()
    for model in ("ridge", "lasso"):
        kc_here(workspace, "train", "tiny", "--model", model, "--quiet", expect=0)
    done = kc_here(workspace, "ensemble", "tiny", "--json", expect=0)
    blend = json.loads(done.out)
    kc_here(workspace, "export", "tiny", "--run", blend["run"], "--out", tmp_path, expect=0)
    found = run_alone(tmp_path, workspace / "data" / "tiny" / "raw")
    expected = pd.read_csv(blend["submission"])
    pd.testing.assert_frame_equal(pd.read_csv(found), expected, rtol=0, atol=1e-6)
    write(workspace / "competitions" / "tiny" / "features.py", FEATURES)
    done = kc_here(workspace, "train", "tiny", "--model", "elastic_net", "--json", expect=0)
    other = json.loads(done.out)["run"]
    lasso = next((workspace / "runs").glob("*-lasso")).name
    blend = json.loads(kc_here(workspace, "ensemble", "tiny", lasso, other, "--json").out)
    record = json.loads((Path(blend["path"]) / "run.json").read_text())
    assert all(any(one["weights"]) for one in record["members"])
    done = kc_here(workspace, "export", "tiny", "--run", blend["run"], expect=1)
    assert f"run {lasso}: its features.py is not the blend's; train all members with" in done.err


def test_names_that_two_modules_have_for_two_things_are_told_apart() -> None:
    bundle = Bundle(files={"one": "LIMIT = 1\n\n\ndef low(x):\n    return x < LIMIT\n"})
    assert bundle.add("pipeline.models.realmlp", "BATCHES") == "BATCHES"
    assert bundle.add("pipeline.models.tabm", "BATCHES") == "BATCHES_2"
    assert bundle.add("pipeline.models.robust", "SOFT_LIMIT") == "SOFT_LIMIT"
    assert bundle.add("pipeline.models.networks", "SOFT_LIMIT") == "SOFT_LIMIT"  # the same words
    bundle.taken.add("LIMIT")
    bundle.add("one", "low")
    assert bundle.text("one") == "LIMIT_2 = 1\n\n\ndef low(x):\n    return x < LIMIT_2"


def test_values_are_written_as_what_makes_them() -> None:
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel
    from sklearn.impute import SimpleImputer

    write_value = Writer(Bundle()).value
    assert write_value([1, 2.5, "a", None, True, (1,)]) == '[1, 2.5, "a", None, True, (1,)]'
    assert write_value({"n": 7, "m": 7}, {"n": 8, "m": 7}) == '{"n": seed, "m": 7}'
    assert write_value(SimpleImputer(strategy="median")) == 'SimpleImputer(strategy="median")'
    seeds = (GeneratedFeatures(families=("counts",), seed=seed) for seed in (42, 43))
    assert write_value(*seeds) == 'GeneratedFeatures(families=("counts",), seed=seed)'
    kernel = write_value(RBF(2.0, (0.1, 10.0)) + WhiteKernel())
    assert kernel == "(RBF(length_scale=2.0, length_scale_bounds=(0.1, 10.0)) + WhiteKernel())"


@pytest.mark.slow
@pytest.mark.skipif("KC_TEST_VENV" not in os.environ, reason="downloads packages; KC_TEST_VENV=1")
def test_a_script_runs_where_only_public_packages_are_installed(
    made: Callable[..., Path], exported: Callable[..., Path], tmp_path: Path
) -> None:
    workspace = made(features=FEATURES)
    folder = exported(workspace, "--model", "lightgbm")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    versions = json.loads((only_run(workspace, "tiny") / "run.json").read_text())["versions"]
    names = ("numpy", "pandas", "scikit-learn", "lightgbm")
    packages = [f"{name}=={versions[name]}" for name in names]
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    listed = subprocess.run([python, "-m", "pip", "list"], capture_output=True, text=True)
    assert "\nkc " not in listed.stdout
    subprocess.run(
        [python, folder / "solution.py", workspace / "data" / "tiny" / "raw"],
        cwd=tmp_path, env=environment(PYTHONPATH=""), check=True,
    )  # fmt: skip
    found = pd.read_csv(tmp_path / "submission.csv")
    expected = pd.read_csv(only_run(workspace, "tiny") / "submission.csv")
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-6)


SERIES = """\
title = "Tiny"
task = "regression"
metric = "mae"

[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"

[columns]
id = "id"
time = "day"
target = "sales"
drop = ["note"]

[target]
lower = 0

[windows]
timesteps = 3
horizon = 2
by = "shop"

[validation]
n_splits = 2

[models.trees]
kind = "lightgbm"
n_estimators = 20

[models.memory]
kind = "lstm"
units = [2]
dense = []
epochs = 1
"""
OF_A_DAY = """\
def add_features(frame):
    return frame.assign(each=frame["sales"] / (1 + frame["visitors"]), seen=frame["day"])
"""


def series() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return two shops' days out of order: train, a test that tells a day first, and the sample."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2022-01-01", periods=60)
    shops = [
        pd.DataFrame({"day": days, "shop": shop, "visitors": rng.integers(0, 9, 60)}).assign(
            sales=level + rng.normal(0, 5, 60).cumsum().round(2)
        )
        for shop, level in (("north", 100), ("south", 900))
    ]
    frame = pd.concat(shops).sample(frac=1, random_state=1)
    frame = frame.assign(id=[f"d{i}" for i in range(len(frame))], note="none")
    is_last = frame["day"] >= days[-3]
    test = frame[is_last].assign(visitors=lambda rows: rows["visitors"].astype(float))
    is_asked = test["day"] > days[-3]
    test.loc[is_asked, ["sales", "visitors"]] = np.nan
    return frame[~is_last], test, test.loc[is_asked, ["id"]].assign(sales=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "windows"),
    [
        ("ridge", ["horizon = 2", 'target = "change"']),
        ("trees", ["horizon = 2", 'target = "ratio"', "stride = 2", 'gaps = "split"']),
        ("memory", ["horizon = 2", 'target = "level"']),
    ],
)
def test_windows_of_series_are_cut_and_put_back_as_the_run_did(
    made: Callable[..., Path], exported: Callable[..., Path], model: str, windows: list[str]
) -> None:
    train, test, sample = series()
    if 'gaps = "split"' in windows:
        train = train[train["day"] != pd.Timestamp("2022-01-20")]
    toml = SERIES.replace("horizon = 2", "\n".join(windows))
    workspace = made(train=train, test=test, sample=sample, toml=toml, features=OF_A_DAY)
    text = check_same(workspace, exported(workspace, "--model", model))
    assert ("FunctionTransformer(LAST_VALUE.relative)" in text) == (model != "memory")
    assert "past &= (train.until <= train.order.iloc[valid].min()).to_numpy()" in text


def test_roots_of_windows_that_stop_a_fit_early_are_refused(
    made: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    train, test, sample = series()
    toml = SERIES.replace("horizon = 2", 'horizon = 2\ntarget = "level"').replace("mae", "rmse")
    toml = toml.replace("lower = 0", 'lower = 0\ntransform = "sqrt"')
    workspace = made(train=train, test=test, sample=sample, toml=toml)
    kc_here(workspace, "train", "tiny", "--model", "trees", "--quiet", expect=0)
    done = kc_here(workspace, "export", "tiny", expect=1)
    assert "models.trees: learns roots of windows and is stopped early" in done.err
    assert not (workspace / "exports").exists()


PICTURES = """\
title = "Tiny"
task = "multiclass"
metric = "log_loss"

[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"

[columns]
id = "id"
target = "label"

[images]
height = 4
width = 4

[validation]
n_splits = 3

[models.net]
kind = "conv2d"
filters = [4]
dense = [8]
epochs = 2
augment = { shift = 0.1, rotate = 10, zoom = 0.1 }

[models.trees]
kind = "random_forest"
n_estimators = 10
"""


def pictures(n: int, first: int = 0) -> pd.DataFrame:
    """Return images of 4 x 4 pixels whose brightest row is what they show."""
    rng = np.random.default_rng(first)
    label = rng.integers(0, 3, n)
    images = rng.integers(0, 120, (n, 4, 4))
    images[np.arange(n), label] += 100
    pixels = pd.DataFrame(images.reshape(n, 16), columns=[f"pixel{i}" for i in range(16)])
    return pixels.assign(id=np.arange(first, first + n), label=np.array(["a", "b", "c"])[label])


@pytest.mark.slow
@pytest.mark.parametrize("model", ["net", "svm", "trees"])
def test_images_are_read_as_bytes_and_seen_as_the_run_saw_them(
    made: Callable[..., Path], exported: Callable[..., Path], model: str
) -> None:
    test = pictures(20, first=500).drop(columns="label")
    sample = test[["id"]].assign(a=0, b=0, c=0)
    workspace = made(train=pictures(90), test=test, sample=sample, toml=PICTURES)
    text = check_same(workspace, exported(workspace, "--model", model))
    assert 'FEATURES = [f"pixel{n}" for n in range(0, 16)]' in text
    assert "pixels.join(typed(cells, *how))" in text
