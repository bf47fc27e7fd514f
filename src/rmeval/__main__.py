"""``rmeval``, and ``python -m rmeval``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is being loaded is no traceback either."""
    try:
        from rmeval.cli import main as run
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)  # ``ExitCode.INTERRUPTED``, which may not be loaded yet.
    run()


if __name__ == "__main__":
    main()
