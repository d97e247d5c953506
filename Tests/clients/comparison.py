"""What the programs that compare a direct run with one through the gateway share: their arguments and their last line."""

import argparse


def arguments_of(description, only, verbose=None):
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("direct")
    parser.add_argument("gateway")
    if verbose:
        parser.add_argument("--verbose", action="store_true", help=verbose)
    parser.add_argument("--only", default="", help=f"only {only} that matches this regular expression")
    return parser.parse_args()


def first_pair(direct, gateway):
    """The index of the first two that differ; None when one side has only more of them."""
    return next((index for index, (ours, theirs) in enumerate(zip(direct, gateway)) if ours != theirs), None)


def conclude(compared, different):
    """Prints the last line; the exit code."""
    print(f"{compared} compared, {different} different")
    return 1 if different else 0
