"""A fake API for the Notion API with invented data, good enough to develop against without an account.

What it imitates is in Notion's reference: https://developers.notion.com/reference
"""
