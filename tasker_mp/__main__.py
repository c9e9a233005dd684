"""`python -m tasker_mp` is the command `tasker-mp`."""

from tasker_mp.cli import main

if __name__ == "__main__":
    main()
