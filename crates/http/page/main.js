// The page: asks the server once in a second and whenever something happens that matters, and hands what it says to the parts.

import { Charts } from "./charts.js";
import { PolicyControl, change, say, startToken } from "./controls.js";
import { History } from "./history.js";
import { Refused, get, listen } from "./server.js";
import { Table, rows } from "./table.js";
import { count, duration, write } from "./text.js";
import { Timeline } from "./timeline.js";

const EVERY_MS = 1000;
/** Of all the time, asking takes this part at most, however many processes there are. */
const BUSY = 0.1;
/** Shares are of this time. */
const SHARES_OF_MS = 3000;

const element = (id) => document.getElementById(id);

const history = new History();
const timeline = new Timeline(history);
const charts = new Charts();
const policy = new PolicyControl(() => soon());
const table = new Table((client, value) => {
  const body = value === null ? { client, name: "priority" } : { client, name: "priority", value };
  const done = ({ note }) => `Priority of c${client} ${value === null ? "taken back" : `set to ${value}`}.${note ? ` ${note}.` : ""}`;
  return change("/v1/hints", body, done).finally(soon);
});
startToken();

let filter = "";
element("filter").addEventListener("input", (event) => {
  filter = event.target.value.trim().toLowerCase();
  timeline.filter = filter;
  timeline.arrange();
  table.show(table.last, filter);
});

/** Earlier looks at the processes, oldest first: { at, processes }. */
let looks = [];
let started = null;

async function look() {
  const [server, policies, { processes }] = await Promise.all([get("/v1/server"), get("/v1/policy"), get("/v1/processes")]);
  const { totals } = server;
  const at = (totals?.now ?? 0) / 1e6;
  const life = `${server.pid}/${totals?.started}`;
  if (started !== life) {
    history.clear();
    looks = [];
    started = life;
  }
  history.heard(at);
  history.settle(processes, at);
  while (looks.length > 1 && looks[1].at <= at - SHARES_OF_MS) looks.shift();
  const earlier = looks[0];
  table.show(rows(processes, earlier?.processes ?? [], earlier ? (at - earlier.at) * 1e6 : 0), filter);
  if (looks.at(-1)?.at !== at) looks.push({ at, processes });
  timeline.arrange();
  charts.show(totals);
  policy.show(policies);
  write(element("total-processes"), count(server.processes));
  write(element("total-queues"), count(server.queues));
  write(element("total-suspensions"), count(totals?.suspensions ?? 0));
  write(element("server-up"), `${server.version}, up ${duration((totals?.now ?? 0) - (totals?.started ?? 0))}`);
}

let timer = null;
let isLooking = false;
let isWanted = false;

async function run() {
  timer = null;
  if (isLooking) {
    isWanted = true;
    return;
  }
  isLooking = true;
  const begun = performance.now();
  try {
    await look();
    if (isLost) link("live");
  } catch (error) {
    link("lost", error instanceof Refused ? error.message : "xserver does not answer");
  }
  isLooking = false;
  const took = performance.now() - begun;
  if (!document.hidden) timer ??= setTimeout(run, isWanted ? 50 : Math.max(EVERY_MS, took / BUSY));
  isWanted = false;
}

/** Looks soon, and not twice for what happens at once. */
function soon() {
  clearTimeout(timer);
  timer = setTimeout(run, 100);
}

let isLost = false;

function link(state, why = "xserver does not answer") {
  const words = { live: "live", lost: why, paused: "paused while out of sight" };
  isLost = state === "lost";
  element("link").dataset.state = state;
  write(element("link"), words[state]);
}

let lostSoFar = 0;

listen(
  (happenings, lost) => {
    if (lost) {
      lostSoFar += lost;
      say(`${count(lostSoFar)} happenings came too fast to be shown.`, true);
    }
    if (history.take(happenings)) soon();
  },
  (state) => {
    link(state);
    if (state === "live") soon();
  },
);
run();
