"""`python -m tradeveil` is the command `tradeveil`."""

from tradeveil.cli import main

if __name__ == "__main__":
    main()
