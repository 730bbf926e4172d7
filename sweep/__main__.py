"""``python -m sweep`` is ``mrisweep``."""

import sys

from sweep.cli import main

sys.exit(main())
