"""Where networks are trained: what is chosen, what is refused, and what a worker sees."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import TOML, Done, environment

from pipeline import devices
from pipeline.competition import ModelChoice
from pipeline.errors import ModelError, UsageError
from pipeline.execution import Workers, has_networks
from pipeline.models import make_model
from pipeline.stages.folding import FoldWork


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nothing of this machine's GPUs, or of a test's choice, stay."""
    with monkeypatch.context() as own:
        for name in (*devices.HIDDEN, devices.CHOICE):
            own.setenv(name, "")
            own.delenv(name)
        yield
        for name in (*devices.HIDDEN, devices.CHOICE):
            os.environ.pop(name, None)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let TensorFlow see two GPUs."""
    monkeypatch.setattr(devices, "may_have_gpu", lambda: True)
    monkeypatch.setattr(devices, "_seen", lambda: ("/physical_device:GPU:0", "...:1"))


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "may_have_gpu", lambda: False)


def test_a_gpu_is_taken_where_there_is_one_and_it_is_not_hidden(two_gpus: None) -> None:
    assert devices.device() == "gpu"
    devices.choose_device("auto")
    assert devices.device() == "gpu"
    devices.choose_device("cpu")
    assert devices.device() == "cpu"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_networks_are_trained_on_the_processor() -> None:
    devices.choose_device("auto")
    assert devices.device() == "cpu"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_looking_for_a_gpu_loads_nothing_where_there_can_be_none(tmp_path: Path) -> None:
    code = (
        "import sys; from pipeline import devices; devices.PATTERNS = (); "
        "print(devices.device(), 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout == "cpu False\n"


@pytest.mark.skipif(sys.platform == "darwin", reason="Apple's GPUs are no files")
def test_what_a_machine_shows_of_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.may_have_gpu(tmp_path) is False
    (tmp_path / "nvidiactl").touch()
    assert devices.may_have_gpu(tmp_path) is False
    (tmp_path / "nvidia0").touch()
    assert devices.may_have_gpu(tmp_path) is True
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert devices.may_have_gpu(tmp_path) is False
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert devices.may_have_gpu(tmp_path) is True


def test_a_word_that_is_no_device_is_named(kc_here: Callable[..., Done], tmp_path: Path) -> None:
    done = kc_here(tmp_path, "train", "bike", "--device", "gpuu")
    assert done.error() == "--device: 'gpuu'; did you mean 'gpu'?"


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there_is_one_line(kc_here: Callable[..., Done], tmp_path: Path) -> None:
    done = kc_here(tmp_path, "train", "bike", "--device", "gpu")
    assert done.error() == (
        "--device gpu: this machine shows none (looked for /dev/nvidia*, /dev/kfd and /dev/dxg); "
        "leave it out to train on the processor"
    )


def test_a_hidden_gpu_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UsageError, match="CUDA_VISIBLE_DEVICES='' hides every GPU; unset it"):
        devices.choose_device("gpu")


def test_a_driver_without_its_tensorflow_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "may_have_gpu", lambda: True)
    monkeypatch.setattr(devices, "_seen", tuple)
    with pytest.raises(UsageError, match=r"TensorFlow does not see it; run: pip install"):
        devices.choose_device("gpu")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"device": "cuda:1"}, True),
        ({"task_type": "GPU"}, True),
        ({"device_type": "gpu"}, True),
        ({"device": "cpu", "max_depth": 3}, False),
        ({}, False),
    ],
)
def test_boosting_asks_for_a_gpu_by_its_own_parameters(
    parameters: dict[str, object], expected: bool
) -> None:
    assert devices.asks_for_gpu(parameters) is expected


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        ("xgboost", {"device": "cuda"}, r"XGBoost: device = 'cuda', but no GPU is seen here"),
        ("lightgbm", {"device_type": "cuda"}, r"LightGBM: .*CUDA Tree Learner"),
        ("catboost", {"task_type": "GPU"}, r"CatBoost: .*(CUDA|GPU)"),
    ],
)
def test_boosting_that_shall_use_a_gpu_never_goes_on_without(
    kind: str, parameters: dict[str, object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(kind)
    monkeypatch.setattr("pipeline.models.rounds.may_have_gpu", lambda: False)
    model = make_model(ModelChoice(label=kind, kind=kind, parameters=parameters), "regression", 1)
    rows = [[float(i), float(i % 3)] for i in range(40)]
    with pytest.raises(ModelError, match=said):
        model.fit(rows, [float(i) for i in range(40)])


def test_of_workers_only_the_first_sees_a_gpu_and_trains_networks(
    two_gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.execution.Worker._begin", lambda self: None)
    each = Workers(3, print).each
    assert [one.variables.get("CUDA_VISIBLE_DEVICES") for one in each] == [None, "-1", "-1"]
    assert [has_networks(number) for number in range(4)] == [True, False, False, False]


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_every_second_worker_trains_networks() -> None:
    assert [has_networks(number) for number in range(4)] == [True, False, True, False]


def test_a_network_on_a_gpu_is_other_work(
    trained_tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.stages.opening import chosen_model, open_competition, read_data, unfitted
    from pipeline.workspace import Workspace

    opened = open_competition(Workspace(trained_tiny), "tiny")
    data = read_data(opened)

    def key(label: str) -> str:
        choice = chosen_model(opened.competition, label)
        estimator = unfitted(opened, choice, 1)
        return FoldWork(opened, choice, 1, data.train, estimator).key([])

    found = {}
    for where in ("cpu", "gpu"):
        monkeypatch.setattr("pipeline.stages.folding.device", lambda where=where: where)
        found[where] = key("dnn"), key("ridge")
    assert found["cpu"][0] != found["gpu"][0]
    assert found["cpu"][1] == found["gpu"][1]


def test_the_record_says_where_a_run_was_trained(
    tiny: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    import json

    workspace = tiny(toml=TOML)
    kc_here(workspace, "train", "tiny", "--device", "cpu", expect=0)
    (run,) = (workspace / "runs").glob("tiny-*")
    assert json.loads((run / "run.json").read_text())["device"] == "cpu"


@pytest.mark.slow
def test_memory_grows_and_a_gpu_that_shall_not_be_used_is_hidden() -> None:
    """TensorFlow is asked with devices of its own making: there may be no GPU here."""
    code = (
        "import os; from pipeline import devices; import tensorflow as tf; grown = []; "
        "tf.config.get_visible_devices = lambda kind: ['one', 'other']; "
        "tf.config.experimental.set_memory_growth = lambda one, on: grown.append((one, on)); "
        "devices.settle(); print(grown); "
        "hidden = []; "
        "tf.config.set_visible_devices = lambda some, kind: hidden.append((some, kind)); "
        "tf.config.get_visible_devices = lambda kind: []; "
        "os.environ['KC_DEVICE'] = 'cpu'; devices.settle(); print(hidden)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout == "[('one', True), ('other', True)]\n[([], 'GPU')]\n"
