// What can be changed, what came of it, and the token that changes need.

import { put, token } from "./server.js";
import { make, write } from "./text.js";

const element = (id) => document.getElementById(id);

/** Says what came of something, to eyes and to screen readers. */
export function say(text, isBad = false) {
  const said = element("said");
  said.classList.toggle("bad", isBad);
  write(said, text);
}

/** Asks for a change, and says what came of it: `done` makes a sentence of the answer. Fails if it was refused. */
export async function change(path, body, done) {
  if (!token.get()) {
    element("token").focus();
    say("Changes need the token: give it above first.", true);
    throw new Error("no token");
  }
  try {
    say(done(await put(path, body)));
  } catch (error) {
    if (error.status === 401 || error.status === 403) element("token").focus();
    say(`Not changed: ${error.message}`, true);
    throw error;
  }
}

export class PolicyControl {
  /** `onChange()`: it was changed. */
  constructor(onChange) {
    this.select = element("policy");
    this.current = null;
    this.select.addEventListener("change", () => this.#help());
    element("policy-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const name = this.select.value;
      change("/v1/policy", { name }, ({ current }) => `Policy ${current} is in force.`)
        .then(() => this.show({ current: name, available: this.available }), () => {})
        .finally(onChange);
    });
  }

  /** What is in force, and what there is. A choice that was not sent yet stays, unless somebody else changed the policy meanwhile. */
  show({ current, available }) {
    if (available.map((policy) => policy.name).join() !== this.available?.map((policy) => policy.name).join()) {
      this.select.replaceChildren(...available.map(({ name }) => make("option", { value: name, textContent: name })));
      this.current = null;
    }
    this.available = available;
    if (current !== this.current) {
      if (this.current !== null && this.select.value !== current) say(`Policy ${current} is in force.`);
      this.current = current;
      this.select.value = current;
      this.#help();
    }
    write(element("policy-now"), current);
  }

  #help() {
    write(element("policy-help"), this.available?.find(({ name }) => name === this.select.value)?.help ?? "");
  }
}

/** Takes the token from its field. */
export function startToken() {
  const field = element("token");
  field.value = token.get();
  element("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    token.set(field.value.trim());
    say(token.get() ? "This tab uses the token for its changes." : "This tab has no token.");
  });
}
