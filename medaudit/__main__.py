"""``python -m medaudit``."""

from medaudit.cli import main

if __name__ == "__main__":
    main()
