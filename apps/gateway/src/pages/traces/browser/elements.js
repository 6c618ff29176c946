// Runs in the browser.

/**
 * Makes an element. What is given as a child is text, and never becomes markup: much of it was written by others.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Readonly<Record<string, string | number | boolean | undefined>>} attributes One that is undefined or false is
 *   left out.
 * @param {...(Node | string | undefined | false)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(attribute, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== undefined && child !== false).filter((child) => child !== ""));
  return made;
}

/**
 * Returns an element of the page by its id.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 */
export function elementById(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * @param {string} text
 * @param {() => void} onClick
 * @param {Readonly<Record<string, string>>} [attributes]
 */
export function button(text, onClick, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", onClick);
  return made;
}

/**
 * @param {string} text
 * @param {boolean} isChecked
 * @param {(isChecked: boolean) => void} onChange
 */
export function checkbox(text, isChecked, onChange) {
  const input = element("input", { type: "checkbox", checked: isChecked });
  input.addEventListener("change", () => onChange(input.checked));
  return element("label", { class: "choice" }, input, text);
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
