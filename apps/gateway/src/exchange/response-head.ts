import type { ServerResponse } from "node:http";

/** Headers of a response, by their names in lower case. */
export type Fields = Readonly<Record<string, string | number>>;

/**
 * The headers of one response: names, in lower case, and values in turn, as Node writes them out. A list costs less
 * than an object with as many names, which every response would have to copy.
 */
export class ResponseHead {
  readonly #list: string[];

  /** `common` are those that every response has. */
  constructor(common: readonly string[]) {
    this.#list = common.slice();
  }

  /** Sets a header, in place of one that was set before. */
  set(name: string, value: string): void {
    const list = this.#list;
    const at = this.#find(name);
    if (at === -1) list.push(name, value);
    else list[at + 1] = value;
  }

  get(name: string): string | undefined {
    const at = this.#find(name);
    return at === -1 ? undefined : this.#list[at + 1];
  }

  /** Returns the list with all of these, which are set nowhere else: Node may refuse to write one of them. */
  with(fields: Fields): string[] {
    const whole = new ResponseHead(this.#list);
    for (const name in fields) whole.set(name, `${fields[name]}`);
    return whole.#list;
  }

  /** Sets each on Node's response. */
  setOn(response: Pick<ServerResponse, "setHeader">): void {
    for (let at = 0; at < this.#list.length; at += 2)
      response.setHeader(this.#list[at] ?? "", this.#list[at + 1] ?? "");
  }

  #find(name: string): number {
    for (let at = 0; at < this.#list.length; at += 2) if (this.#list[at] === name) return at;
    return -1;
  }
}
