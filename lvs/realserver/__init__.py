"""What a real server needs for its forwarding method, put in place on the machine itself,
kept over a reboot, and undone when the last service leaves. PURE: values in, steps out."""
