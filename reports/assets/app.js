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

  // Theme: the URL's, or else the system's.
  const theme = () => (["light", "dark"].includes(asked("theme")) ? asked("theme") : dark.matches ? "dark" : "light");
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
  const value = (row, column) => {
    const cell = row.querySelector(`[data-col="${column}"]`);
    const raw = cell?.dataset.value;
    if (raw === undefined) return cell?.textContent.trim().toLowerCase() ?? "";
    return raw === "" ? null : Number.isNaN(Number(raw)) ? raw : Number(raw);
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
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
    const filter = () => {
      const words = field.value.toLowerCase();
      let left = 0;
      for (const line of lines) {
        line.classList.toggle("out", !line.textContent.toLowerCase().includes(words));
        left += !line.classList.contains("out");
      }
      count.textContent = words ? `${left} of ${lines.length} rows` : "";
    };
    field.addEventListener("input", () => { remember(`${name}.find`, field.value); filter(); });
    label.append(field);
    const bar = make("div", { className: "bar" });
    bar.append(label, count);
    table.closest(".wide").before(bar);
    filter();
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
  const draw = async (figure) => {
    await loaded();
    const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
    const shown = "picked" in figure.dataset && chosen ? data.filter((t) => !t.meta || chosen.has(t.meta)) : data;
    await Plotly.react(figure.querySelector(".plot"), shown, themed(layout), config);
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
    every("figure[data-fig]").forEach((figure) => seen.observe(figure));
    addEventListener("beforeprint", () => every("figure[data-fig]").forEach((figure) => {
      if (figure.offsetParent) draw(figure);
    }));
  };

  // One file with all pages: the hash says which is open.
  const routes = () => {
    const articles = every("article[data-page]");
    const show = () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      const open = target?.closest("article[data-page]") ?? articles[0];
      for (const article of articles) article.hidden = article !== open;
      document.body.dataset.page = open.dataset.page;
      document.title = open.dataset.title;
      if (target && target !== open) target.scrollIntoView(); else scrollTo(0, 0);
    };
    document.getElementById("data").hidden = true;
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
    requestAnimationFrame(() => setTimeout(figures));  // the words first
  });
})();
