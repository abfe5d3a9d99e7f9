"""Parameter importances: what the objective depended on."""

from __future__ import annotations

from matplotlib.figure import Figure

from iterate.plots import style
from iterate.plots.trials import PlottedStudy, short_names
from iterate_core.escaping import in_plot


def draw_importances(study: PlottedStudy) -> Figure | None:
    """The picture; None where no importances are known."""
    if not study.importances:
        return None
    ranked = sorted(study.importances.items(), key=lambda item: item[1])
    names = short_names(study.importances)
    figure, axes = style.new_figure(
        8, 1.5 + 0.36 * len(ranked), study.name, f"Parameter importances for {study.objective}"
    )
    labels = [in_plot(names[name]) for name, _ in ranked]
    shares = [share for _, share in ranked]
    bars = axes.barh(labels, shares, color=style.BLUE, height=0.62)
    axes.bar_label(
        bars, [f"{share:.2f}" for share in shares], padding=4, fontsize=9, color=style.FAINT
    )
    axes.set_xlim(0, max(1e-9, max(shares)) * 1.1)
    axes.set_xlabel("share of the objective's variance", color=style.INK, fontsize=10)
    axes.tick_params(axis="y", length=0, labelcolor=style.INK)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=style.GRID, linewidth=0.8)
    return figure
