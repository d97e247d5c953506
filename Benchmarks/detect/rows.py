"""Result rows as text, tab-separated, about 90 bytes each; and prose without a digit and without an @."""

import datetime
import glob
import random
import re
import sys

sys.path.insert(0, "fixtures/detect")
from values import KINDS, NAMES, SURNAMES, digits, pick  # noqa: E402

WORDS = "the quick brown fox jumps over a lazy dog while seven keepers watch silent rivers under a pale moon".split()
PERSONAL = ["email", "phone", "credit-card", "iban", "us-ssn"]


def row(r, share):
    moment = datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=r.randrange(10**8))
    fields = [str(r.randrange(10**6)), f"{r.choice(NAMES).title()} {r.choice(SURNAMES).title()}", r.choice(["open", "paid", "shipped"]),
              f"{r.randrange(10**4)}.{digits(r, 2)}", str(moment),
              pick(r, "0123456789abcdef", 32) if r.random() < 0.2 else " ".join(r.choice(WORDS) for _ in range(5)), r.choice("tf")]
    if r.random() < share:
        fields.insert(r.randrange(1, 7), KINDS[r.choice(PERSONAL)](r))
    return "\t".join(fields)


def main(folder):
    r = random.Random(7)
    for name, share in (("few", 0.05), ("many", 0.6)):
        with open(f"{folder}/{name}.txt", "w") as file:
            file.writelines(row(r, share) + "\n" for _ in range(150_000))
    prose = "".join(open(name, errors="replace").read() for name in sorted(glob.glob("/usr/share/common-licenses/*")))
    prose = re.sub("[0-9@]", "", prose)
    with open(f"{folder}/prose.txt", "w") as file:
        file.write(prose * (16_000_000 // len(prose) + 1))


if __name__ == "__main__":
    main(sys.argv[1])
