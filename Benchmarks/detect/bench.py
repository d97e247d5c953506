"""Measures detectors, Vectorscan and Presidio in turn, and writes the section into BENCHMARKS.md."""

import argparse
import json
import statistics
import subprocess
import sys
from datetime import datetime, timezone

import presidio

BEGIN, END = "<!-- bench:detect begin -->", "<!-- bench:detect end -->"
CHECKED = "credit-card iban de-steuer-id fr-nir es-dni it-codice-fiscale nl-bsn be-rijksregister pl-pesel pt-nif se-personnummer dk-cpr fi-hetu ro-cnp bg-egn cz-rodne-cislo at-svnr ee-lt-personal-code hr-oib ie-pps si-emso".split()


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def speeds(options):
    """GB/s of each engine on each file, by round; engines in turn, so that a round's ratios are of one moment."""
    files = ["few", "many", "prose"]
    paths = [f"{options.work}/{name}.txt" for name in files]
    engines = {"Sallyport": [f"{options.work}/detect", "speed", *paths], "Vectorscan": [f"{options.work}/vectorscan", options.patterns, *paths]}
    measured = {(engine, name): [] for engine in engines for name in files}
    for _ in range(options.rounds):
        for engine, command in engines.items():
            for name, line in zip(files, run(*command).splitlines()):
                result = json.loads(line)
                measured[engine, name].append(result["bytes"] / result["seconds"] / 1e9)
    return measured


def ours(options, samples):
    def escaped(text):
        return (text or "").replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    lines = "".join(f"{escaped(s['label'])}\t{escaped(s['text'])}\n" for s in samples)
    return [json.loads(line) for line in run(f"{options.work}/detect", "quality", input=lines).splitlines()]


def scores(samples, findings):
    """Right, wrong and missed by kind; right is the kind and both ends."""
    result = {}
    for sample, found in zip(samples, findings):
        wanted = [tuple(span) for span in sample["spans"]]
        for span in {tuple(f[:3]) for f in found}:
            score = result.setdefault(span[2], [0, 0, 0])
            if span in wanted:
                wanted.remove(span)
                score[0] += 1
            else:
                score[1] += 1
        for span in wanted:
            result.setdefault(span[2], [0, 0, 0])[2] += 1
    return result


def rates(score):
    right, wrong, missed = score
    return (right / (right + wrong) if right + wrong else 1.0), (right / (right + missed) if right + missed else 1.0)


def best(samples, findings):
    """At the threshold of its own score that suits each kind best (by the harmonic mean of precision and recall)."""
    def worth(score):
        precision, recall = rates(score)
        return 2 * precision * recall / (precision + recall) if precision + recall else 0
    result = {}
    for threshold in (0.0, 0.1, 0.3, 0.4, 0.5, 0.6, 0.8):
        for kind, score in scores(samples, [[f for f in found if f[3] >= threshold] for found in findings]).items():
            if kind not in result or worth(score) > worth(result[kind]):
                result[kind] = score
    return result


def lowest(options, seeds):
    """Of each kind the lowest precision and recall of several seeds, with 1,000 values of each kind; and the seed."""
    result = {}
    for seed in seeds:
        corpus = run("python3", "-B", "fixtures/detect/generate.py", "--seed", str(seed), "--each", "1000")
        samples = [json.loads(line) for line in corpus.splitlines()]
        for kind, score in scores(samples, ours(options, samples)).items():
            before = result.get(kind, (2.0, 2.0))
            result[kind] = tuple(min(pair) for pair in zip(before, rates(score)))
    return result


def spread(values, digits=2):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def report(options):
    measured = speeds(options)
    samples = [json.loads(line) for line in open(f"{options.work}/corpus.jsonl")]
    mine = scores(samples, ours(options, samples))
    of_seeds = lowest(options, range(1, 21))
    texts = [sample["text"] for sample in samples]
    findings, seconds = presidio.analyse(texts)
    theirs = best(samples, findings)
    size = sum(len(text.encode()) for text in texts)
    yield f"- Command: `make bench`, {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC; {options.rounds} rounds"
    yield f"- Corpus: {len(samples):,} texts of `fixtures/detect`, held-out sentences, seed 1"
    yield from ("", "**Bars**", "", "| requirement | bar | measured | met |", "| --- | ---: | ---: | ---: |")
    for name, words in (("few", "5 % of rows with personal data"), ("many", "60 %")):
        ratios = [a / b for a, b in zip(measured["Sallyport", name], measured["Vectorscan", name])]
        yield f"| result rows, {words}, all 39 kinds, one core | ≥ 3 × Vectorscan's | {spread(ratios)} | {met(statistics.median(ratios) >= 3)} |"
    prose = measured["Sallyport", "prose"]
    yield f"| text with no digit and no @ | ≥ 1 GB/s | {spread(prose)} GB/s | {met(statistics.median(prose) >= 1)} |"
    for words, kinds, bar in (("with check digits", CHECKED, 0.98), ("of the others", [k for k in mine if k not in CHECKED], 0.95)):
        worst = min((min(of_seeds[kind]), kind) for kind in kinds)
        yield f"| precision and recall of each kind {words}, 20 seeds | ≥ {bar} | lowest {worst[0]:.3f} ({worst[1]}) | {met(worst[0] >= bar)} |"
    yield from ("", "**GB/s on one core, a row at a time**", "", "|  | 5 % | 60 % | prose |", "| --- | ---: | ---: | ---: |")
    for engine, words in (("Sallyport", "Sallyport: spans, check digits, words around"), ("Vectorscan", "Vectorscan, 30 patterns: ends only")):
        yield f"| {words} | " + " | ".join(spread(measured[engine, name]) for name in ("few", "many", "prose")) + " |"
    yield f"| Presidio, {len(list(presidio.recognizers()))} pattern recognisers, the corpus | {size / seconds / 1e9:.6f} | | |"
    yield from ("", "**Precision and recall on the corpus**", "", "| kind | precision | recall | lowest of 20 seeds | recall | Presidio's precision | recall |", "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for kind in sorted(mine, key=lambda kind: (kind not in CHECKED, kind)):
        other = rates(theirs[kind]) if kind in presidio.ENTITIES.values() else None
        row = [f"{value:.3f}" for value in (*rates(mine[kind]), *of_seeds[kind])] + ([f"{value:.3f}" for value in other] if other else ["–", "–"])
        yield f"| {kind} | " + " | ".join(row) + " |"


def met(is_met):
    return "**yes**" if is_met else "**no**"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("--patterns", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    lines = list(report(options))
    print("\n".join(lines))
    page = open("BENCHMARKS.md", encoding="utf-8").read()
    if BEGIN not in page:
        sys.exit("BENCHMARKS.md has no place for the detectors")
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    with open("BENCHMARKS.md", "w", encoding="utf-8") as file:
        file.write(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)


if __name__ == "__main__":
    main()
