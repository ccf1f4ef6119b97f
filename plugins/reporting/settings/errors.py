"""Errors in settings. Their messages never show the value of a secret."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """An error in one variable. `text` is the rest of a sentence that begins with the variable's name, without the full stop."""

    variable: str
    text: str

    def __str__(self) -> str:
        return f"{self.variable} {self.text}{'' if self.text.endswith('?') else '.'}"


class SettingError(ValueError):
    """Some settings have values that cannot be used. The message has one line per variable: what is wrong and what it takes.

    `problems` are the same errors as objects.
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
