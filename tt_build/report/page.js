"use strict";
(() => {
  const reports = JSON.parse(document.getElementById("data").textContent);
  const words = JSON.parse(document.getElementById("words").textContent);
  const byName = new Map(reports.map((report) => [report.kernel, report]));
  const view = document.getElementById("kernel");
  const body = document.querySelector("#overview tbody");
  let metric = "cycles";

  // Every text goes through textContent: names come from kernels.yaml and may hold anything.
  function make(tag, attributes, ...children) {
    const svg = ["svg", "rect", "text", "g", "title", "line"].includes(tag);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "style") Object.assign(node.style, value);
      else if (name === "text") node.textContent = value;
      else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return node;
  }

  const number = (value) => value.toLocaleString("en-US");
  const percent = (share) => `${Math.round(100 * share)} %`;
  function amount(size) {
    if (size < 10240) return `${number(size)} B`;
    for (const [unit, factor] of [["KiB", 1024], ["MiB", 1048576], ["GiB", 1073741824]]) {
      const value = size / factor;
      if (value < 999.5 || unit === "GiB") return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${unit}`;
    }
  }
  function duration(nanoseconds) {
    for (const [unit, factor] of [["ns", 1], ["us", 1e3], ["ms", 1e6], ["s", 1e9]]) {
      const value = nanoseconds / factor;
      if (value < 999.5 || unit === "s") return `${unit === "ns" || value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3))} ${unit}`;
    }
  }

  function table(caption, head, rows, right) {
    const cell = (tag, value, at, extra) => make(tag, { class: right.includes(at) ? "n" : null, text: String(value), ...extra });
    return make("div", { class: "scroll" }, make("table", {},
      make("caption", { text: caption }),
      make("thead", {}, make("tr", {}, head.map((title, at) => cell("th", title, at, { scope: "col" })))),
      make("tbody", {}, rows.map((row) => make("tr", { class: row.chosen ? "chosen" : null },
        row.cells.map((value, at) => cell(at ? "td" : "th", value, at, at ? {} : { scope: "row" })))))));
  }
  const part = (title, ...children) => make("div", {}, make("h3", { text: title }), children);

  function figures(report) {
    const found = report.estimate, moved = found.dram_read_bytes + found.dram_write_bytes;
    const figure = (name, value, more) => make("div", {}, make("dt", { text: name }), make("dd", {}, value, make("small", { text: more })));
    return make("dl", { class: "figures" },
      figure("estimated time", duration(found.time_ns), `${number(found.cycles)} cycles`),
      figure("bound by", found.bound, `${words[found.bound]}, busy ${percent(found.utilization)}`),
      figure("DRAM", amount(moved), found.compulsory_bytes ? `${found.dram_ratio.toFixed(2)} of the compulsory` : "nothing lies there"),
      figure("between cores", amount(found.noc_unicast_bytes + found.noc_multicast_delivered_bytes), "delivered over the NoC"),
      figure("matrix engine", found.matrix_utilization ? percent(found.matrix_utilization) : "no matmul", "of its peak on all cores"),
      figure("L1 of a core", amount(found.l1_peak_bytes), `${percent(found.l1_peak_bytes / report.l1_allocatable)} of it`));
  }

  const COLOURS = { math: "tiles", unpack: "tiles", vector: "vector", pack: "pack", reader: "transfers", writer: "transfers", noc: "transfers", dram: "transfers" };
  function busy(report) {
    const found = report.estimate;
    const rows = Object.entries(found.busy).filter(([, cycles]) => cycles).sort((a, b) => b[1] - a[1]);
    return part("Where the time goes", make("div", { class: "bars", role: "list", "aria-label": "busy share of each resource" }, rows.flatMap(([name, cycles]) => [
      make("span", { text: words[name] }),
      make("div", { class: "track", role: "listitem", "aria-label": `${words[name]}: ${number(cycles)} cycles, ${percent(cycles / found.cycles)}` },
        make("div", { class: "fill", style: { width: `${Math.min(100, 100 * cycles / found.cycles)}%`, background: `var(--${COLOURS[name]})` } })),
      make("span", { class: "n figure", text: percent(cycles / found.cycles) })])));
  }

  function short(value) {
    for (const [unit, factor] of [["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
      if (value >= 9999.5 && value >= factor) return `${Number((value / factor).toPrecision(3))}${unit}`;
    }
    return String(value);
  }
  const METRICS = {
    cycles: ["cycles", number], units: ["units of work", number], dram_read: ["bytes read from DRAM", amount],
    dram_written: ["bytes written to DRAM", amount], noc: ["bytes from and to other cores", amount],
  };
  function shade(share) {
    const style = getComputedStyle(document.documentElement);
    const from = Number(style.getPropertyValue("--heat-from")), to = Number(style.getPropertyValue("--heat-to"));
    const light = from + (to - from) * share;
    return { background: `hsl(${style.getPropertyValue("--heat").trim()} ${light}%)`, color: light > 55 ? "#10151b" : "#ffffff" };
  }
  function cores(report) {
    const holder = make("div", {});
    const [columns, rows] = report.grid, [what, show] = METRICS[metric];
    const at = new Map(report.cores.map((core) => [`${core.x},${core.y}`, core]));
    const most = Math.max(...report.cores.map((core) => core[metric]), 1), least = Math.min(...report.cores.map((core) => core[metric]));
    const grid = make("div", { class: "cores", role: "grid", "aria-label": `cores by ${what}`, style: { gridTemplateColumns: `repeat(${columns}, 1fr)` } });
    const told = make("p", { class: "legend", role: "status", text: "Move over a core, or focus it and use the arrow keys." });
    const say = (core) => { told.textContent = `core (${core.x}, ${core.y}): ` + Object.entries(METRICS).map(([key, [name, form]]) => `${form(core[key])} ${key === "cycles" || key === "units" ? name : `(${name})`}`).join(", "); };
    let first = true;
    for (let y = 0; y < rows; ++y) {
      const line = make("div", { role: "row", style: { display: "contents" } });
      for (let x = 0; x < columns; ++x) {
        const core = at.get(`${x},${y}`);
        const slowest = core && report.slowest && report.slowest[0] === x && report.slowest[1] === y;
        const cell = make("button", {
          class: `core${slowest ? " slowest" : ""}`, role: "gridcell", type: "button", tabindex: core && first ? 0 : -1, disabled: !core,
          "aria-label": core ? `core ${x}, ${y}: ${show(core[metric])}, ${what}${slowest ? ", slowest" : ""}` : `core ${x}, ${y}: no work`,
          style: core ? shade(core[metric] / most) : {}, "data-x": x, "data-y": y,
          onfocus: () => core && say(core), onmouseenter: () => core && say(core), onkeydown: (event) => walk(event, grid),
        }, core ? short(core[metric]) : "");
        if (core) first = false;
        line.append(cell);
      }
      grid.append(line);
    }
    const choose = make("select", { "aria-label": "what the cores' colours show", onchange: (event) => { metric = event.target.value; const next = cores(report); holder.replaceWith(next); next.querySelector("select").focus(); } },
      Object.entries(METRICS).map(([key, [name]]) => make("option", { value: key, selected: key === metric, text: name })));
    const ramp = make("span", { class: "ramp", "aria-hidden": "true", style: { background: `linear-gradient(90deg, ${shade(0).background}, ${shade(1).background})` } });
    holder.append(
      make("h3", { text: `Cores: ${report.cores.length} of ${columns * rows} work` }), make("p", { class: "legend", style: { margin: "0 0 .5rem" } }, choose, "0", ramp, show(most), make("span", { text: `least ${show(least)}` })),
      grid, told,
      make("details", {}, make("summary", { text: "as a table" }), table("Each core with work", ["core", ...Object.values(METRICS).map(([name]) => name)],
        report.cores.map((core) => ({ cells: [`${core.x}, ${core.y}`, ...Object.keys(METRICS).map((key) => number(core[key]))] })), [1, 2, 3, 4, 5])));
    return holder;
  }
  function walk(event, grid) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    let x = Number(event.target.dataset.x), y = Number(event.target.dataset.y);
    for (;;) {
      x += step[0]; y += step[1];
      const next = grid.querySelector(`[data-x="${x}"][data-y="${y}"]`);
      if (!next) return;
      if (!next.disabled) { event.target.tabIndex = -1; next.tabIndex = 0; next.focus(); return; }
    }
  }

  const HUES = [211, 270, 176, 32, 340, 140, 250, 12, 190, 60];
  function memory(report) {
    const parts = [...report.buffers.filter((cb) => !cb.shard).map((cb) => ({ name: cb.name, size: cb.size, more: `${cb.pages} pages of ${number(cb.page_size)} B, ${cb.block} a move` })),
      ...report.tensors.filter((tensor) => tensor.in_l1).map((tensor) => ({ name: `tensor ${tensor.name}`, size: tensor.in_l1, more: tensor.layout }))];
    const used = parts.reduce((sum, entry) => sum + entry.size, 0);
    const colour = (at) => `hsl(${HUES[at % HUES.length]} 45% ${at < HUES.length ? 30 : 24}%)`;
    // Buffers are shown against each other where they take little of L1: a map of the whole would be a line.
    const whole = Math.max(used / 0.96, Math.min(report.l1_allocatable, used * 4));
    const shown = whole >= report.l1_allocatable ? "all of L1" : `${amount(Math.round(whole))} of ${amount(report.l1_allocatable)}`;
    return part("L1 of a core",
      make("div", { class: "map", role: "img", "aria-label": `${amount(used)} used of ${amount(report.l1_allocatable)}` }, parts.map((entry, at) =>
        make("div", { title: `${entry.name}: ${amount(entry.size)}`, style: { width: `${100 * entry.size / whole}%`, background: colour(at) } }, entry.size / whole > 0.08 ? entry.name : ""))),
      make("p", { class: "legend", text: `${amount(used)} used, ${percent(used / report.l1_allocatable)} of L1; the map shows ${shown}` }),
      table("Circular buffers and tensors in L1", ["name", "what", "bytes"], [
        ...parts.map((entry) => ({ cells: [entry.name, entry.more, number(entry.size)] })),
        ...report.buffers.filter((cb) => cb.shard).map((cb) => ({ cells: [cb.name, `on the shard of ${cb.shard}`, "0"] }))], [2]));
  }

  const LANES = ["reader", "compute", "pack", "writer"];
  function kind(what) {
    if (what.startsWith("waits")) return "wait";
    if (what === "vector") return "vector";
    if (what === "pack") return "pack";
    if (what === "tiles") return "tiles";
    return what === "commands" || what === "calls" ? "commands" : "transfers";
  }
  const KINDS = { tiles: "unpack and matrix engine", vector: "vector engine", pack: "packing", transfers: "transfers, multicasts, exchanges", commands: "commands and calls", wait: "waiting" };
  function windowOf(span, report) {
    const width = 1000, left = 64, height = 26, top = 6, scale = (width - left - 8) / Math.max(1, span.end - span.begin);
    const svg = make("svg", { viewBox: `0 0 ${width} ${top + LANES.length * (height + 6) + 20}`, role: "img", "aria-label": `what each processor of core ${report.slowest.join(", ")} does from cycle ${span.begin} to ${span.end}` });
    LANES.forEach((lane, row) => {
      const y = top + row * (height + 6);
      svg.append(make("text", { x: 0, y: y + 17, text: lane }), make("rect", { x: left, y, width: width - left - 8, height, style: { fill: "var(--ground)" } }));
      for (const [name, begin, end, what] of span.spans) {
        if (name !== lane) continue;
        svg.append(make("rect", { x: left + (begin - span.begin) * scale, y, width: Math.max(0.4, (end - begin) * scale), height, style: { fill: `var(--${kind(what)})` } },
          make("title", { text: `${lane}: ${what}, cycles ${number(begin)} to ${number(end)}` })));
      }
    });
    const y = top + LANES.length * (height + 6) + 12;
    for (let tick = 0; tick <= 4; ++tick) {
      const cycle = Math.round(span.begin + (span.end - span.begin) * tick / 4), x = left + (cycle - span.begin) * scale;
      svg.append(make("line", { x1: x, x2: x, y1: top, y2: y - 10, style: { stroke: "var(--line)" } }), make("text", { x, y: y + 4, "text-anchor": tick === 4 ? "end" : tick ? "middle" : "start", text: number(cycle) }));
    }
    return svg;
  }
  function timeline(report) {
    const titles = report.timeline.length > 1 ? ["its beginning", "its end"] : ["the whole run"];
    return part(`Stage timeline of core (${report.slowest.join(", ")}), in cycles from its start`,
      report.timeline.map((span, at) => make("div", {}, make("p", { class: "legend", text: titles[at] }), windowOf(span, report))),
      make("ul", { class: "legend" }, Object.entries(KINDS).map(([key, text]) => make("li", {}, make("span", { class: "swatch", style: { background: `var(--${key})`, borderColor: key === "wait" ? "var(--wait-ink)" : "transparent" } }), text))),
      report.stalls.length ? make("details", {}, make("summary", { text: "who waits for what" }), table("Waits of that core over the whole run", ["processor", "waits for", "cycles"],
        report.stalls.map((stall) => ({ cells: [stall.processor, stall.waits_for, number(stall.cycles)] })), [2])) : null);
  }

  function schedules(report) {
    const rows = report.alternatives.filter((other) => other.estimate).map((other) => {
      const found = other.estimate;
      return { chosen: other.chosen, cells: [other.chosen ? `${other.label} (chosen)` : other.label, number(found.cycles), duration(found.time_ns), found.bound, amount(found.dram_read_bytes + found.dram_write_bytes),
        found.compulsory_bytes ? found.dram_ratio.toFixed(2) : "-", amount(found.noc_unicast_bytes + found.noc_multicast_delivered_bytes), amount(found.l1_peak_bytes)] };
    });
    return part("Schedules compared", table("The chosen schedule and others that the compiler lowers", ["schedule", "cycles", "time", "bound", "DRAM", "/ compulsory", "NoC", "L1 peak"], rows, [1, 2, 4, 5, 6, 7]));
  }
  function tensors(report) {
    return part("Tensors", table("What lies where, and what DRAM gives and takes", ["tensor", "role", "shape", "dtype", "layout", "size", "read", "written"],
      report.tensors.map((t) => ({ cells: [t.name, t.role, t.shape.join(" x "), t.dtype, t.layout, amount(t.size), amount(t.read), amount(t.written)] })), [5, 6, 7]));
  }

  function show(name, focus) {
    const report = byName.get(name);
    if (!report) return;
    for (const row of body.rows) row.setAttribute("aria-current", row.dataset.kernel === name);
    const head = make("div", {},
      make("h2", { id: "kernel-title", tabindex: -1, text: report.kernel }),
      make("p", { class: "lead", text: [report.description, `${report.file}; ${report.arch}, ${report.grid.join(" x ")} cores; ${report.algorithm}, ${report.policy}, ${report.order}; ${number(report.units)} units of work`].filter(Boolean).join(" · ") }),
      report.compute ? make("pre", {}, make("code", { text: report.compute })) : null);
    const parts = report.estimate
      ? [figures(report), make("div", { class: "pair" }, busy(report), cores(report)), timeline(report), make("div", { class: "pair" }, memory(report), schedules(report)), tensors(report)]
      : [make("p", { text: "Sources written by hand: nothing is known of what they do, so there is no estimate." }), memory(report), tensors(report)];
    view.replaceChildren(head, ...parts);
    if (focus) view.querySelector("#kernel-title").focus();
  }

  function sort(button) {
    const header = button.closest("th"), column = header.cellIndex;
    const direction = header.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
    for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction);
    const value = (row) => { const text = row.cells[column].dataset.value; return text === undefined ? row.cells[column].textContent : Number(text); };
    const rows = [...body.rows].sort((a, b) => { const x = value(a), y = value(b); return (typeof x === "number" ? x - y : x.localeCompare(y)) * (direction === "ascending" ? 1 : -1); });
    body.append(...rows);
  }
  function filter(text) {
    for (const row of body.rows) row.hidden = !row.dataset.kernel.includes(text) && !row.textContent.includes(text);
    document.getElementById("count").textContent = `${[...body.rows].filter((row) => !row.hidden).length} of ${body.rows.length} kernels`;
  }
  function step(by) {
    const rows = [...body.rows].filter((row) => !row.hidden);
    const at = rows.findIndex((row) => row.getAttribute("aria-current") === "true");
    const next = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
    if (next) { location.hash = next.querySelector("a").hash; next.scrollIntoView({ block: "nearest" }); }
  }
  const current = () => decodeURIComponent(location.hash.replace(/^#kernel=/, ""));

  for (const button of document.querySelectorAll("#overview thead button")) button.addEventListener("click", () => sort(button));
  const search = document.getElementById("filter");
  search.addEventListener("input", () => filter(search.value));
  const theme = document.getElementById("theme");
  theme.addEventListener("change", () => {
    if (theme.value) document.documentElement.dataset.theme = theme.value;
    else delete document.documentElement.dataset.theme;
    show(byName.has(current()) ? current() : reports[0].kernel, false);
  });
  window.addEventListener("hashchange", () => show(current(), true));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "/") { event.preventDefault(); search.focus(); }
    if (event.key === "j") step(1);
    if (event.key === "k") step(-1);
  });
  if (reports.length) show(byName.has(current()) ? current() : reports[0].kernel, false);
  document.documentElement.dataset.ready = "yes";
})();
