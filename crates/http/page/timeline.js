// The timeline: one lane for each queue, drawn again and again while it is looked at; and the latest preemptions in words.

import { duration, make, named, percent, write } from "./text.js";

/** Lanes that are drawn. */
const MOST_LANES = 32;
/** What comes from the server is so late at most. */
const LATE_MS = 300;
const SHOWN_PREEMPTIONS = 12;
/** How tall a state is, of the lane, and which colour of the style sheet it has. */
const LOOKS = { running: [0.8, "--running"], waiting: [0.5, "--waiting"], held: [0.22, "--held"], idle: [0.06, "--held"], gone: [0, "--held"] };

const element = (id) => document.getElementById(id);

export class Timeline {
  constructor(history) {
    this.history = history;
    this.rows = new Map();
    this.filter = "";
    this.stoppedAt = null;
    this.colours = {};
    this.#colour();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#colour());
    element("pause").addEventListener("click", () => this.#pause());
    element("window").addEventListener("change", () => this.#axis());
    this.#axis();
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
    let drawnAt = 0;
    const frame = (at) => {
      requestAnimationFrame(frame);
      if (at - drawnAt < (isCalm.matches ? 1000 : 50)) return;
      drawnAt = at;
      this.#draw();
    };
    requestAnimationFrame(frame);
    setInterval(() => this.#tell(), 2000);
  }

  /** Which queues there are may have changed: rows are made and removed. */
  arrange() {
    const { lanes } = this.history;
    const from = this.#end() - this.#windowMs();
    const isShown = (lane) =>
      (lane.spans.at(-1).state !== "gone" || lane.spans.at(-1).at > from) &&
      (!this.filter || `${lane.program} ${lane.pid}`.toLowerCase().includes(this.filter));
    const wanted = [...lanes.values()].filter(isShown).sort((a, b) => a.client - b.client || a.queue - b.queue);
    const shown = wanted.slice(0, MOST_LANES);
    const kept = new Set(shown.map((lane) => lane.queue));
    for (const [queue, row] of this.rows) {
      if (kept.has(queue)) continue;
      row.item.remove();
      this.rows.delete(queue);
    }
    const list = element("lanes");
    const known = this.rows.size;
    shown.forEach((lane, place) => {
      const row = this.rows.get(lane.queue) ?? this.#row(lane);
      write(row.program, lane.program || "?");
      write(row.which, `q${lane.queue} · c${lane.client}${lane.pid ? ` · pid ${lane.pid}` : ""}`);
      if (list.children[place] !== row.item) list.insertBefore(row.item, list.children[place] ?? null);
    });
    // Who listens is not to meet a lane without words.
    if (this.rows.size > known) this.#tell();
    const left = wanted.length - shown.length;
    const none = lanes.size === 0 ? "No queue yet. Start a program with xcli run." : "";
    write(element("lanes-note"), left > 0 ? `${left} more queues are not drawn; the filter finds them.` : none);
  }

  #row(lane) {
    const program = make("bdi");
    const which = make("small");
    const canvas = make("canvas", { role: "img" });
    const item = make("li", { "data-queue": lane.queue }, make("div", { class: "name" }, program, which), canvas);
    const row = { item, program, which, canvas, lane };
    this.rows.set(lane.queue, row);
    return row;
  }

  #windowMs() {
    return Number(element("window").value) * 1000;
  }

  /** The time at the right edge. */
  #end() {
    return this.stoppedAt ?? this.history.now() - LATE_MS;
  }

  #pause() {
    this.stoppedAt = this.stoppedAt === null ? this.#end() : null;
    element("pause").setAttribute("aria-pressed", String(this.stoppedAt !== null));
  }

  #colour() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["--running", "--waiting", "--held", "--mark"]) this.colours[name] = style.getPropertyValue(name).trim();
  }

  #axis() {
    const seconds = Number(element("window").value);
    const labels = [1, 0.75, 0.5, 0.25].map((part) => make("span", { textContent: `−${seconds * part} s` }));
    element("axis").replaceChildren(...labels, make("span", { textContent: "now" }));
  }

  #draw() {
    const end = this.#end();
    const from = end - this.#windowMs();
    for (const { lane, canvas } of this.rows.values()) {
      const scale = devicePixelRatio || 1;
      const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      const pen = canvas.getContext("2d");
      pen.clearRect(0, 0, width, height);
      const x = (at) => ((Math.max(at, from) - from) / (end - from)) * width;
      const first = lane.spans.findLastIndex((span) => span.at <= from);
      // Of more changes than can be told apart, one in each pixel.
      const least = lane.spans.length - first > 2 * width ? 1 : 0;
      let right = width;
      for (let i = lane.spans.length - 1; i >= 0 && right > 0; i -= 1) {
        const { at, state } = lane.spans[i];
        if (at >= end) continue;
        const left = x(at);
        if (right - left < least && left > 0) continue;
        const [tall, colour] = LOOKS[state];
        pen.fillStyle = this.colours[colour];
        pen.fillRect(left, height * (1 - tall), right - left, height * tall);
        right = left;
      }
      pen.fillStyle = this.colours["--mark"];
      let last = Infinity;
      for (let i = lane.marks.length - 1; i >= 0 && lane.marks[i] >= from; i -= 1) {
        const at = lane.marks[i];
        if (at > end || last - x(at) < least) continue;
        last = x(at);
        const size = 4 * scale;
        pen.fillRect(x(at) - scale / 2, 0, scale, height);
        pen.beginPath();
        pen.moveTo(x(at) - size, 0);
        pen.lineTo(x(at) + size, 0);
        pen.lineTo(x(at), size * 1.6);
        pen.fill();
      }
    }
  }

  /** The same in words. */
  #tell() {
    const end = this.#end();
    const windowMs = this.#windowMs();
    for (const { lane, canvas } of this.rows.values()) {
      const shares = this.history.shares(lane, end - windowMs, end);
      const states = [["running", "ran"], ["waiting", "waited"], ["held", "held back without work"], ["idle", "idle"]];
      const words = states.filter(([state]) => shares[state] >= 0.005).map(([state, word]) => `${word} ${percent(shares[state])}`);
      canvas.setAttribute("aria-label", `In the last ${windowMs / 1000} s: ${words.join(", ") || "not there"}; preempted ${shares.preemptions} times`);
    }
    const list = element("preemptions");
    if (!list.closest("details").open) return;
    const names = new Map([...this.history.lanes.values()].map((lane) => [lane.client, lane.program]));
    const name = (client) => named(names.get(client), client);
    const latest = this.history.preemptions.slice(-SHOWN_PREEMPTIONS).reverse();
    list.replaceChildren(
      ...latest.map((one) => {
        const whom = make("bdi", { textContent: name(one.client) });
        const why = one.by === null ? [" was held back: its turn was over, or something was changed"] : [" was held back for ", make("bdi", { textContent: name(one.by) })];
        const gate = one.ns === null ? "" : `; its gate was closed after ${duration(one.ns)}`;
        return make("li", {}, `${((this.history.now() - one.at) / 1000).toFixed(1)} s ago `, whom, ...why, gate);
      }),
    );
    if (latest.length === 0) list.replaceChildren(make("li", { textContent: "none yet" }));
  }
}
