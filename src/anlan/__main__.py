"""``python -m anlan`` is the `anlan` command."""

import sys

from .cli import main

sys.exit(main())
