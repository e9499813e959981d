"""What a schedule trains next, and what it leaves out, on a clock that the test moves."""

from dataclasses import replace

from pipeline.budget import BEFORE_REFIT, BELIEVED, MOST_REPEATS, PLANNED, Entry, Schedule, Unit
from pipeline.competition import ModelChoice


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def entry(
    label: str, seconds: float, *, together: bool = False, can_stop: bool = False, refits: int = 0
) -> Entry:
    choice = ModelChoice(label=label, kind=label)
    return Entry(choice, seconds, together=together, can_stop=can_stop, refits=refits)


def schedule(
    *entries: Entry, n_folds: int = 2, n_workers: int = 1, stop_at: float = 100.0
) -> tuple[Schedule, Clock]:
    clock = Clock()
    return Schedule(entries, n_folds, n_workers, stop_at, clock), clock


def do(plan: Schedule, clock: Clock, seconds: float) -> Unit:
    """Carry out the next unit, which takes so long."""
    unit = plan.next(with_networks=True)
    assert unit is not None
    clock.now += seconds
    plan.take(unit, seconds, f"result of {unit}")
    return unit


def test_configurations_are_trained_fold_by_fold_in_their_order() -> None:
    plan, clock = schedule(entry("quick", 2), entry("slow", 20))
    assert [(do(plan, clock, 1).entry, *plan.passes) for _ in range(4)] == [
        (0, (0, 0)),
        (0, (0, 0)),
        (1, (0, 0), (1, 0)),
        (1, (0, 0), (1, 0)),
    ]
    assert list(plan.whole()) == [0, 1]
    assert plan.left_out() == {}


def test_folds_that_are_one_piece_of_work_are_one_unit() -> None:
    plan, _ = schedule(entry("network", 10, together=True), n_folds=3)
    unit = plan.next(with_networks=True)
    assert unit is not None
    assert unit.folds == (0, 1, 2)


def test_networks_are_only_for_the_workers_that_may_train_them() -> None:
    plan, _ = schedule(entry("network", 10, together=True), entry("trees", 10))
    unit = plan.next(with_networks=False)
    assert unit is not None
    assert unit.entry == 1


def test_what_is_expected_to_take_too_long_is_left_out_and_the_next_is_tried() -> None:
    plan, clock = schedule(entry("first", 2), entry("slow", 500), entry("quick", 2), stop_at=20)
    assert [do(plan, clock, 1).entry for _ in range(4)] == [0, 0, 2, 2]
    assert plan.left_out() == {1: "needs about 500 s"}


def test_what_would_take_most_of_the_time_waits_for_what_is_quick() -> None:
    entries = entry("first", 2), entry("long", 40), entry("quick", 4), entry("quicker", 2)
    plan, clock = schedule(*entries, n_folds=1, stop_at=60)
    assert [do(plan, clock, plan.entries[i].seconds).entry for i in (0, 2, 3, 1)] == [0, 2, 3, 1]


def test_experience_is_scaled_by_what_fits_took_here() -> None:
    plan, clock = schedule(entry("first", 2), entry("second", 6), stop_at=50)
    do(plan, clock, 10)
    do(plan, clock, 10)  # ten times as long as by experience
    assert plan.expected(1) == 6 * 10 ** (20 / (20 + BELIEVED))
    assert plan.next(with_networks=True) is None
    assert plan.left_out() == {1: "needs about 38 s"}


def test_a_pass_whose_rest_does_not_fit_is_given_up() -> None:
    plan, clock = schedule(entry("first", 2), entry("second", 4), n_folds=3, stop_at=20)
    for _ in range(3):
        do(plan, clock, 1)
    do(plan, clock, 9)  # two more of these do not fit into 8 seconds
    assert plan.next(with_networks=True) is None
    assert list(plan.whole()) == [0]
    assert plan.left_out() == {1: "the rest needs about 21 s"}


def test_the_first_configuration_is_begun_whatever_it_is_expected_to_take() -> None:
    plan, clock = schedule(entry("first", 1000), stop_at=10)
    assert do(plan, clock, 30).folds == (0,)
    assert do(plan, clock, 30).folds == (1,)  # nothing else would give an answer


def test_a_fit_that_heeds_a_limit_gets_its_share_of_the_time() -> None:
    plan, clock = schedule(entry("first", 1), entry("boosting", 10, can_stop=True), stop_at=25)
    do(plan, clock, 1)
    do(plan, clock, 1)
    unit = plan.next(with_networks=True)
    assert unit is not None
    assert unit.max_seconds == 23 / 1.15 / 2
    assert plan.passes[0, 0].is_whole


def test_the_first_fit_leaves_time_for_others() -> None:
    plan, _ = schedule(entry("boosting", 10, can_stop=True), stop_at=25)
    unit = plan.next(with_networks=True)
    assert unit is not None
    assert unit.max_seconds == 0.4 * 25 / 2


def test_a_fit_that_fails_is_left_out_with_its_reason() -> None:
    plan, clock = schedule(entry("first", 1), entry("second", 1))
    unit = plan.next(with_networks=True)
    assert unit is not None
    plan.give_up(unit, "its process died")
    assert do(plan, clock, 1).entry == 1
    assert plan.left_out()[0] == "its process died"


def test_what_weighs_most_a_second_is_repeated_first_and_the_others_not_at_all() -> None:
    plan, clock = schedule(entry("light", 2), entry("heavy", 2), entry("none", 2), n_folds=1)
    for _ in range(3):
        do(plan, clock, 1)
    assert plan.next(with_networks=True) is None  # nobody has said what weighs
    plan.prefer({0: 0.2, 1: 0.8})
    repeats = [do(plan, clock, 1) for _ in range(3)]
    assert [(unit.entry, unit.repeat) for unit in repeats] == [(1, 1), (1, 2), (1, 3)]
    assert len(plan.whole()[1]) == 4
    assert plan.left_out() == {}


