"""The base class of a part of the settings, which is a group of variables that are validated together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from reporting.settings.errors import Problem

ROOT = Path(__file__).resolve().parents[3]
PREFIX = "REPORTING_"
ADDRESSES = "e-mail addresses with commas between them, or none"


@dataclass(frozen=True, slots=True)
class Variable:
    """The documentation of one variable. A star in `name` stands for any raw table or source.

    `default` is the text that one would write to get the default (None if there is no such text); `default_words`
    describes the default to readers.
    """

    name: str
    description: str
    takes: str
    default: str | None
    default_words: str
    is_shown: bool

    @property
    def plain_takes(self) -> str:
        """What values the variable takes, without Markdown's backticks."""
        return self.takes.replace("`", "")

    def value_in(self, texts: Mapping[str, str]) -> str | dict[str, str] | None:
        """The value of this variable in `texts`. For a name with a star: all values, keyed by what replaces the star,
        in lower case."""
        start, star, end = self.name.partition("*")
        if not star:
            return texts.get(self.name)
        return {
            name.removeprefix(start).removesuffix(end).lower(): text
            for name, text in texts.items()
            if self.is_name_of(name)
        }

    def is_name_of(self, name: str) -> bool:
        """Whether `name` is this variable's name, or matches it with something in place of the star."""
        start, star, end = self.name.partition("*")
        if not star:
            return name == self.name
        return name.startswith(start) and name.endswith(end) and len(name) > len(start) + len(end)


def variable(
    name: str,
    description: str,
    takes: str,
    default: Any = None,
    *,
    text: str | None = None,
    words: str | None = None,
    is_shown: bool = True,
    **rules: Any,
) -> Any:
    """A field for the variable `name`.

    `text` is the default as one would write it and `words` is the default as the documents describe it, where these
    differ from `default`. With `is_shown=False` no message quotes the value.
    """
    text = str(default) if text is None and isinstance(default, str | int | float) and default != "" else text
    words = words or (f"`{text}`" if text is not None else "none")
    # `json_schema_extra` is the place where Pydantic lets a field carry data of ours; no JSON schema is made of it.
    extra: Any = {"variable": Variable(name, description, takes, text, words, is_shown)}
    if "default_factory" not in rules:
        rules["default"] = default
    return Field(alias=name, description=description, json_schema_extra=extra, **rules)


def number(
    name: str, description: str, default: float, least: float, most: float, *, is_optional: bool = False
) -> Any:
    """A field for a number between `least` and `most`, or `none` if it `is_optional`."""
    rules: dict[str, Any] = {"allow_inf_nan": False} if isinstance(default, float) else {}
    kind = "number" if rules else "whole number"
    takes = f"a {kind} between {least} and {most}{', or none' if is_optional else ''}"
    return variable(name, description, takes, default, ge=least, le=most, **rules)


def family(name: str, description: str, takes: str, *, is_shown: bool = True) -> Any:
    """A field for all variables whose names match `name`, keyed by what replaces the star, in lower case."""
    return variable(name, description, takes, is_shown=is_shown, default_factory=dict)


class Part(BaseSettings):
    """Variables that are validated together. Values are passed in; the process's environment is not read."""

    model_config = SettingsConfigDict(
        frozen=True, case_sensitive=True, validate_default=False, defer_build=True
    )
    # The heading of the part in the documents.
    TITLE: ClassVar[str]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use only the values that are passed in, and none of pydantic-settings' other sources."""
        return (init_settings,)

    @classmethod
    @cache
    def variables(cls) -> dict[str, Variable]:
        """The variables of this part, by name."""
        extras: list[Any] = [field.json_schema_extra for field in cls.model_fields.values()]
        return {each["variable"].name: each["variable"] for each in extras}

    @classmethod
    def texts_in(cls, given: Mapping[str, str]) -> dict[str, str]:
        """The entries of `given` that are variables of this part."""
        variables = cls.variables()
        families = [each for name, each in variables.items() if "*" in name]
        return {
            name: text
            for name, text in given.items()
            if name in variables or (families and any(each.is_name_of(name) for each in families))
        }

    @classmethod
    def rules(cls, given: Mapping[str, str]) -> Iterator[Problem]:
        """Yield errors that concern several variables together. `given` has the texts of all that are not empty."""
        yield from ()
