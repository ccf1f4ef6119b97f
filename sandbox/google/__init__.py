"""A stand-in for Google's People API and its OAuth endpoints, with invented data.

What it imitates is in Google's reference: https://developers.google.com/people/api/rest
"""

# Whoever signs in unless it is told otherwise; none of it opens anything.
AUTHORIZED_USER = {
    "client_id": "1-invented.apps.googleusercontent.com",
    "client_secret": "invented-client-secret",
    "refresh_token": "1//invented-refresh-token",
}
