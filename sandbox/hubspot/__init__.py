"""A fake API for HubSpot's CRM API with invented data.

What it imitates is in HubSpot's reference: https://developers.hubspot.com/docs/api-reference
"""
