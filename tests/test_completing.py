"""What a shell completes, asked as a shell asks, and what kc says without a command."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import KC, TOML, environment, write

from pipeline.stages.advising import advice_lines, advise, latest_competition, name_of_run
from pipeline.stages.completing import complete_competition, complete_model, complete_run
from pipeline.workspace import Workspace

BASH = shutil.which("bash")
OWN_RUN = "own-20260101T000000Z-mine"
IRIS = "iris-20260102T000000Z"
HEAVY = {"tensorflow", "keras", "pandas", "numpy", "sklearn", "kaggle", "lightgbm", "matplotlib"}


def a_run(workspace: Path, run_id: str, **facts: Any) -> None:
    name = name_of_run(run_id)
    record = {"competition": name, "metric": "rmse", "score": 1.5, "model": {"label": "ridge"}}
    write(workspace / "runs" / run_id / "run.json", json.dumps({**record, **facts}))


ASK = """\
source <(kc --show-completion bash)
for line in "$@"; do
    read -r -a COMP_WORDS <<< "$line"
    [[ "$line" == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _kc_completion kc
    echo "${COMPREPLY[@]}"
done
"""


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_bash_completes_commands_competitions_models_and_runs(tmp_path: Path) -> None:
    write(tmp_path / "competitions" / "own" / "competition.toml", TOML + "[models.mine]\n")
    for run_id in ("own-20260101T000000Z-mine", "own-20260102T000000Z-ridge", f"{IRIS}-ridge"):
        a_run(tmp_path, run_id)
    expected = {
        "kc subm": "submit submissions",
        "kc train o": "own",
        "kc train own --model mi": "mine",
        "kc train own -m mine,lig": "mine,lightgbm",
        "kc submit own --run ": "own-20260102T000000Z-ridge own-20260101T000000Z-mine",
        "kc ensemble iris ": f"{IRIS}-ridge",
    }
    done = subprocess.run(
        [BASH or "bash", "-c", ASK, "bash", *expected],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env=environment(PATH=f"{KC.parent}:/usr/bin:/bin", SHELL="/bin/bash"),
    )  # fmt: skip
    assert done.stderr == ""
    assert dict(zip(expected, done.stdout.splitlines(), strict=True)) == expected


ASKED = {"kc subm": "submit", "kc train o": "own", "kc train own -m mine,lig": "mine,lightgbm"}
ASK_OTHERS = {
    "zsh": """\
compdef() { : }
_arguments() { print -r -- "$@" }
source <(kc --show-completion)
for line in "$@"; do
    words=(${=line}); CURRENT=$#words
    print -r -- "$(_kc_completion | tr '\\n' ' ')"
done
""",
    "fish": """\
kc --show-completion | source
for line in $argv; echo (complete -C $line); end
""",
}


@pytest.mark.parametrize("shell", ASK_OTHERS)
def test_zsh_and_fish_complete_as_well(tmp_path: Path, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell}")
    write(tmp_path / "competitions" / "own" / "competition.toml", TOML + "[models.mine]\n")
    a_run(tmp_path, OWN_RUN)
    asked = ASKED | {"kc submit own --run own-2": OWN_RUN}
    named = ["zsh"] if shell == "zsh" else []  # what stands behind -c is a name there
    done = subprocess.run(
        [program, "-c", ASK_OTHERS[shell], *named, *asked],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env=environment(PATH=f"{KC.parent}:/usr/bin:/bin", SHELL=program, HOME=str(tmp_path)),
    )  # fmt: skip
    assert done.stderr == ""
    for answer, expected in zip(done.stdout.splitlines(), asked.values(), strict=True):
        assert expected in answer


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_completion_is_installed_for_the_shell_that_asks(tmp_path: Path) -> None:
    done = subprocess.run(
        [BASH or "bash", "-c", f'"{KC}" --install-completion bash; true'],
        capture_output=True, text=True, check=True,
        env=environment(HOME=str(tmp_path), SHELL="/bin/bash"),
    )  # fmt: skip
    assert "bash completion installed in" in done.stdout
    (script,) = (tmp_path / ".bash_completions").glob("kc*")
    assert "_KC_COMPLETE=complete_bash" in script.read_text()
    assert str(script) in (tmp_path / ".bashrc").read_text()


def test_completing_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import os, sys, cli; sys.argv = ['kc']\n"
        "os.environ.update(_KC_COMPLETE='complete_bash', COMP_WORDS=sys.argv0, COMP_CWORD='4')\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    ).replace("sys.argv0", "'kc train bike --model c'")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True,
        env=environment(),
    )  # fmt: skip
    assert "catboost" in done.stdout.split()
    assert done.stderr.strip() == "[]"


def test_models_of_the_competition_come_first_and_a_broken_declaration_hides_no_other(
    tmp_path: Path,
) -> None:
    workspace = Workspace(tmp_path)
    write(tmp_path / "competitions" / "own" / "competition.toml", TOML + "[models.zebra]\n")
    assert complete_model(workspace, "own", "")[0] == ("zebra", "declared")
    assert ("ridge", "built in") in complete_model(workspace, None, "ri")
    assert complete_model(workspace, "own", "ridge,ri") == []
    write(tmp_path / "competitions" / "own" / "competition.toml", "models = 3 = 4")
    assert complete_model(workspace, "own", "ridg") == [("ridge", "built in")]
    assert ("own", "not fetched") in complete_competition(workspace, "o")
    assert complete_run(workspace, "own", "") == []


def test_run_ids_name_their_competition() -> None:
    assert name_of_run("my-own-20260101T000000Z-ridge-2") == "my-own"
    assert name_of_run("notes") is None


def commands(workspace: Path) -> list[str]:
    advice = advise(Workspace(workspace))
    assert all(len(line) <= 80 for line in advice_lines(advice))
    return [command for command, _ in advice.steps]


def test_the_next_steps_follow_what_is_here(tmp_path: Path) -> None:
    assert commands(tmp_path)[0] == "kc run iris"
    write(tmp_path / "competitions" / "own" / "competition.toml", TOML)
    assert commands(tmp_path)[0] == "kc fetch own --from ZIP_OR_DIR"
    write(tmp_path / "data" / "own" / "manifest.json", "{}")
    assert commands(tmp_path) == ["kc inspect own", "kc plot own", "kc train own"]
    a_run(tmp_path, "own-20260101T000000Z-ridge")
    assert commands(tmp_path)[:2] == ["kc submit own --by-hand", "kc report own --open"]
    entry = {
        "sha256": "0" * 64, "run": "own-20260101T000000Z-ridge", "time": "2026-01-02T00:00:00Z",
        "how": "by hand",
    }  # fmt: skip
    write(tmp_path / "runs" / "own.submissions.jsonl", json.dumps(entry) + "\n")
    assert commands(tmp_path)[:2] == ["kc submissions own", "kc report own --all --open"]
    assert advise(Workspace(tmp_path)).state == (
        "own: the only run, ridge, scores rmse 1.50000, and was handed in"
    )


def test_of_several_competitions_the_last_one_counts(tmp_path: Path) -> None:
    write(tmp_path / "data" / "bike" / "manifest.json", "{}")
    a_run(tmp_path, "iris-20260101T000000Z-ridge")
    old, new = tmp_path / "data" / "bike" / "manifest.json", tmp_path / "runs"
    os.utime(old, (1, 1))
    assert latest_competition(Workspace(tmp_path)) == "iris"
    for path in new.iterdir():
        os.utime(path, (0, 0))
    assert latest_competition(Workspace(tmp_path)) == "bike"


def test_kc_alone_says_what_to_do_next_and_writes_nothing(kc: Any, tmp_path: Path) -> None:
    out = kc(tmp_path).out
    assert "  kc run iris " in out
    assert out.rstrip().endswith("kc COMMAND --help explains one.")
    assert not list(tmp_path.iterdir())
