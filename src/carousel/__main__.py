"""`python -m carousel`: the command line, where its script is not on the PATH."""

from carousel.cli import main

if __name__ == "__main__":
    main()
