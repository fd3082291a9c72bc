"""The curves, drawn from recorded figures. Equal figures and an equal matplotlib give equal files."""

from pathlib import Path

from . import clocks

__all__ = ["FOLDER", "NAMES", "draw"]

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
NAMES = ("bytes-per-clock.svg", "over-width.svg")

COLOURS = {32: "#7a5195", 64: "#003f5c", 128: "#2f8f6b", 256: "#ef8a17", 512: "#d1495b", 1024: "#444444"}
LINES = ("-o", "--s", ":^", "-.d", "-v")
STYLE = {
    "svg.hashsalt": "offcut",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.markersize": 3,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
}


def draw(figures, folder=FOLDER):
    """Write the files of :data:`NAMES`.

    Raises
    ------
    ImportError
        If matplotlib is not installed: it comes with the extra ``bench``.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE}):
        for name, make in zip(NAMES, (_bytes_per_clock, _over_width), strict=True):
            figure = Figure(figsize=(10, 3.6), layout="constrained")
            make(figure, figures)
            figure.savefig(Path(folder) / name, format="svg", metadata={"Date": None, "Creator": None})


def _bytes_per_clock(figure, figures):
    """A panel for each kind of request, a curve for each width, and the bus as a thin line above it."""
    curves = figures["curves"]
    widths = sorted({width for of in curves.values() for width in of})
    for axes, panel in zip(figure.subplots(1, len(clocks.PANELS), sharex=True, sharey=True), clocks.PANELS, strict=True):
        for width in widths:
            points = [(size, curves[f"{panel}, {size} bytes"][width]) for size in clocks.SIZES]
            axes.axhline(width / 8, color=COLOURS[width], linewidth=0.5)
            axes.plot(*zip(*points, strict=True), "-o", color=COLOURS[width], label=f"{width} bits")
        axes.set(title=panel, xlabel="bytes of a wire frame")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        _plain(axes.xaxis, (64, 128, 256, 512, 1024, 2048, 4096, 8192))
        _plain(axes.yaxis, [width // 8 for width in widths])
    figure.axes[0].set_ylabel("bytes a clock")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(widths))


def _over_width(figure, figures):
    """Latency, area and routed speed, a curve for each kind of frame or engine; recorded figures that are stale are left out."""
    panels = (
        ("latency", "clocks, last byte in to first beat out", figures["latency"]),
        ("7-series area", "LUT", figures["LUT"]),
        ("routed on the ECP5 stand-in", "MHz", figures["MHz"]),
    )
    ticks = sorted({width for of in figures["latency"].values() for width in of})
    for axes, (title, label, lines) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        shown = 0
        for style, (name, of) in zip(LINES, lines.items(), strict=False):
            points = [(width, value) for width, value in sorted(of.items()) if value is not None]
            if points:
                axes.plot(*zip(*points, strict=True), style, label=name, color=list(COLOURS.values())[shown])
                shown += 1
        axes.set(title=title, xlabel="bus, bits", ylabel=label)
        axes.set_xscale("log", base=2)
        axes.set_xlim(ticks[0] / 1.2, ticks[-1] * 1.2)
        axes.set_ylim(bottom=0)
        _plain(axes.xaxis, ticks)
        if shown:
            axes.legend(loc="best")
        else:
            axes.text(0.5, 0.5, "not recorded for the\ngateware of today", transform=axes.transAxes, ha="center", va="center")


def _plain(axis, ticks):
    """These ticks alone, as plain numbers."""
    axis.set_ticks(list(ticks), [f"{tick:g}" for tick in ticks])
    axis.set_ticks([], minor=True)
