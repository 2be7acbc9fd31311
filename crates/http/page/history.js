// What each queue was like, and when: from happenings as they come, set right by what the server says of itself now and then.
//
// Times are milliseconds of the server's clock. Deliberately absent: anything that is drawn.

/** How long it is remembered. */
const KEPT_MS = 70_000;
/** Changes of one queue that are remembered. */
const MOST_SPANS = 20_000;
const MOST_PREEMPTIONS = 200;
/** What was heard so lately is not set right: the other word may be older. */
const SETTLED_MS = 600;

const of = (client, device) => `${client}/${device}`;

export class History {
  constructor() {
    this.clear();
  }

  /** Forgets everything: another server answers. */
  clear() {
    /** Queue → its lane. */
    this.lanes = new Map();
    /** Client and device → the lanes there: a process that is held back is one of thousands. */
    this.places = new Map();
    /** Client and device → { isHeld, at }: whether it is held back, and when that was heard. */
    this.held = new Map();
    /** Latest last: { at, client, by, device, ns }. */
    this.preemptions = [];
    this.offset = null;
  }

  /** What the server's clock says now. */
  now() {
    return this.offset === null ? 0 : performance.now() + this.offset;
  }

  /** The server's clock said this, a moment ago. */
  heard(atMs) {
    const offset = atMs - performance.now();
    // What comes late makes it seem slower, never faster.
    if (this.offset === null || offset > this.offset) this.offset = offset;
  }

  /** Takes in what happened. Whether something did that the table should show at once. */
  take(happenings) {
    let isNews = false;
    for (const one of happenings) {
      const at = one.at / 1e6;
      this.heard(at);
      switch (one.what) {
        case "ready":
        case "idle": {
          const lane = this.#lane(one.queue, one.client, one.device, at);
          lane.isReady = one.what === "ready";
          lane.heardAt = at;
          this.#change(lane, at);
          break;
        }
        case "suspend":
        case "resume":
          this.#hold(one, at);
          break;
        case "closed": {
          const last = this.preemptions.findLast((it) => it.client === one.client && it.device === one.device);
          if (last && last.ns === null) last.ns = one.ns;
          break;
        }
        case "left":
          for (const [key, lanes] of this.places) {
            if (key.startsWith(`${one.client}/`)) lanes.forEach((lane) => this.#end(lane, at));
          }
          isNews = true;
          break;
        case "joined":
        case "hint":
        case "policy":
          isNews = true;
          break;
      }
    }
    return isNews;
  }

  /** What the server said of its processes: lanes that are wrong, because something was missed, are set right. */
  settle(processes, atMs) {
    const seen = new Set();
    for (const process of processes) {
      let device = null;
      for (const queue of process.queues) {
        seen.add(queue.queue);
        const lane = this.#lane(queue.queue, process.client, queue.device_id, atMs);
        lane.program = process.program;
        lane.pid = process.pid;
        if (queue.device_id !== device) {
          // A process is held back on a device, with all its queues there.
          device = queue.device_id;
          const key = of(process.client, device);
          if (atMs - (this.held.get(key)?.at ?? 0) > SETTLED_MS) this.held.set(key, { isHeld: queue.suspended, at: 0 });
        }
        if (atMs - lane.heardAt > SETTLED_MS) lane.isReady = queue.times.has_work;
        this.#change(lane, Math.max(atMs, lane.spans.at(-1).at));
      }
    }
    for (const [number, lane] of this.lanes) {
      if (!seen.has(number) && atMs - lane.spans.at(-1).at > SETTLED_MS) this.#end(lane, atMs);
      if (lane.spans.at(-1).state === "gone" && lane.spans.at(-1).at < atMs - KEPT_MS) this.#drop(number, lane);
    }
    this.#forget(atMs - KEPT_MS);
  }

  /** How much of the time from `from` to `to` a lane was in each state, from 0 to 1, and how often it was preempted. */
  shares(lane, from, to) {
    const shares = { running: 0, waiting: 0, held: 0, idle: 0, gone: 0 };
    let end = to;
    for (let i = lane.spans.length - 1; i >= 0 && end > from; i -= 1) {
      const { at, state } = lane.spans[i];
      if (at < end) {
        shares[state] += (end - Math.max(at, from)) / (to - from);
        end = at;
      }
    }
    return { ...shares, preemptions: lane.marks.filter((at) => at >= from).length };
  }

  #lane(queue, client, device, at) {
    let lane = this.lanes.get(queue);
    if (!lane) {
      const key = of(client, device);
      lane = { queue, client, device, key, program: "", pid: 0, isReady: false, heardAt: 0, spans: [{ at, state: "gone" }], marks: [] };
      this.lanes.set(queue, lane);
      if (!this.places.has(key)) this.places.set(key, new Set());
      this.places.get(key).add(lane);
    }
    return lane;
  }

  #drop(queue, lane) {
    const { key } = lane;
    this.lanes.delete(queue);
    this.places.get(key)?.delete(lane);
    if (this.places.get(key)?.size === 0) {
      this.places.delete(key);
      this.held.delete(key);
    }
  }

  #hold({ client, device, by, what }, at) {
    this.held.set(of(client, device), { isHeld: what === "suspend", at });
    let isPreempted = false;
    for (const lane of this.places.get(of(client, device)) ?? []) {
      if (what === "suspend" && lane.isReady) {
        lane.marks.push(at);
        if (lane.marks.length > MOST_SPANS) lane.marks.splice(0, MOST_SPANS / 10);
        isPreempted = true;
      }
      this.#change(lane, at);
    }
    if (!isPreempted) return;
    this.preemptions.push({ at, client, device, by: by ?? null, ns: null });
    if (this.preemptions.length > MOST_PREEMPTIONS) this.preemptions.shift();
  }

  #change(lane, at) {
    const isHeld = this.held.get(lane.key)?.isHeld ?? false;
    const state = lane.isReady ? (isHeld ? "waiting" : "running") : isHeld ? "held" : "idle";
    if (lane.spans.at(-1).state === state) return;
    lane.spans.push({ at, state });
    if (lane.spans.length > MOST_SPANS) lane.spans.splice(0, MOST_SPANS / 10);
  }

  #end(lane, at) {
    if (lane.spans.at(-1).state !== "gone") lane.spans.push({ at, state: "gone" });
    lane.isReady = false;
  }

  #forget(before) {
    for (const lane of this.lanes.values()) {
      const first = lane.spans.length > 1 ? lane.spans.findLastIndex((span) => span.at < before) : 0;
      if (first > 0) lane.spans.splice(0, first);
      if (lane.marks.length === 0) continue;
      const mark = lane.marks.findIndex((at) => at >= before);
      if (mark !== 0) lane.marks.splice(0, mark < 0 ? lane.marks.length : mark);
    }
  }
}
