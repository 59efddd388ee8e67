"""`python3 -m lab COMMAND`."""

import sys

from lab.cli import main

sys.exit(main(sys.argv[1:]))
