/* Draws what was measured: sections with data-graphs ask that address of the API and draw each
   .graph in them. The figures stand in a table too, for whoever has no JavaScript. */
(function () {
  "use strict";

  const SERVERS = 8;
  const HEIGHT = 180;
  const REFRESH = 30000;
  const lang = document.documentElement.lang;
  const open = new Set();

  /* Colours are tokens: asked of an element, because they depend on the theme. */
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  function colour(token) {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  }
  const lineColour = (index) => colour(`--ek-line-${index % SERVERS + 1}`);

  /* Numbers and times, as the reader's language writes them -------------------------------- */

  const compact = new Intl.NumberFormat(lang, { notation: "compact", maximumSignificantDigits: 3 });
  const plain = new Intl.NumberFormat(lang, { maximumSignificantDigits: 3 });

  function figure(value, unit) {
    if (value === null || value === undefined) return "–";
    if (unit !== "B/s") return compact.format(value) + (unit === "1/s" ? "/s" : "");
    let power = 0;
    while (value >= 1000 && power < 4) { value /= 1000; power += 1; }
    return `${plain.format(value)} ${["B", "kB", "MB", "GB", "TB"][power]}/s`;
  }

  function timeLabels(zone) {
    const clock = new Intl.DateTimeFormat(lang, { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const day = new Intl.DateTimeFormat(lang, { timeZone: zone, month: "short", day: "numeric" });
    return (u, splits, _axis, _space, step) => splits.map((at, index) => {
      const moment = new Date(at * 1000);
      const isNewDay = index > 0 && day.format(moment) !== day.format(new Date(splits[index - 1] * 1000));
      return step >= 86400 || isNewDay ? day.format(moment) : clock.format(moment);
    });
  }

  /* From the API's lines to curves: {label, own, drawn, colour, ...} ------------------------- */

  const isKnown = (values) => values.some((value) => value !== null);
  const plus = (one, other) => (one === null ? other : other === null ? one : one + other);

  function wholeCurves(lines) {
    const curves = [];
    lines.forEach((line, index) => {
      curves.push({ label: line.title, own: line.average, drawn: line.average, colour: lineColour(index), width: 1.75 });
      curves.push({ label: null, own: line.peak, drawn: line.peak, colour: lineColour(index), width: 0.75, dash: [3, 3] });
    });
    return curves;
  }

  /* Each real server on top of the ones before it; the busiest at the bottom. */
  function stackedCurves(lines) {
    const servers = new Map();
    for (const line of lines) {
      const before = servers.get(line.real_server);
      const own = before ? before.own.map((value, at) => plus(value, line.average[at])) : line.average;
      servers.set(line.real_server, { label: line.address, own, mean: (before ? before.mean : 0) + (line.mean || 0) });
    }
    const sorted = Array.from(servers.values()).sort((one, other) => other.mean - one.mean);
    let below = null;
    return sorted.map((server, index) => {
      const drawn = below ? server.own.map((value, at) => plus(value, below[at])) : server.own;
      below = drawn;
      return { label: server.label, own: server.own, drawn, colour: lineColour(index), width: 1, isFilled: true };
    }).reverse();
  }

  /* One graph --------------------------------------------------------------------------------- */

  function draw(state, place, data) {
    const names = place.dataset.metrics.split(" ");
    const lines = data.lines.filter((line) => names.includes(line.metric) && isKnown(line.average));
    const unit = place.dataset.unit;
    const curves = state.isSplit ? stackedCurves(lines) : wholeCurves(lines);
    state.plots.get(place)?.destroy();
    state.plots.delete(place);
    place.querySelector(".graph-none").hidden = curves.length > 0;
    if (!curves.length) return;
    const axis = { stroke: colour("--ek-mute"), grid: { stroke: colour("--ek-line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const options = {
      width: place.clientWidth,
      height: HEIGHT,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), state.zone),
      scales: {
        x: { range: () => [state.from, state.to] },
        y: { range: (_u, _low, high) => [0, high > 0 ? high * 1.08 : 1] },
      },
      axes: [
        { ...axis, values: timeLabels(state.zone), space: 64, size: 34 },
        { ...axis, size: 68, values: (_u, splits) => splits.map((value) => figure(value, unit)) },
      ],
      series: [
        { value: (_u, at) => (at === null ? "" : state.moments.format(new Date(at * 1000))), label: state.section.dataset.time },
        ...curves.map((curve) => ({
          label: curve.label || state.section.dataset.peak,
          stroke: curve.colour,
          width: curve.width,
          dash: curve.dash,
          fill: curve.isFilled ? curve.colour : undefined,
          points: { show: (u, series, from, to) => to - from < 3 },
          value: (_u, _value, _series, at) => figure(at === null ? null : curve.own[at], unit),
        })),
      ],
      cursor: { drag: { x: true, y: false, setScale: false }, sync: { key: state.section.id } },
      hooks: {
        setSelect: [(u) => {
          if (u.select.width > 6) zoom(state, u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
        }],
      },
    };
    const plot = new uPlot(options, [data.times, ...curves.map((curve) => curve.drawn)], place);
    plot.over.addEventListener("dblclick", () => wholePeriod(state));
    state.plots.set(place, plot);
  }

  function drawAll(state) {
    if (!state.data) return;
    for (const place of state.places) draw(state, place, state.data);
  }

  /* One section ------------------------------------------------------------------------------- */

  async function load(state) {
    const asked = ++state.asked;
    const address = new URL(state.section.dataset.graphs, location.href);
    address.searchParams.set("from", new Date(state.from * 1000).toISOString());
    address.searchParams.set("to", new Date(state.to * 1000).toISOString());
    address.searchParams.set("points", String(Math.min(400, Math.max(60, Math.round(state.places[0].clientWidth / 3)))));
    if (state.isSplit) address.searchParams.set("by", "real_server");
    const answer = await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null);
    if (asked !== state.asked || !state.section.isConnected) return;
    const isGood = answer !== null && answer.ok;
    state.section.querySelector(".graph-failed").hidden = isGood;
    if (!isGood) return;
    state.data = await answer.json();
    drawAll(state);
  }

  function zoom(state, from, to) {
    if (to - from < 60) return;
    Object.assign(state, { from, to, isZoomed: true });
    state.back.hidden = false;
    load(state);
  }

  function wholePeriod(state) {
    state.to = Date.parse(state.section.dataset.to) / 1000 + (performance.now() - state.since) / 1000;
    state.from = state.to - Number(state.section.dataset.seconds);
    state.isZoomed = false;
    state.back.hidden = true;
    load(state);
  }

  function start(section) {
    const zone = section.dataset.zone;
    const state = {
      section, zone, asked: 0, since: performance.now(), plots: new Map(), data: null, isSplit: false,
      places: Array.from(section.querySelectorAll(".graph")),
      back: section.querySelector("[data-unzoom]"),
      moments: new Intl.DateTimeFormat(lang, { timeZone: zone, dateStyle: "medium", timeStyle: "short" }),
    };
    section.querySelector(".graphs").hidden = false;
    state.back.addEventListener("click", () => wholePeriod(state));
    const split = section.querySelector("[data-split]");
    if (split) {
      split.hidden = false;
      split.addEventListener("click", () => {
        state.isSplit = !state.isSplit;
        split.setAttribute("aria-pressed", String(state.isSplit));
        load(state);
      });
    }
    new ResizeObserver(() => {
      for (const [place, plot] of state.plots) {
        if (place.clientWidth && place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height: HEIGHT });
      }
    }).observe(section);
    open.add(state);
    wholePeriod(state);
  }

  function startAll(root) {
    const found = root.matches?.("[data-graphs]") ? [root] : root.querySelectorAll("[data-graphs]");
    for (const section of found) {
      if (!section.dataset.isStarted) {
        section.dataset.isStarted = "yes";
        start(section);
      }
    }
  }

  setInterval(() => {
    for (const state of open) {
      if (!state.section.isConnected) open.delete(state);
      else if (!document.hidden && !state.isZoomed) wholePeriod(state);
    }
  }, REFRESH);
  const redraw = () => open.forEach(drawAll);
  new MutationObserver(redraw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("htmx:load", (event) => startAll(event.detail.elt));
  startAll(document);
})();
