// Words and elements. Text from outside becomes text of the page by `textContent` alone, never markup.

/** An element with these properties (`class`, `data-…` and `aria-…` as attributes) and children, which are elements or texts. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Writes a text, if it is another one: a screen reader reads again what is written again. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Nanoseconds for a person: three digits and a unit. */
export function duration(ns) {
  const units = [["ns", 1], ["µs", 1e3], ["ms", 1e6], ["s", 1e9], ["min", 60e9], ["h", 3600e9]];
  const [unit, size] = units.findLast(([, size]) => ns >= size) ?? units[0];
  const value = ns / size;
  return `${value >= 100 || unit === "ns" ? Math.round(value) : value.toPrecision(3)} ${unit}`;
}

/** A share for a person. */
export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/** A count for a person. */
export function count(n) {
  return n.toLocaleString("en");
}

/** A program as lists name it. */
export function named(program, client) {
  return `${program || "?"} (c${client})`;
}
