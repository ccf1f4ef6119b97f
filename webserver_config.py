"""Sign-in of Airflow's web interface, read by the FAB auth manager: accounts in the metadata database.

There is no public role, and nobody registers by themselves. The settings are Flask-AppBuilder's:
https://flask-appbuilder.readthedocs.io/en/latest/config.html
"""

from flask_appbuilder.const import AUTH_DB

AUTH_TYPE = AUTH_DB
AUTH_USER_REGISTRATION = False
AUTH_RATE_LIMITED = True
AUTH_RATE_LIMIT = "10 per minute"
RATELIMIT_STORAGE_URI = "memory://"
WTF_CSRF_ENABLED = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
