"""`python -m scenebook`."""

import sys

from scenebook.cli import main

sys.exit(main())
