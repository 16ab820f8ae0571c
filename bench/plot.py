# SPDX-License-Identifier: Apache-2.0
"""A picture of the results, made with gnuplot from the data of report.record().

Above, what each proxy reaches beside the better of nginx and HAProxy; below, every target with 1 as the line to
reach, whatever its unit (a figure that must be small counts by its inverse), and the figure itself beside.
"""
import subprocess

from proxies import PROXIES

COLOURS = {"nginx": "#5b8c5a", "haproxy": "#4878a8", "schleuse": "#c0504d"}
SCORE_MAX = 3  # bars end there

HEAD = """set terminal svg size 1000,{height} font "sans,13" background "white"
set output "{output}"
set style fill solid 0.9 noborder
set grid ytics lc "#dddddd"
set yrange [0:*]
set xtics nomirror
set ytics nomirror
set border 3
"""

RATIOS = """set title "Beside the better of nginx and HAProxy (idle: memory, less is better)"
set style data histograms
set style histogram clustered gap 1
set boxwidth 0.9
set key outside top right horizontal
plot {bars}, 1 with lines dt 2 lc "#444444" notitle
"""

TARGETS = """reset
set style fill solid 0.9 noborder
set border 3
set title "Targets: 1 is the line, more is better"
unset key
set lmargin 52
set xrange [0:{most}]
set yrange [-0.7:{last}]
set ytics nomirror
set grid xtics lc "#dddddd"
set arrow from 1,graph 0 to 1,graph 1 nohead dt 2 lc "#444444" front
plot "targets.dat" using ($2/2):0:($2/2):(0.35):4:ytic(1) with boxxyerror lc rgb variable, \\
  "" using ($2+0.03):0:3 with labels left
"""


def quoted(text):
    return '"' + text.replace('"', "'") + '"'


def ratio_lines(data):
    """A line for each work in which proxies are compared: its name and their ratios."""
    lines = []
    for name, work in data["works"].items():
        rows = [work["summary"].get(proxy) for proxy in PROXIES]
        ratios = [row["ratio"] if row else None for row in rows]
        if any(ratio is not None for ratio in ratios):
            lines.append(" ".join([quoted(name), *("?" if r is None else f"{r:.4f}" for r in ratios)]))
    return lines


def target_lines(data):
    """A line for each target that has a figure, the first at the end, for the axis goes up."""
    lines = []
    for name, work in data["works"].items():
        for target in work["targets"]:
            if target["score"] is None:
                continue
            colour = {"met": 0x5B8C5A, "missed": 0xC0504D}.get(target["verdict"], 0x999999)
            score = min(target["score"], SCORE_MAX)
            sign = ">=" if target["at_least"] else "<="
            figure = f"{target['value']:.3g}, {sign} {target['limit']:g}"
            lines.append(f"{quoted(name + ': ' + target['what'])} {score:.4f} {quoted(figure)} {colour}")
    return lines[::-1]


def script(ratios, targets, output):
    """What gnuplot is told."""
    bars = ", ".join(f'"ratios.dat" using {i + 2}:xtic(1) title "{name}" lc rgb "{COLOURS[name]}"'
                     for i, name in enumerate(PROXIES))
    both = bool(ratios) and bool(targets)
    text = HEAD.format(height=360 * bool(ratios) + (80 + 26 * len(targets)) * bool(targets), output=output)
    text += 'set datafile missing "?"\n' + ("set multiplot layout 2,1\n" if both else "")
    text += RATIOS.format(bars=bars) if ratios else ""
    text += TARGETS.format(most=SCORE_MAX + 0.6, last=len(targets) - 0.3) if targets else ""
    return text + ("unset multiplot\n" if both else "")


def draw(folder, data):
    """Writes plot.svg and what it is made of; a text about what went wrong, or None."""
    ratios, targets = ratio_lines(data), target_lines(data)
    if not ratios and not targets:
        return "nothing to draw"
    (folder / "ratios.dat").write_text("\n".join(ratios) + "\n")
    (folder / "targets.dat").write_text("\n".join(targets) + "\n")
    (folder / "plot.gp").write_text(script(ratios, targets, "plot.svg"))
    done = subprocess.run(["gnuplot", "plot.gp"], cwd=folder, capture_output=True, text=True)
    return done.stderr if done.returncode != 0 else None
