"""Telephone numbers in one form, E.164 (+ and digits), by the library that knows every country's plan.

A number whose country nobody tells has none: it is not guessed. Whether a number is in use is not asked, because the
plans that the library knows are older than the newest numbers; its length must be possible.
"""

import phonenumbers

from reporting.settings import PREFIX, SettingError


def check_region(region: str | None) -> None:
    """Raise `SettingError` for a default region that is no country's."""
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise SettingError(
            f"{PREFIX}DEFAULT_REGION is '{region}', which is no country with a telephone plan; it takes the two "
            "letters of one, such as DE or GB."
        )


def e164(number: str | None, canonical: str | None = None, default_region: str | None = None) -> str | None:
    """The E.164 form of a number as typed, without its extension; None when it cannot be told.

    A country is told by the number itself, else by `canonical`, the source's own form if it has one, else by the default.
    """
    for text, region in ((number, None), (canonical, None), (number, default_region)):
        if not text:
            continue
        try:
            parsed = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE:
            return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    return None
