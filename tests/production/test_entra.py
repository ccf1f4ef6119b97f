"""Sign-in with Microsoft Entra: what the running server sends people to, and who becomes what."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from reporting.local.bigquery import LocalBigQuery
from reporting.settings import ROOT
from tests.support import postgres
from tests.support.production_server import FRONT_END, Production

pytestmark = pytest.mark.heavy
TENANT = "01234567-89ab-cdef-0123-456789abcdef"
CLIENT = "fedcba98-7654-3210-fedc-ba9876543210"
SECRET = "secret-of-the-registration"
# Microsoft's keys come from the network, so a key made here stands for them.
PROGRAM = """
import time
from authlib.jose import JsonWebKey, jwt
from authlib.jose.errors import InvalidClaimError, BadSignatureError
from airflow.providers.fab.www.app import create_app
from airflow.api_fastapi.app import create_auth_manager

create_auth_manager().init()
app = create_app(enable_plugins=False)
TENANT, CLIENT = "{tenant}", "{client}"
ours, other = (JsonWebKey.generate_key("RSA", 2048, {{"kid": "1"}}, is_private=True) for _ in range(2))

def id_token(key=ours, **claims):
    issuer = f"https://login.microsoftonline.com/{{TENANT}}/v2.0"
    now = int(time.time())
    given = {{"iss": issuer, "aud": CLIENT, "exp": now + 60, "iat": now, "oid": "1", "email": "a@example.org"}}
    return jwt.encode({{"alg": "RS256", "kid": "1"}}, given | claims, key).decode()

with app.test_request_context():
    manager = app.appbuilder.sm
    manager.sync_roles()
    manager._get_microsoft_jwks = lambda *_: {{"keys": [ours.as_dict()]}}

    def sign_in(**claims):
        info = manager.get_oauth_user_info("azure", {{"id_token": id_token(**claims)}})
        user = manager.auth_user_oauth(info, rotate_session_id=False)
        return sorted(role.name for role in user.roles)

    for role in ("Admin", "Op", "User", "Viewer"):
        assert sign_in(oid=role, email=f"{{role}}@example.org", roles=[role]) == sorted(["Public", role]), role
    assert sign_in(oid="none", email="none@example.org") == ["Public"]
    # A role that was taken away is gone with the next sign-in.
    assert sign_in(oid="Admin", email="Admin@example.org", roles=["Viewer"]) == ["Public", "Viewer"]
    assert sign_in(oid="Admin", email="Admin@example.org", roles=["Root"]) == ["Public"]
    for refused in (
        {{"iss": f"https://login.microsoftonline.com/{{CLIENT}}/v2.0"}}, {{"aud": TENANT}}, {{"key": other}}, {{"exp": 1}}
    ):
        try:
            sign_in(**refused)
        except Exception as error:
            print("refused", type(error).__name__)
        else:
            raise SystemExit(f"accepted {{refused}}")
print("done")
"""


@pytest.fixture(scope="module")
def entra(
    cluster: postgres.Cluster, bigquery_endpoint: LocalBigQuery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Production]:
    """Production with Microsoft Entra."""
    production = Production(
        cluster.url(),
        tmp_path_factory.mktemp("entra"),
        bigquery_endpoint,
        REPORTING_ENTRA_TENANT_ID=TENANT,
        REPORTING_ENTRA_CLIENT_ID=CLIENT,
        REPORTING_ENTRA_CLIENT_SECRET=SECRET,
    )
    try:
        production.start()
        yield production
    finally:
        production.kill()


def test_people_are_sent_to_their_tenant_and_back_by_https(entra: Production) -> None:
    answer = httpx.get(f"{entra.address}/auth/login/azure", headers=FRONT_END, timeout=120)
    assert answer.status_code == 302
    target = urlsplit(answer.headers["location"])
    asked = {name: values[0] for name, values in parse_qs(target.query).items()}
    assert (target.scheme, target.hostname) == ("https", "login.microsoftonline.com")
    assert target.path == f"/{TENANT}/oauth2/v2.0/authorize"
    assert asked["client_id"] == CLIENT
    assert asked["redirect_uri"] == "https://reporting.example/auth/oauth-authorized/azure"
    assert asked["code_challenge_method"] == "S256"
    assert asked["code_challenge"]
    assert asked["state"]
    assert SECRET not in answer.text + answer.headers["location"]


def test_there_is_no_local_account_and_no_form_for_one(entra: Production, cluster: postgres.Cluster) -> None:
    with cluster.connect() as cursor:
        cursor.execute("SELECT COUNT(*) FROM ab_user")
        assert cursor.fetchone() == (0,)
    page = httpx.get(f"{entra.address}/auth/login/", headers=FRONT_END, timeout=120, follow_redirects=False)
    assert 'type="password"' not in page.text
    body = {"username": "admin", "password": entra.environment["REPORTING_ADMIN_PASSWORD"]}
    assert httpx.post(f"{entra.address}/auth/token", json=body, timeout=120).status_code == 401
    assert httpx.get(f"{entra.address}/api/v2/dags", timeout=120).status_code == 401


def test_app_roles_become_roles_and_only_the_tenants_own_tokens_count(
    entra: Production, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            ROOT / ".venv" / "airflow" / "bin" / "python",
            "-W",
            "ignore",
            "-c",
            PROGRAM.format(tenant=TENANT, client=CLIENT),
        ],
        env=entra.airflow_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("refused") == 4
    assert done.stdout.endswith("done\n")
