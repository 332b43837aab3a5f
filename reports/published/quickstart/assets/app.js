"use strict";
// Theme, tables, comparisons and figures of a page whose words and numbers are all in its HTML.
// What a reader chooses lives in the URL's query, so that a link brings it back.
(() => {
  const root = document.documentElement;
  const source = document.currentScript.src;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const asked = (name) => new URLSearchParams(location.search).get(name);
  const remember = (name, value) => {
    const query = new URLSearchParams(location.search);
    if (value) query.set(name, value); else query.delete(name);
    const text = query.toString();
    history.replaceState(null, "", (text ? `?${text}` : location.pathname) + location.hash);
  };
  const make = (tag, values = {}, text = "") => {
    const made = Object.assign(document.createElement(tag), values);
    if (text) made.textContent = text;
    return made;
  };
  const every = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Theme: the URL's, or else the system's; paper is light.
  let printing = false;
  const theme = () => (printing ? "light" : ["light", "dark"].includes(asked("theme")) ? asked("theme") : dark.matches ? "dark" : "light");
  const paint = () => {
    root.dataset.theme = theme();
    for (const button of every("button.theme")) {
      button.textContent = theme() === "dark" ? "Light" : "Dark";
      button.setAttribute("aria-label", `Change to the ${theme() === "dark" ? "light" : "dark"} theme`);
    }
    for (const link of every("a[href]:not([download])")) {
      const href = link.getAttribute("href");
      if (href.startsWith("#") || href.startsWith("data:")) continue;
      const url = new URL(link.href);
      if (asked("theme")) url.searchParams.set("theme", asked("theme")); else url.searchParams.delete("theme");
      link.href = url.href;
    }
  };
  root.dataset.theme = theme();

  const switches = () => {
    for (const header of every("header")) {
      const button = make("button", { className: "theme", type: "button" });
      button.addEventListener("click", () => {
        const other = theme() === "dark" ? "light" : "dark";
        remember("theme", (other === "dark") === dark.matches ? "" : other);
        paint();
        redraw();
      });
      header.append(button);
    }
    dark.addEventListener("change", () => { paint(); redraw(); });
    paint();
  };

  // Tables: a button in each heading sorts, a field above filters.
  const typed = (text) => text.trim().toLowerCase().replaceAll("−", "-");  // as a keyboard has it
  const value = (row, column) => {
    const cell = row.querySelector(`[data-col="${column}"]`);
    const raw = cell?.dataset.value ?? typed(cell?.textContent ?? "");
    return raw === "" ? null : Number.isNaN(Number(raw)) ? raw : Number(raw);
  };
  const compare = (a, b) => {
    const [less, more] = [a, b].map((each) => typeof each === "number");
    if (less && more) return a - b;
    return less || more ? more - less : a.localeCompare(b, undefined, { numeric: true });
  };
  const tables = () => every("table[data-table]").forEach((table) => {
    const { table: name } = table.dataset;
    const lines = [...table.tBodies[0].rows];
    const heads = every("th[data-col]", table.tHead);
    const sort = () => {
      const told = asked(`${name}.sort`) ?? "";
      const column = told.replace(/^-/, "");
      const way = told.startsWith("-") ? -1 : 1;
      const known = heads.some((head) => head.dataset.col === column);
      const sorted = !known ? lines : [...lines].sort((a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        if (x === null || y === null) return (x === null) - (y === null);  // what is missing comes last
        return way * compare(x, y);
      });
      table.tBodies[0].append(...sorted);
      for (const head of heads) {
        head.removeAttribute("aria-sort");
        if (known && head.dataset.col === column) head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      }
    };
    for (const head of heads) {
      if (lines.length < 2) break;
      const button = make("button", { type: "button", className: "sort" }, head.textContent);
      button.addEventListener("click", () => {
        const { col } = head.dataset;
        const told = asked(`${name}.sort`);
        remember(`${name}.sort`, told === col ? `-${col}` : told === `-${col}` ? "" : col);
        sort();
      });
      head.replaceChildren(button);
    }
    if (asked(`${name}.sort`)) sort();
    if (lines.length < 16) return;
    const label = make("label", { className: "filter" }, "Filter ");
    const field = make("input", { type: "search", value: asked(`${name}.find`) ?? "" });
    const count = make("output");
    const texts = lines.map((line) => [...line.cells].map((cell) => typed(cell.textContent)).join(" "));
    const filter = () => {
      const words = typed(field.value).split(/\s+/).filter(Boolean);
      const found = texts.map((text) => words.every((word) => text.includes(word)));
      lines.forEach((line, at) => line.classList.toggle("out", !found[at]));
      count.textContent = words.length ? `${found.filter(Boolean).length} of ${lines.length} rows` : "";
    };
    field.addEventListener("input", () => { remember(`${name}.find`, field.value); filter(); });
    label.append(field);
    const bar = make("div", { className: "bar" });
    bar.append(label, count);
    table.closest(".wide").before(bar);
    filter();
  });

  // Rows: one link a table, at the row that the pointer is on; from it the arrows go up and down.
  const rowLinks = () => every("table[data-table]").forEach((table) => {
    const [body] = table.tBodies;
    const link = make("a", { className: "here" });
    const seen = (row) => row?.id && row.offsetParent;
    const put = (row) => {
      if (link.parentNode === row.cells[0]) return;
      link.href = `#${encodeURIComponent(row.id)}`;
      row.cells[0].append(link);
    };
    if (!body.rows.length) return;
    link.setAttribute("aria-label", "Link to this row; the arrows change the row");
    put(body.rows[0]);
    body.addEventListener("pointermove", ({ target }) => {
      const row = target.closest("tr");
      if (seen(row) && document.activeElement !== link) put(row);
    });
    link.addEventListener("keydown", (event) => {
      const way = { ArrowUp: "previousElementSibling", ArrowDown: "nextElementSibling" }[event.key];
      if (!way) return;
      event.preventDefault();
      let row = link.closest("tr")[way];
      while (row && !seen(row)) row = row[way];
      if (row) { put(row); link.focus(); }
    });
    // What is filtered away, or sorted further down, is no place for the first tab.
    table.closest(".wide").addEventListener("focus", () => put([...body.rows].find(seen) ?? body.rows[0]));
  });

  // Comparisons: boxes in a table whose rows a page of comparisons can show.
  const picked = () => (asked("pick") ?? "").split(",").filter(Boolean);
  let chosen = null;  // what figures show; null: everything
  const picks = () => every("table[data-picks]").forEach((table) => {
    const target = table.dataset.picks;
    const single = target.startsWith("#");
    const scope = table.closest("article, main");
    const here = scope.parentElement.closest("[data-page]") ?? document.body;
    const own = (scope.dataset.page ?? here.dataset.page) === "compare";
    const lines = every("tbody tr[data-variant]", table);
    const most = table.dataset.table === "studies" ? Infinity : 4;
    const boxes = lines.map((line) => {
      const name = line.querySelector("th").textContent;
      const box = make("input", { type: "checkbox", value: line.dataset.variant });
      box.setAttribute("aria-label", `Compare ${name}`);
      line.querySelector("th").prepend(box, " ");
      return box;
    });
    const link = make("a", {}, "");
    const bar = make("p", { className: "bar" });
    bar.append(link);
    if (!own) table.closest(".wide").before(bar);
    const apply = () => {
      const known = new Set(boxes.map((box) => box.value));
      let told = picked().filter((key) => known.has(key)).slice(0, most);
      if (own && !told.length) told = boxes.slice(0, 4).map((box) => box.value);
      for (const box of boxes) {
        box.checked = told.includes(box.value);
        box.disabled = !box.checked && told.length >= most;
      }
      link.textContent = told.length < 2
        ? "Tick two or more rows to compare them" : `Compare ${told.length}: side by side`;
      const query = `?pick=${told.map(encodeURIComponent).join(",")}`;
      if (told.length < 2) link.removeAttribute("href");
      else link.href = single ? query + target : target + query;
      if (!own) { paint(); return; }
      chosen = new Set(told);
      for (const line of every("tr[data-variant]", scope)) {
        if (line.closest("table") !== table) line.hidden = !chosen.has(line.dataset.variant);
      }
      redraw();
    };
    for (const box of boxes) {
      box.addEventListener("change", () => {
        const known = boxes.filter((each) => each.checked).map((each) => each.value);
        remember("pick", known.join(","));
        apply();
      });
    }
    apply();
  });

  // Figures: drawn when they come into view, in the colours of the theme.
  const PAPER = 680;  // pixels of the text's width on A4 and on Letter
  const config = { responsive: true, displaylogo: false, displayModeBar: false, showSendToCloud: false };
  const colour = (name) => {
    const probe = make("span", { hidden: true });
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const themed = (layout) => {
    const [ink, soft, line, paper] = ["--ink", "--soft", "--line", "--paper"].map(colour);
    const font = { family: "system-ui, sans-serif", size: 13, color: ink };
    const made = {
      ...layout, font: { ...layout.font, ...font },
      hoverlabel: { ...layout.hoverlabel, bgcolor: paper, font: { color: ink } },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    };
    for (const key of Object.keys(layout)) {
      if (!/^[xy]axis/.test(key)) continue;
      const title = { ...layout[key].title, font: { size: 13, color: soft } };
      made[key] = { ...layout[key], gridcolor: line, linecolor: line, tickcolor: line, title };
    }
    return made;
  };
  let plotly = null;
  const loaded = () => plotly ??= new Promise((resolve) => {
    const script = make("script");
    const inline = document.getElementById("plotly");
    if (inline) { script.textContent = inline.textContent; document.head.append(script); resolve(); return; }
    script.onload = resolve;
    script.src = new URL("plotly.min.js", source).href;
    document.head.append(script);
  });
  // On a phone a layout's `narrow` part stands above the rest; on paper a figure has its width.
  const small = matchMedia("(max-width: 40rem)");
  const fitted = ({ meta = {}, ...layout }) => {
    const made = { ...layout };
    for (const [key, part] of Object.entries((!printing && small.matches && meta.narrow) || {})) {
      made[key] = Object.getPrototypeOf(part) === Object.prototype ? { ...layout[key], ...part } : part;
    }
    return printing ? { ...made, width: PAPER } : made;
  };
  // Of the ticked, each looks as its place among them says, so that no two of a few are alike.
  const styled = (data, known) => {
    const order = [...new Set(data.map((trace) => trace.meta))];
    return data.map((trace) => {
      const [colour, dash, symbol, pattern] = known[order.indexOf(trace.meta)];
      const made = { ...trace };
      if (trace.line) made.line = { ...trace.line, color: colour, dash: trace.line.dash && dash };
      if (trace.fillcolor) made.fillcolor = `${colour}1a`;
      if (trace.marker) made.marker = { ...trace.marker, color: colour };
      if (trace.marker?.line) made.marker.line = { ...trace.marker.line, color: colour };
      if (trace.marker?.symbol) made.marker.symbol = symbol + (trace.marker.symbol.endsWith("-open") ? "-open" : "");
      if (trace.marker?.pattern) made.marker.pattern = { ...trace.marker.pattern, shape: pattern };
      return made;
    });
  };
  // Names beside points: each where it covers least, beside its point or a little further off.
  const AROUND = [[1, 0], [-1, 0], [0.7, -0.7], [-0.7, -0.7], [0.7, 0.7], [-0.7, 0.7], [0, -1], [0, 1]];
  const shared = (a, b) => Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left))
    * Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  const label = async (plot, labels, layout) => {
    const area = plot.querySelector(".nsewdrag")?.getBoundingClientRect();
    if (!area) return;
    const [x, y] = [plot.layout.xaxis.range, plot.layout.yaxis.range];
    const pen = make("canvas").getContext("2d");
    pen.font = "12px system-ui, sans-serif";
    const taken = every(".point, .errorbar path, .annotation-text-g, .shapelayer path", plot)
      .map((each) => each.getBoundingClientRect()).filter((box) => box.width < 60 || box.height < 30);
    for (const line of every("path.js-line", plot)) {
      const [long, place] = [line.getTotalLength(), line.getScreenCTM()];
      for (let at = 0; at <= long; at += Math.max(10, long / 200)) {
        const { x: left, y: top } = line.getPointAtLength(at).matrixTransform(place);
        taken.push({ left: left - 5, right: left + 5, top: top - 2, bottom: top + 2 });
      }
    }
    const soft = colour("--soft");
    const made = labels.map(([px, py, long, slim]) => {
      const text = area.width < 500 ? slim : long;
      const [left, top] = [
        area.left + ((px - x[0]) / (x[1] - x[0])) * area.width, area.bottom - ((py - y[0]) / (y[1] - y[0])) * area.height,
      ];
      const plain = new DOMParser().parseFromString(text, "text/html").body.textContent;
      const [wide, tall] = [pen.measureText(plain).width + 6, 17];
      let best = null;
      for (const far of [9, 22, 40, 64]) {
        for (const [dx, dy] of AROUND) {
          const at = [left + dx * far + (Math.sign(dx) * wide) / 2, top + dy * far + (Math.sign(dy) * tall) / 2];
          const box = { left: at[0] - wide / 2, right: at[0] + wide / 2, top: at[1] - tall / 2, bottom: at[1] + tall / 2 };
          const out = wide * tall - shared(box, area);
          const cost = 8 * out + far + taken.reduce((sum, other) => sum + shared(box, other), 0);
          if (!best || cost < best.cost) best = { cost, box, far, shift: [at[0] - left, at[1] - top] };
        }
      }
      taken.push(best.box);
      const [dx, dy] = best.shift;
      const line = best.far > 9 ? { showarrow: true, ax: dx, ay: dy, arrowhead: 0, arrowwidth: 1, arrowcolor: soft, standoff: 5 }
        : { showarrow: false, xshift: dx, yshift: -dy };
      return { x: px, y: py, text, xanchor: "center", yanchor: "middle", borderpad: 0, font: { size: 12, color: soft }, ...line };
    });
    await Plotly.relayout(plot, { annotations: [...(layout.annotations ?? []), ...made] });
  };
  const draw = async (figure) => {
    await loaded();
    const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
    const plot = figure.querySelector(".plot");
    let shown = data;
    if ("picked" in figure.dataset && chosen) {
      shown = styled(data.filter((t) => !t.meta || chosen.has(t.meta)), layout.meta.styles);
    }
    const fit = themed(fitted(layout));
    plot.style.minHeight = `${fit.height}px`;
    await Plotly.react(plot, shown, fit, printing ? { ...config, responsive: false } : config);
    if (layout.meta?.labels) await label(plot, layout.meta.labels, fit);
    figure.dataset.rendered = "true";
  };
  const redraw = () => every("figure[data-rendered]").forEach(draw);
  let waiting = [], drawing = false;
  const next = async () => {
    if (drawing) return;
    drawing = true;
    while (waiting.length) {
      await draw(waiting.shift());
      await new Promise((resolve) => setTimeout(resolve));  // the page stays alive between figures
    }
    drawing = false;
  };
  const figures = () => {
    const seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) { seen.unobserve(target); waiting.push(target); }
      }
      next();
    }, { rootMargin: "80px" });
    const all = every("figure[data-fig]");
    all.forEach((figure) => seen.observe(figure));
    if (all.length) (window.requestIdleCallback ?? setTimeout)(loaded);  // paper waits for no script
    small.addEventListener("change", redraw);
  };

  // Paper: in ink on white, figures as wide as the page, and all that is folded open.
  const printed = () => {
    let opened = [];
    const turn = (on) => {
      printing = on;
      root.dataset.theme = theme();
      for (const figure of every("figure[data-fig]")) {
        if (figure.offsetParent && (on || figure.dataset.rendered)) draw(figure);
      }
    };
    addEventListener("beforeprint", () => {
      opened = every("details:not([open])");
      for (const each of opened) each.open = true;
      turn(true);
    });
    addEventListener("afterprint", () => {
      for (const each of opened) each.open = false;
      turn(false);
    });
  };

  // One file with all pages: the hash says which is open.
  const routes = () => {
    const articles = every("article[data-page]");
    let open = null;
    const show = () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      const before = open;
      open = target?.closest("article[data-page]") ?? articles[0];
      for (const article of articles) article.hidden = article !== open;
      document.body.dataset.page = open.dataset.page;
      document.title = open.dataset.title;
      if (target && target !== open) target.scrollIntoView(); else scrollTo(0, 0);
      if (before && before !== open) open.focus({ preventScroll: true });  // a reader is told of the new page
    };
    document.getElementById("data").hidden = true;
    document.querySelector("a.skip").addEventListener("click", (event) => {
      event.preventDefault();
      const heading = open.querySelector("h1");
      heading.tabIndex = -1;
      heading.focus();
    });
    addEventListener("hashchange", show);
    addEventListener("click", (event) => {
      const href = event.target.closest?.("a")?.getAttribute("href");
      if (!href?.startsWith("#data/")) return;
      event.preventDefault();
      document.getElementById(href.slice(1)).click();
    });
    show();
  };

  addEventListener("DOMContentLoaded", () => {
    switches();
    if ("single" in document.body.dataset) routes();
    tables();
    picks();
    rowLinks();
    printed();
    requestAnimationFrame(() => setTimeout(figures));  // the words first
  });
})();
