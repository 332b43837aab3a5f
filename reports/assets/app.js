"use strict";
// Draws each figure when it comes into view, in the colours of the page's theme.
(() => {
  const config = {
    responsive: true, displaylogo: false, showSendToCloud: false, displayModeBar: false,
  };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const themed = (layout) => {
    const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), tickcolor: colour("--line") };
    const made = { ...layout, font: { ...layout.font, family: "system-ui, sans-serif", size: 13, color: colour("--ink") } };
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis/.test(key)) made[key] = { ...layout[key], ...axis };
    }
    made.hoverlabel = { ...layout.hoverlabel, bgcolor: colour("--paper"), font: { color: colour("--ink") } };
    return made;
  };
  const draw = async (figure) => {
    const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
    const plot = figure.querySelector(".plot");
    if (layout.height) plot.style.minHeight = `${layout.height}px`;
    await Plotly.react(plot, data, themed(layout), config);
    figure.dataset.rendered = "true";
  };
  const figures = [...document.querySelectorAll("figure[data-fig]")];
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
    }
  }, { rootMargin: "200px" });
  figures.forEach((figure) => seen.observe(figure));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    figures.filter((figure) => figure.dataset.rendered).forEach(draw);
  });
  addEventListener("beforeprint", () => figures.forEach(draw));
})();
