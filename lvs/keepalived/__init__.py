"""keepalived.conf, read and written: text to frozen values and back. PURE; nothing is run.

The syntax is that of keepalived.conf(5), version 2.2.7, as its own parser was seen to take it.
"""
