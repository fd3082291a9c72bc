"""The plots are those of the committed figures, and come out the same again."""

from _bench import plot, record


def test_the_committed_plots_are_drawn_from_the_committed_figures(tmp_path):
    plot.draw(record.load(), tmp_path)
    for name in plot.NAMES:
        assert (tmp_path / name).read_text() == (plot.FOLDER / name).read_text(), f"{name}: draw it again with scripts/bench --plot"


def test_a_figure_that_moves_moves_its_plot(tmp_path):
    figures = record.load()
    figures["latency"]["cut"][64] += 1
    figures["curves"]["segments, 1514 bytes"][64] /= 2
    plot.draw(figures, tmp_path)
    assert all((tmp_path / name).read_text() != (plot.FOLDER / name).read_text() for name in plot.NAMES)


def test_figures_that_were_never_recorded_or_are_stale_leave_a_note(tmp_path):
    figures = record.load()
    figures["LUT"] = {"default": {64: None}}
    figures["MHz"] = {"default": {}}
    plot.draw(figures, tmp_path)
    assert (tmp_path / plot.NAMES[1]).read_text().count("gateware of today") == 2
