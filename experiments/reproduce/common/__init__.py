"""What the figures of several sources share."""
