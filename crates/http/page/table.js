// The table: a row for each process on each device, changed in place so that who types into one is not disturbed.

import { count, duration, make, named, percent, write } from "./text.js";

/** Rows that are shown. */
const MOST_ROWS = 200;
/** The priorities there are; the server says more exactly what is wrong with others. */
const [LOWEST, HIGHEST] = [-256, 255];

/** Heading, by what it is sorted, whether its text begins at the left, and what it says when pointed at. */
const COLUMNS = [
  ["Program", (row) => row.process.program.toLowerCase(), "text program", "Name, process and user"],
  ["Priority", (row) => row.priority, "", "Higher goes first, under policies that go by it"],
  ["State", (row) => row.state, "text", "Now"],
  ["Device", (row) => row.device, "text", ""],
  ["Share", (row) => row.running, "text", "Of the last seconds: had the device, waited for it"],
  ["Had it", (row) => row.account?.running_ns ?? 0, "", "Time with work and not held back"],
  ["Waited", (row) => row.account?.waiting_ns ?? 0, "", "Time with work and held back"],
  ["Waits for", (row) => row.waitsFor, "text", "For whom it waited longest in the last seconds"],
  ["Suspended", (row) => row.account?.suspensions ?? 0, "", "Times that it was held back"],
  ["Longest wait", (row) => row.account?.waits.max_ns ?? 0, "", ""],
  ["Launched", (row) => row.launched, "", "Commands launched on the queues it has now"],
];

const element = (id) => document.getElementById(id);

/** How much of the time between two looks, from 0 to 1. */
const part = (now, then, elapsed) => Math.min(1, Math.max(0, (now - then) / elapsed));

/** Rows of one look at the server, with shares since an earlier one. */
export function rows(processes, earlier, elapsedNs) {
  const before = new Map(earlier.map((process) => [process.client, process]));
  const names = new Map(processes.map((process) => [process.client, process.program]));
  return processes.flatMap((process) => {
    const devices = new Set([...process.accounts, ...process.queues].map((one) => one.device_id));
    return [...(devices.size ? devices : [0])].map((device) => {
      const queues = process.queues.filter((queue) => queue.device_id === device);
      const account = process.accounts.find((one) => one.device_id === device);
      const then = before.get(process.client)?.accounts.find((one) => one.device_id === device);
      const since = (field) => (account && elapsedNs ? part(account[field], then?.[field] ?? 0, elapsedNs) : 0);
      const blamed = (account?.held_by ?? []).map(({ client, ns }) => ({ client, ns: ns - (then?.held_by.find((it) => it.client === client)?.ns ?? 0) }));
      const [waitsFor] = blamed.filter((it) => it.ns > 0).sort((a, b) => b.ns - a.ns);
      const isReady = queues.some((queue) => queue.times.has_work);
      const isHeld = queues.some((queue) => queue.suspended);
      const priorities = queues.map((queue) => queue.hints.priority ?? 0);
      return {
        key: `${process.client}/${device}`,
        process,
        account,
        device: queues[0]?.device ?? "",
        state: isReady ? (isHeld ? "waits" : "runs") : isHeld ? "held" : "idle",
        priority: priorities.length ? Math.max(...priorities) : 0,
        isMixed: new Set(priorities).size > 1,
        origin: queues.map((queue) => queue.origins.priority).find(Boolean),
        remark: queues.map((queue) => queue.remark).find(Boolean) ?? "",
        running: since("running_ns"),
        waiting: since("waiting_ns"),
        waitsFor: waitsFor ? named(names.get(waitsFor.client), waitsFor.client) : "",
        launched: queues.reduce((sum, queue) => sum + queue.launched, 0),
      };
    });
  });
}

