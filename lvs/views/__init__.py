"""The pages of load balancing, one file a noun."""
