"""What is paused until a day runs again on it."""

from datetime import date

import pytest

from reporting.orchestration.pauses import ResumeError, lift, variable_of

TODAY = date(2026, 11, 21)


class Variables(dict[str, str]):
    """Airflow's variables, and what was resumed."""

    def __init__(self, **until: str) -> None:
        super().__init__({variable_of(dag_id): day for dag_id, day in until.items()})
        self.resumed: list[str] = []
        self.refused: str | None = None

    def resume(self, dag_id: str) -> None:
        if dag_id == self.refused:
            raise ResumeError(dag_id)
        self.resumed.append(dag_id)

    def lift(self) -> list[str]:
        return lift(list(self), self.__getitem__, self.__delitem__, self.resume, TODAY)


def test_the_day_has_come_or_has_not() -> None:
    found = Variables(past="2026-11-01", today="2026-11-21", later="2026-11-22")
    assert found.lift() == ["past", "today"]
    assert found.resumed == ["past", "today"]
    assert set(found) == {variable_of("later")}
    assert found.lift() == []


def test_a_day_that_is_none_keeps_no_other(caplog: pytest.LogCaptureFixture) -> None:
    found = Variables(broken="soon", due="2026-11-01")
    assert found.lift() == ["due"]
    assert variable_of("broken") in found
    assert "does not hold a date" in caplog.text


def test_a_variable_that_names_no_dag_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    found = Variables(
        **{"due": "2026-11-01", "--yes": "2026-11-01", "a/../b": "2026-11-01", "": "2026-11-01"}
    )
    assert found.lift() == ["due"]
    assert found.resumed == ["due"]
    assert caplog.text.count("does not name a DAG") == 3


def test_one_that_is_not_resumed_is_tried_again() -> None:
    found = Variables(one="2026-11-01")
    found.refused = "one"
    with pytest.raises(ResumeError):
        found.lift()
    found.refused = None
    assert found.lift() == ["one"]