export class Table {
  /** `onPriority(client, priority or null)`: somebody wants it changed, or taken back. */
  constructor(onPriority) {
    this.onPriority = onPriority;
    this.lines = new Map();
    this.sorted = { column: 4, isDown: true };
    this.last = [];
    element("table-head").append(...COLUMNS.map(([title, , kind, help], i) => this.#heading(title, kind, help, i)));
    this.#mark();
  }

  show(rows, filter) {
    this.last = rows;
    this.filter = filter;
    this.#arrange();
  }

  #heading(title, kind, help, column) {
    const button = make("button", { type: "button", textContent: title, title: help });
    button.addEventListener("click", () => {
      const isAgain = this.sorted.column === column;
      this.sorted = { column, isDown: isAgain ? !this.sorted.isDown : !kind.includes("program") };
      this.#mark();
      this.#arrange();
    });
    return make("th", { scope: "col", class: kind }, button);
  }

  #mark() {
    [...element("table-head").children].forEach((heading, i) => {
      if (i === this.sorted.column) heading.setAttribute("aria-sort", this.sorted.isDown ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
  }

  #arrange() {
    const body = element("table-body");
    const isWanted = ({ process }) => !this.filter || `${process.program} ${process.pid}`.toLowerCase().includes(this.filter);
    const wanted = this.last.filter(isWanted);
    // Rows under somebody's fingers stay where they are.
    if (!body.contains(document.activeElement)) {
      const by = COLUMNS[this.sorted.column][1];
      const sign = this.sorted.isDown ? -1 : 1;
      this.order = new Map([...this.last].sort((a, b) => {
        const [x, y] = [by(a), by(b)];
        return (x < y ? -1 : x > y ? 1 : 0) * sign || a.process.client - b.process.client;
      }).map((row, i) => [row.key, i]));
    }
    const place = (row) => this.order?.get(row.key) ?? Infinity;
    const shown = wanted.sort((a, b) => place(a) - place(b)).slice(0, MOST_ROWS);
    const kept = new Set(shown.map((row) => row.key));
    for (const [key, line] of this.lines) {
      if (kept.has(key)) continue;
      line.remove();
      this.lines.delete(key);
    }
    shown.forEach((row, i) => {
      let line = this.lines.get(row.key);
      if (!line) {
        line = new Line(row, this.onPriority);
        this.lines.set(row.key, line);
      }
      line.show(row);
      if (body.children[i] !== line.element) body.insertBefore(line.element, body.children[i] ?? null);
    });
    const left = wanted.length - shown.length;
    const none = this.last.length ? (wanted.length ? "" : "No program matches the filter.") : "No process is attached.";
    write(element("table-note"), left > 0 ? `${count(left)} more are not shown; the filter finds them.` : none);
  }
}

/** One row of the table. */
class Line {
  constructor(row, onPriority) {
    const { client, pid, uid, container } = row.process;
    this.name = make("bdi");
    const program = make("th", { scope: "row", class: "text program" }, this.name, make("small", { textContent: `pid ${pid} · c${client} · uid ${uid}${container ? ` · ${container.slice(0, 12)}` : ""}` }));
    this.cells = Object.fromEntries(["priority", "state", "device", "share", "running", "waiting", "waitsFor", "suspensions", "longest", "launched"].map((name) => [name, make("td", { "data-cell": name })]));
    for (const name of ["state", "device", "share", "waitsFor"]) this.cells[name].classList.add("text");
    this.element = make("tr", { "data-client": client, "data-pid": pid }, program, ...Object.values(this.cells));
    this.state = make("span", { class: "state" });
    this.remark = make("small", { class: "origin" });
    this.cells.state.append(this.state, this.remark);
    this.#bar();
    this.waitsFor = make("bdi");
    this.cells.waitsFor.append(this.waitsFor);
    this.#priority(client, row.process.program, onPriority);
  }

  remove() {
    this.element.remove();
  }

  show({ process, account, device, state, priority, isMixed, origin, remark, running, waiting, waitsFor, launched }) {
    write(this.name, process.program);
    write(this.state, state);
    this.state.dataset.state = state;
    write(this.remark, remark);
    write(this.cells.device, device);
    this.runs.style.width = percent(running).replace(" ", "");
    this.waits.style.width = percent(Math.min(waiting, 1 - running)).replace(" ", "");
    write(this.percent, percent(running));
    this.share.title = `had the device ${percent(running)}, waited ${percent(waiting)} of the time`;
    this.#time("running", account?.running_ns ?? 0);
    this.#time("waiting", account?.waiting_ns ?? 0);
    write(this.waitsFor, waitsFor);
    write(this.cells.suspensions, count(account?.suspensions ?? 0));
    this.#time("longest", account?.waits.max_ns ?? 0);
    write(this.cells.launched, count(launched));
    this.now = priority;
    if (!this.input.classList.contains("edited")) this.input.value = priority;
    const rule = origin?.rule ? ` ${origin.rule}` : "";
    write(this.origin, `${isMixed ? "highest of its queues; " : ""}${origin ? `from ${origin.source}${rule}` : "default"}`);
    this.back.hidden = origin?.source !== "operator";
  }

  #time(cell, ns) {
    this.cells[cell].dataset.ns = ns;
    write(this.cells[cell], duration(ns));
  }

  #bar() {
    [this.runs, this.waits] = [make("span", { class: "runs" }), make("span", { class: "waits" })];
    this.percent = make("b");
    this.share = make("span", { class: "share" }, make("span", { class: "bar", "aria-hidden": "true" }, this.runs, this.waits), this.percent);
    this.cells.share.append(this.share);
  }

  #priority(client, program, onPriority) {
    const of = `of ${named(program, client)}`;
    this.input = make("input", { type: "number", min: LOWEST, max: HIGHEST, step: 1, required: true, "aria-label": `Priority ${of}` });
    const set = make("button", { type: "submit", textContent: "Set", "aria-label": `Set the priority ${of}` });
    this.back = make("button", { type: "button", textContent: "Undo", hidden: true, "aria-label": `Take back the priority that was set ${of}` });
    this.origin = make("small", { class: "origin" });
    const form = make("form", { class: "priority" }, this.input, set, this.back);
    const settled = () => this.input.classList.remove("edited");
    this.input.addEventListener("input", () => this.input.classList.toggle("edited", this.input.value !== String(this.now)));
    this.input.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      settled();
      this.input.value = this.now;
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onPriority(client, Number(this.input.value)).then(settled, () => {});
    });
    this.back.addEventListener("click", () => onPriority(client, null).then(settled, () => {}));
    this.cells.priority.append(form, this.origin);
  }
}
