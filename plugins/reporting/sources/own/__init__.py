"""Sources of the owner's own, one package each. It is empty in the project, so that an upgrade has nothing to merge here."""
