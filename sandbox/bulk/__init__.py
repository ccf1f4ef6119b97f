"""Many rows for measuring, made as they are asked for, so that neither their number nor the server slows the reading down."""
