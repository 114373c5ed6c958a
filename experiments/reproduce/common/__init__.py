"""Parts that the figures of several sources share."""
