"""What runs on the client that proves a VIP. PURE: `client.py` is sent there as it is."""
