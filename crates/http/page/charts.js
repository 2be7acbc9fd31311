// Latencies as histograms, with their figures as text.

import { count, duration, make, write } from "./text.js";

/** Upper bounds of the server's buckets, in nanoseconds; the last bucket has none. */
const BOUNDS = [1e4, 2.5e4, 5e4, 1e5, 2.5e5, 5e5, 1e6, 2.5e6, 5e6, 1e7, 5e7, 1e8, 1e9, 1e10];
const KINDS = [
  ["closing", "Until the gate is closed", "what xserver itself adds to a preemption"],
  ["drain", "Until nothing is in flight", "from there, where the program said so"],
  ["waits", "Waits", "how long processes with work were held back, each time"],
];
const QUANTILES = [["p50_ns", "half"], ["p90_ns", "90 %"], ["p99_ns", "99 %"], ["max_ns", "longest"]];
const [WIDTH, HEIGHT, FOOT] = [300, 110, 16];
const SVG = "http://www.w3.org/2000/svg";

function shape(tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

class Chart {
  constructor([kind, title, help]) {
    this.kind = kind;
    this.title = title;
    const step = WIDTH / (BOUNDS.length + 1);
    this.svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    this.svg.append(shape("line", { x1: 0, x2: WIDTH, y1: HEIGHT - FOOT, y2: HEIGHT - FOOT }));
    this.bars = Array.from({ length: BOUNDS.length + 1 }, (_, i) => shape("rect", { x: i * step + 1, width: step - 2, y: HEIGHT - FOOT, height: 0 }));
    this.svg.append(...this.bars);
    for (const i of [0, 3, 6, 9, 12]) {
      this.svg.append(shape("text", { x: (i + 1) * step, y: HEIGHT - 4, "text-anchor": "middle" }, duration(BOUNDS[i]).replace(/\.0+ /, " ")));
    }
    this.figures = new Map(["count", ...QUANTILES.map(([field]) => field)].map((field) => [field, make("dd", { textContent: "–", "data-field": field })]));
    const list = make("dl", { class: "quantiles" });
    for (const [field, word] of [["count", "times"], ...QUANTILES]) {
      list.append(make("div", {}, make("dt", { textContent: word }), this.figures.get(field)));
    }
    const caption = make("figcaption", {}, title, make("small", { textContent: help }));
    this.figure = make("figure", { "data-kind": kind }, caption, this.svg, list);
  }

  show(latency) {
    const buckets = latency.buckets ?? [];
    // Each bucket of the server holds those of the shorter ones too.
    const counts = [...buckets, latency.count].map((n, i) => n - (buckets[i - 1] ?? 0));
    const most = Math.max(1, ...counts);
    this.bars.forEach((bar, i) => {
      const height = ((counts[i] ?? 0) / most) * (HEIGHT - FOOT - 4);
      bar.setAttribute("y", HEIGHT - FOOT - height);
      bar.setAttribute("height", height);
    });
    write(this.figures.get("count"), count(latency.count));
    for (const [field] of QUANTILES) write(this.figures.get(field), latency.count ? duration(latency[field]) : "–");
    const words = QUANTILES.map(([field, word]) => `${word} ${duration(latency[field])}`).join(", ");
    this.svg.setAttribute("aria-label", `${this.title}: ${latency.count ? `${latency.count} times, ${words}` : "none yet"}`);
  }
}

export class Charts {
  constructor() {
    this.all = KINDS.map((kind) => new Chart(kind));
    document.getElementById("charts").append(...this.all.map((chart) => chart.figure));
  }

  show(totals) {
    if (totals) this.all.forEach((chart) => chart.show(totals[chart.kind]));
  }
}
