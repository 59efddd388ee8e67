"""What a director needs around its IPVS table: VIPs, forwarding, and a table that survives
a reboot. PURE: values in, steps out."""
