"""The rack: one QEMU guest holding a hypervisor, two directors, real servers, a router, a client.

Standard library only: it runs with a bare Debian `python3`, before any virtual
environment exists. `python3 -m lab` is the command, `lab.rack.Rack` the Python API.
"""
