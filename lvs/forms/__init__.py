"""The forms of load balancing, one file a noun."""
