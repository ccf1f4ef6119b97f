"""What stands in for the cloud on one's own machine."""