def test_repeats_come_to_an_end() -> None:
    plan, clock = schedule(entry("only", 1), n_folds=1, stop_at=1e6)
    do(plan, clock, 1)
    plan.prefer({0: 1.0})
    for _ in range(MOST_REPEATS - 1):
        do(plan, clock, 1)
    assert plan.next(with_networks=True) is None


def test_after_all_first_passes_only_repeats_of_what_weighs_count() -> None:
    plan, clock = schedule(entry("early", 1), entry("late", 1), n_folds=1)
    do(plan, clock, 1)
    plan.prefer({0: 1.0})  # while the second is still to come
    assert not plan.is_settled
    late = plan.next(with_networks=True)
    assert late is not None
    do(plan, clock, 1)  # a repeat of the first, meanwhile
    plan.take(late, 1, "late")
    plan.prefer({1: 1.0})
    assert plan.is_settled
    assert [len(passes) for passes in plan.whole().values()] == [1, 1]
    plan.prefer({0: 1.0})  # too late
    assert plan.weights == {1: 1.0}


def test_what_weighs_is_fitted_on_all_rows_before_it_is_repeated() -> None:
    plan, clock = schedule(entry("first", 2, refits=2), entry("second", 2, refits=1))
    for _ in range(4):
        do(plan, clock, 1)
    plan.prefer({0: 1.0})
    units = [do(plan, clock, 1) for _ in range(3)]
    assert [(unit.entry, unit.repeat, unit.is_refit) for unit in units] == [
        (0, 0, True),
        (0, 1, True),
        (0, 1, False),
    ]
    assert plan.refitted(0) == [f"result of {units[0]}", f"result of {units[1]}"]
    assert plan.refitted(1) == []


def test_late_in_the_budget_fits_on_all_rows_come_before_what_is_new() -> None:
    entries = entry("first", 2, refits=1), entry("second", 2), entry("third", 2)
    plan, clock = schedule(*entries, stop_at=20)
    do(plan, clock, 1)
    do(plan, clock, 1)
    plan.prefer({0: 1.0})
    assert [do(plan, clock, 5).entry, do(plan, clock, 5).entry] == [1, 1]
    unit = plan.next(with_networks=True)  # 8 of 20 seconds are over 40 %, but not by much
    assert unit is not None
    assert (unit.entry, unit.is_refit) == (2, False)
    clock.now += 0.5
    unit = plan.next(with_networks=True)
    assert unit is not None
    assert (unit.entry, unit.is_refit) == (2, False)  # what is begun goes on
    unit = plan.next(with_networks=True)
    assert unit is not None
    assert (unit.entry, unit.is_refit) == (0, True)


def test_fits_on_all_rows_are_begun_only_if_all_of_them_fit() -> None:
    plan, clock = schedule(entry("first", 4, refits=3), stop_at=14)
    do(plan, clock, 2)
    do(plan, clock, 2)
    plan.prefer({0: 1.0})
    again = plan.next(with_networks=True)  # three of 3.4 seconds are more than 10 leave room for
    assert again is not None
    assert not again.is_refit


def test_a_fit_on_all_rows_that_fails_leaves_the_folds_to_predict() -> None:
    plan, clock = schedule(entry("first", 2, refits=2))
    do(plan, clock, 1)
    do(plan, clock, 1)
    plan.prefer({0: 1.0})
    unit = plan.next(with_networks=True)
    assert unit is not None
    plan.give_up(unit, "its process died")
    after = plan.next(with_networks=True)
    assert after is not None
    assert not after.is_refit
    assert plan.refitted(0) == []
    assert list(plan.whole()) == [0]


def test_the_latest_weights_decide_on_fits_on_all_rows_the_settled_ones_on_repeats() -> None:
    plan, clock = schedule(entry("first", 2, refits=1), entry("second", 2, refits=1), stop_at=300)
    for _ in range(4):
        do(plan, clock, 1)
    plan.prefer({0: 1.0})
    plan.prefer({1: 1.0})
    assert (do(plan, clock, 1).entry, len(plan.refitted(1))) == (1, 1)
    assert (do(plan, clock, 1).entry, plan.refitted(0)) == (0, [])


def test_networks_whose_fits_on_all_rows_predict_leave_half_their_time_for_these() -> None:
    network = entry("network", 100, together=True, can_stop=True, refits=1)
    plan, clock = schedule(network, stop_at=100)
    assert do(plan, clock, 30).max_seconds == 100 * PLANNED * BEFORE_REFIT
    plan.prefer({0: 1.0})
    unit = plan.next(with_networks=True)  # as long as 1.7 * 30 s would not fit
    assert unit == Unit(0, 0, (), 70 * PLANNED)


def test_fits_on_all_rows_come_first_while_they_need_most_of_the_time_that_is_left() -> None:
    plan, clock = schedule(entry("first", 20, refits=4), entry("second", 2), n_folds=1)
    do(plan, clock, 10)
    plan.prefer({0: 1.0})  # 90 s are left, and fits on all rows need 4 * 17
    assert do(plan, clock, 9).is_refit


def test_what_is_like_models_that_weigh_little_comes_last() -> None:
    labels = "trees", "trees_too", "more_trees", "line"
    entries = [replace(entry(label, 2), family=label.split("_")[0]) for label in labels]
    entries[2] = replace(entries[2], family="trees")
    plan, clock = schedule(*entries, n_folds=1)
    assert [do(plan, clock, 1).entry for _ in range(2)] == [0, 1]
    plan.prefer({0: 0.1, 1: 0.05})
    assert [do(plan, clock, 1).entry for _ in range(2)] == [3, 2]
