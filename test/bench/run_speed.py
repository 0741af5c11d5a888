#!/usr/bin/env python3
"""The jobs of bench_train, beside PyTorch where it is installed.

usage: run_speed.py BENCH_TRAIN [--python PYTHON] [--reps N] [--jobs a,b] [--page PAGE]

For each job one process per set of kernels, and one of PyTorch, are started on
the same core, with the same numbers, weights and order of windows.  They take
turns: one repetition each, in rotating order, N rounds after one to warm up.
The tables hold medians of processor time (equal to wall time on a quiet
machine; both are printed as it runs).  After each round the losses of all are
compared.  Needs nothing but Python; PYTHON is one that has PyTorch.
"""
import argparse
import array
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile

from report import machine, median, one_thread, page_write, pinned, quantity, table

HERE = os.path.dirname(os.path.abspath(__file__))
JOBS = "a,b,c,d,e,e64,f,g1,g2,g3"
FORECASTS = ("g1", "g2", "g3")
LARGE = ("e64",)            # seconds in a round: two rounds, with the best kernels only
TOLERANCE = 1e-3
PARTS = ("forward products", "backward products", "weight gradients", "gates", "packing", "optimiser",
         "gathering", "rest")


class Worker:
    """A process that does one repetition when told."""

    def __init__(self, core, command):
        self.process = subprocess.Popen(pinned(core, command), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=one_thread())
        self.about = json.loads(self.answer())
        self.runs = []

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a worker ended: %s" % self.process.args)
        return line

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return json.loads(self.answer())

    def run(self):
        self.runs.append(self.ask("run"))

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def seconds(self, clock="cpu"):
        """Median of all but the first, which warmed up."""
        return median(run[clock] for run in self.runs[1:])


def kernels_there(program):
    """Sets of kernels that run here, the best one first."""
    there = []
    for name in ("avx512", "avx2", "generic"):
        command = [program, "serve", "a", name, "-"]
        if subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
            there.append(name)
    return there


def values_read(worker, folder):
    name = os.path.join(folder, "values")
    worker.ask("values " + name)
    values = array.array("d")
    with open(name, "rb") as file:
        values.frombytes(file.read())
    return values


def difference(name, ours, torch, folder):
    """Largest relative difference of the losses after each round, or of the forecasts."""
    if name in FORECASTS:
        a, b = values_read(ours, folder), values_read(torch, folder)
        return max(abs(x - y) for x, y in zip(a, b)) / max(abs(y) for y in b)
    return max(abs(x["loss"] - y["loss"]) / abs(y["loss"]) for x, y in zip(ours.runs, torch.runs))


def job_measure(arguments, name, kernels):
    with tempfile.TemporaryDirectory() as folder:
        dump = os.path.join(folder, "job")
        ours = [Worker(arguments.core, [arguments.program, "serve", name, k, dump if i == 0 else "-"])
                for i, k in enumerate(kernels)]
        workers = list(ours)
        torch = None
        if arguments.python:
            torch = Worker(arguments.core, [arguments.python, os.path.join(HERE, "torch_worker.py"), dump])
            workers.append(torch)
        peaks = [[] for _ in ours]
        for i in range((min(arguments.reps, 2) if name in LARGE else arguments.reps) + 1):
            for k in range(len(workers)):
                workers[(i + k) % len(workers)].run()
            for worker, peak in zip(ours, peaks):
                peak.append(worker.ask("peak"))
        about = ours[0].about
        result = {"job": name, "what": about["what"], "batch": about["batch"], "kernels": [], "torch": None,
                  "compiler": about["compiler"], "allocations": max(run["allocations"] for w in ours for run in w.runs[1:]),
                  "resident": ours[0].runs[-1]["resident"]}
        for worker, peak in zip(ours, peaks):
            rate = about["windows"] / worker.seconds()
            result["kernels"].append({
                "name": worker.about["kernels"], "rate": rate, "gflops": 1e-9 * about["flops"] * rate,
                "peak": median(peak), "wall": worker.seconds("wall"), "cpu": worker.seconds()})
        if torch:
            rate = about["windows"] / torch.seconds()
            result["torch"] = {
                "rate": rate, "gflops": 1e-9 * about["flops"] * rate, "version": torch.about["version"],
                "resident": torch.runs[-1]["resident"], "wall": torch.seconds("wall"), "cpu": torch.seconds(),
                "losses": [run["loss"] for run in torch.runs],
                "difference": max(difference(name, w, torch, folder) for w in ours)}
        for worker in workers:
            worker.close()
        return result


