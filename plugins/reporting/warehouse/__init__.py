"""The warehouse: its tables, the load of a landing into them, and the ledger of what was loaded."""
