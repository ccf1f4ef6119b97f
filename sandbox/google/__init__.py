"""A stand-in for Google's People API and its OAuth endpoints, with invented data.

What it imitates is in Google's reference: https://developers.google.com/people/api/rest
"""
