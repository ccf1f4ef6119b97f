"""Letters: who gets them, what they are made of, and that each is sent once.

server.py       the mail server of the environment, and what is said when it refuses
letters.py      a letter as a message of RFC 5322
attachments.py  an export as attachments that mail servers take
sending.py      each letter once, by the record of what was sent
summary.py      the week, from the marts
rendering.py    the week as HTML and as text
"""
