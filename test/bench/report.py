"""What the benchmark drivers share: tables, the machine, the page they go to."""
import os
import re
import shutil
import statistics
import subprocess

median = statistics.median


def pinned(core, command):
    """The command on one core, where taskset is there."""
    return ["taskset", "-c", str(core)] + command if shutil.which("taskset") else command


def one_thread():
    """An environment in which no library starts threads."""
    return dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1",
                PYTHONDONTWRITEBYTECODE="1")


def quantity(x):
    """Three digits or so: 1,490,000; 12.3; 0.051."""
    if x >= 1000:
        unit = 10 ** (len(str(int(x))) - 3)
        return format(int(round(x / unit) * unit), ",")
    return "%.0f" % x if x >= 100 else "%.1f" % x if x >= 10 else "%.2g" % x


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head)] + rows
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine():
    """Processor and system in a few words."""
    processor = re.search(r"^Model name:\s*(.*)$", output_of("lscpu"), re.M)
    family = re.search(r"^CPU family:\s*(.*)$", output_of("lscpu"), re.M)
    system = re.search(r'^PRETTY_NAME="?([^"\n]*)', output_of("cat", "/etc/os-release"), re.M)
    return "%s%s, %d cores, %s" % (processor.group(1) if processor else "unknown processor",
                                   " (family %s)" % family.group(1) if family else "",
                                   os.cpu_count(), system.group(1) if system else os.uname().sysname)


def page_write(page, part, text):
    """Replaces what the page has between the markers of that part."""
    begin, end = "<!-- begin %s -->" % part, "<!-- end %s -->" % part
    with open(page) as file:
        before, _, rest = file.read().partition(begin)
        _, _, after = rest.partition(end)
    if not rest:
        raise SystemExit("%s has no %s" % (page, begin))
    with open(page, "w") as file:
        file.write(before + begin + "\n" + text.strip() + "\n" + end + after)
