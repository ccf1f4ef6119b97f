"""Writes and sends e-mails, each of them once.

server.py       the mail server of the environment, and what is said when it refuses
emails.py      an e-mail as a message of RFC 5322
attachments.py  an export as attachments that mail servers take
messages.py     the record of what was sent
sending.py      each e-mail once, by the record of what was sent
week.py         what the e-mail about a week tells
summary.py      the week, from the marts
rendering.py    the week as HTML and as text
"""
