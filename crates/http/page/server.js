// The server: what is asked, changed and heard of it. Nothing else here talks to the network.

const KEPT_AS = "xsched-token";

/** What a refusal says. */
export class Refused extends Error {
  constructor(status, why) {
    super(why);
    this.status = status;
  }
}

export const token = {
  /** The token that was given, or nothing. */
  get: () => sessionStorage.getItem(KEPT_AS) ?? "",
  set: (text) => (text ? sessionStorage.setItem(KEPT_AS, text) : sessionStorage.removeItem(KEPT_AS)),
};

async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body.error ?? `the server answers ${response.status}`);
  return body;
}

/** What stands at a path. */
export async function get(path) {
  return answer(await fetch(path, { signal: AbortSignal.timeout(10_000) }));
}

/** Asks for a change. */
export async function put(path, change) {
  const headers = { "content-type": "application/json", authorization: `Bearer ${token.get()}` };
  const body = JSON.stringify(change);
  return answer(await fetch(path, { method: "PUT", headers, body, signal: AbortSignal.timeout(10_000) }));
}

/**
 * Hears what happens, while the page is looked at: a browser has few connections for one server, and a page in the background needs none.
 * `onHappenings(list, lost)`; `onLink("live" | "lost" | "paused")`.
 */
export function listen(onHappenings, onLink) {
  let source = null;
  const start = () => {
    source = new EventSource("/v1/events");
    source.onopen = () => onLink("live");
    source.onerror = () => {
      onLink("lost");
      // The browser tries again by itself, unless the server refused.
      if (source?.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(() => document.hidden || source || start(), 2000);
      }
    };
    source.addEventListener("happenings", (event) => {
      const { happenings, lost } = JSON.parse(event.data);
      onHappenings(happenings, lost);
    });
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
      onLink("paused");
    } else if (!source) start();
  });
  if (!document.hidden) start();
}
