"""On what networks are trained: the processor, or a GPU that TensorFlow sees."""

import os
import sys
from functools import lru_cache
from pathlib import Path

from pipeline.errors import ModelError, UsageError, did_you_mean

CHOICE = "KC_DEVICE"  # the environment variable, which worker processes inherit
DEVICES = ("auto", "cpu", "gpu")
HIDDEN = {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1"}  # no process sees a GPU so
PATTERNS = ("nvidia[0-9]*", "dxg", "kfd")  # in /dev: NVIDIA's, those of WSL, AMD's
TELLING = ("device", "device_type", "task_type")  # parameters of boosting that may ask for one


def choose_device(wanted: str) -> None:
    """Let this process and its workers train networks there; auto takes a GPU where there is one.

    Raises UsageError for a word that is none of them, and for a GPU where TensorFlow sees none.
    """
    if wanted not in DEVICES:
        raise UsageError(f"--device: {wanted!r}; {did_you_mean(wanted, DEVICES)}")
    os.environ[CHOICE] = wanted
    if wanted == "cpu":
        os.environ.update(HIDDEN)
    if wanted == "gpu" and not gpus():
        raise UsageError(f"--device gpu: {_why_none()}; leave it out to train on the processor")


def device() -> str:
    """Return where networks are trained, "cpu" or "gpu"."""
    return "gpu" if os.environ.get(CHOICE) != "cpu" and gpus() else "cpu"


def gpus() -> tuple[str, ...]:
    """Return the names of the GPUs that TensorFlow sees; it is loaded only where one may be."""
    return _seen() if may_have_gpu() else ()


def may_have_gpu(system: Path = Path("/dev")) -> bool:
    """Tell whether this machine has, and this process is shown, anything like a GPU.

    system: the folder of devices, which tests replace.
    """
    shown = [os.environ.get(name) for name in HIDDEN]
    if any(value is not None and value.strip() in ("", "-1") for value in shown):
        return False
    if sys.platform == "darwin":  # Apple's are no files
        return True
    return any(next(system.glob(pattern), None) for pattern in PATTERNS)


def settle() -> None:
    """Let TensorFlow take a GPU's memory as it needs it, or leave GPUs alone, as was chosen.

    Raises ModelError if it has begun to use one that it shall not.
    """
    import tensorflow as tf

    try:
        if os.environ.get(CHOICE) == "cpu":
            tf.config.set_visible_devices([], "GPU")
        for one in tf.config.get_visible_devices("GPU"):
            tf.config.experimental.set_memory_growth(one, True)
    except RuntimeError as error:
        if os.environ.get(CHOICE) == "cpu" and tf.config.list_logical_devices("GPU"):
            raise ModelError(
                f"{CHOICE}=cpu: TensorFlow has begun to use a GPU in this process; set "
                "CUDA_VISIBLE_DEVICES=-1 before Python is started"
            ) from error


def asks_for_gpu(parameters: dict[str, object]) -> bool:
    """Tell whether a model's own parameters say that it is to be trained on a GPU."""
    told = [str(parameters.get(name, "")).lower() for name in TELLING]
    return any(one.startswith(("gpu", "cuda")) for one in told)


@lru_cache(maxsize=1)
def _seen() -> tuple[str, ...]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    return tuple(one.name for one in tf.config.list_physical_devices("GPU"))


def _why_none() -> str:
    hidden = [name for name in HIDDEN if os.environ.get(name, "0").strip() in ("", "-1")]
    if hidden:
        return f"{hidden[0]}={os.environ[hidden[0]]!r} hides every GPU; unset it"
    if may_have_gpu():
        return (
            "this machine has one, but TensorFlow does not see it; run: pip install "
            '"tensorflow[and-cuda]", and see kc doctor'
        )
    return "this machine shows none (looked for /dev/nvidia*, /dev/kfd and /dev/dxg)"
