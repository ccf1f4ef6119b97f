"""Converts telephone numbers to E.164 (+ and digits), with a library that knows the numbering plan of every country.

If the country of a number is not known, it is not guessed, and the number has no E.164 form. Only the length of a number is
checked, and not whether it is assigned, because the library's plans may be older than the newest numbers.
"""

import phonenumbers

from reporting.settings import PREFIX, Problem, SettingError


def check_region(region: str | None) -> None:
    """Raise `SettingError` if the default region is not a country."""
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise SettingError(
            Problem(
                f"{PREFIX}DEFAULT_REGION",
                f"is '{region}', which is not a country with a telephone plan; it takes the two letters of a country, such "
                "as DE or GB",
            )
        )


def e164(number: str | None, canonical: str | None = None, default_region: str | None = None) -> str | None:
    """The E.164 form of a typed number, without its extension; None if it is not known.

    The country comes from the number itself, or else from `canonical` (the source's own international form, if it has one),
    or else from the default.
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
