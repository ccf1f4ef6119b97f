"""What the query string of a request says. Every function raises `ApiError` for what Google refuses."""

from starlette.requests import Request

from sandbox.google import schema
from sandbox.google.errors import ApiError
from sandbox.google.schema import Json

LONGEST_PAGE = 1000
# https://cloud.google.com/apis/docs/system-parameters
SYSTEM_PARAMETERS = ("alt", "key", "prettyPrint", "quotaUser")
VALID_PATHS = "Valid paths are documented at https://developers.google.com/people/api/rest/v1/people/get."


def query_of(request: Request, *names: str, repeated: tuple[str, ...] = ()) -> Json:
    """The parameters that were given a value. Raises `ApiError` for one that the method does not have."""
    query = request.query_params
    for name in query:
        if name not in (*names, *repeated, *SYSTEM_PARAMETERS):
            said = f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.'
            raise ApiError(400, said)
    found: Json = {name: query[name] for name in names if query.get(name)}
    return found | {name: query.getlist(name) for name in repeated if query.getlist(name)}


def person_mask_of(query: Json) -> frozenset[str]:
    """The fields of a person that are asked for; at least one must be."""
    mask = frozenset(filter(None, query.get("personFields", "").split(",")))
    if not mask:
        said = f"personFields mask is required. Please specify one or more valid paths. {VALID_PATHS}"
        raise ApiError(400, said)
    if unknown := sorted(mask - set(schema.PERSON_FIELDS)):
        raise ApiError(400, f'Invalid personFields mask path: "{unknown[0]}". {VALID_PATHS}')
    return mask


def sources_of(query: Json) -> list[str]:
    """The kinds of sources that are read from, all unless told."""
    given = [each for value in query.get("sources", schema.SOURCES) for each in value.split(",")]
    if unknown := sorted(set(given) - set(schema.SOURCES)):
        raise ApiError(400, f"Invalid value at 'sources' (ReadSourceType), \"{unknown[0]}\"")
    return sorted({schema.SOURCES[each] for each in given})


def page_size_of(query: Json, default: int) -> int:
    """How many results a page has at the most."""
    given = query.get("pageSize", "0")
    try:
        size = int(given)
    except ValueError:
        raise ApiError(400, f"Invalid value at 'page_size' (TYPE_INT32), \"{given}\"") from None
    if not 0 <= size <= LONGEST_PAGE:
        raise ApiError(400, f"Page size must be between 1 and {LONGEST_PAGE}.")
    return size or default


def flag_of(query: Json, name: str) -> bool:
    """A parameter that is true or false; false unless it is given."""
    given = query.get(name, "false")
    if given not in ("true", "false"):
        raise ApiError(400, f"Invalid value at '{name}' (TYPE_BOOL), \"{given}\"")
    return bool(given == "true")


def mismatch(token: str) -> str:
    """The reference says only that this is so, and not in which words it is refused."""
    return f"Request parameters must match those of the first call that provided the {token}."