def progress(result):
    for k in result["kernels"] + ([dict(result["torch"], name="pytorch")] if result["torch"] else []):
        print("%-3s %-8s %10s /s %7.1f GFLOP/s   cpu %.4f s, wall %.4f s" % (
            result["job"], k["name"], quantity(k["rate"]), k["gflops"], k["cpu"], k["wall"]), file=sys.stderr)
    if result["torch"]:
        d = result["torch"]["difference"]
        print("%-3s %slargest relative difference %.1e: %s" % (
            result["job"], "" if result["job"] in FORECASTS else "losses after each round %s; " % " ".join(
                "%.6f" % loss for loss in result["torch"]["losses"]), d, "ok" if d <= TOLERANCE else "NOT ok, above %g" % TOLERANCE), file=sys.stderr)


def main_table(results):
    rows = []
    for r in results:
        k, t = r["kernels"][0], r["torch"]
        rows.append([r["job"], r["what"], quantity(k["rate"]), quantity(t["rate"]) if t else "",
                     "**%.1f**" % (k["rate"] / t["rate"]) if t else "",
                     "%.0f" % k["gflops"] if k["gflops"] >= 10 else "%.1f" % k["gflops"],
                     "%.0f %%" % (100 * k["gflops"] / k["peak"]), "%.1f" % t["gflops"] if t else "",
                     "%.0e" % t["difference"] if t else "",
                     r["allocations"], "%.0f" % r["resident"], "%.0f" % t["resident"] if t else ""])
    return table(["job", "what", "windows/s", "PyTorch", "ratio", "GFLOP/s", "of the peak",
                  "PyTorch's GFLOP/s", "difference", "allocations", "MB", "PyTorch's MB"], rows)


def steps_text(results):
    """What a step of the large jobs takes."""
    return "".join("A step of %s, %d windows: %.0f ms%s.\n\n" % (
        r["job"], r["batch"], 1000 * r["batch"] / r["kernels"][0]["rate"],
        ", PyTorch %.0f ms" % (1000 * r["batch"] / r["torch"]["rate"]) if r["torch"] else "")
        for r in results if r["job"] in LARGE)


def kernels_table(results, names):
    rows = []
    for r in results:
        row = [r["job"]]
        for k in r["kernels"]:
            row += [quantity(k["rate"]), "%.2f" % (k["rate"] / r["torch"]["rate"]) if r["torch"] else "",
                    "%.0f %%" % (100 * k["gflops"] / k["peak"])]
        rows.append(row + [""] * (1 + 3 * len(names) - len(row)))
    head = ["job"]
    for name in names:
        head += ["%s: windows/s" % name, "ratio", "of its peak"]
    return table(head, rows)


def profile_table(arguments):
    lines = subprocess.run(pinned(arguments.core, [arguments.program, "profile", "auto"]), check=True,
                           capture_output=True, text=True, env=one_thread()).stdout.splitlines()
    rows = []
    for line in lines:
        job = json.loads(line)
        if job["job"] in arguments.jobs:
            rows.append([job["job"]] + ["%.0f %%%s" % (
                100 * p["share"], " (%.0f)" % p["gflops"] if p["gflops"] > 0 else "") for p in job["parts"]])
    return table(["job"] + list(PARTS), rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--python", help="a Python with PyTorch")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--jobs", default=JOBS)
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1)
    parser.add_argument("--page", help="write the tables into this page")
    arguments = parser.parse_args()
    arguments.jobs = arguments.jobs.split(",")

    names = kernels_there(arguments.program)
    results = []
    for job in arguments.jobs:
        results.append(job_measure(arguments, job, names[:1] if job in FORECASTS + LARGE else names))
        progress(results[-1])
    peaks = {k["name"]: k["peak"] for r in results for k in r["kernels"]}
    torch = next((r["torch"]["version"] for r in results if r["torch"]), None)
    text = "%s. %s. Compiled by %s. %s; Python %s. Multiply-add peak of one core, measured in the same run: %s.\n\n%s\n\n%s%s\n\n%s\n" % (
        datetime.date.today(), machine(), results[0]["compiler"], "PyTorch " + torch if torch else "No PyTorch here",
        platform.python_version(),
        ", ".join("%.0f GFLOP/s with %s" % (peak, name) for name, peak in peaks.items()),
        main_table(results), steps_text(results), kernels_table([r for r in results if r["job"] not in FORECASTS + LARGE], names),
        profile_table(arguments))
    print(text)
    worst = max([r["torch"]["difference"] for r in results if r["torch"]], default=0)
    if worst > TOLERANCE:
        raise SystemExit("losses or forecasts differ by %.1e, more than %g" % (worst, TOLERANCE))
    if arguments.page:
        page_write(arguments.page, "speed", text)


main()
