import { IncomingMessage } from "node:http";

/**
 * A request of HTTP/1.1 that keeps what arrives of its body as it is. Most bodies come with their head and are taken as
 * a whole (`takeBody`). They never go through a stream, which would cost about as much as parsing the head. Where the
 * body is read as a stream, it begins with what has arrived.
 */
export class Http1Request extends IncomingMessage {
  #parts: Buffer[] | undefined;
  #bytes = 0;
  #isWhole = false;
  #mode: "kept" | "taken" | "stream" = "kept";
  /** It was answered, and its connection may have the next request: its end is not that of the connection any more. */
  isAnswered = false;

  /**
   * Returns the whole body where it has arrived, also where there is none; undefined where it has to be read as a
   * stream. To be called once: what is taken is gone, and the request does not end as a stream.
   */
  takeBody(): Buffer | undefined {
    if (this.#mode !== "kept" || !this.#hasArrived()) return undefined;
    this.#mode = "taken";
    const [first = noBytes, ...others] = this.#parts ?? [];
    this.#parts = undefined;
    // Node would else drop the body of a request that nobody has read, as a stream.
    this.read(0);
    return others.length === 0 ? first : Buffer.concat([first, ...others]);
  }

  /** Between the last byte and the end of a request, promises may settle: its length says as much as its end. */
  #hasArrived(): boolean {
    return this.#isWhole || this.#bytes === Number(this.headers["content-length"] ?? Number.NaN);
  }

  /** Node's parser gives the parts of the body, then null. */
  override push(part: Buffer | null): boolean {
    if (this.#mode === "stream") return super.push(part);
    if (part === null) this.#isWhole = true;
    else this.#keep(part);
    return this.#bytes < this.readableHighWaterMark;
  }

  #keep(part: Buffer): void {
    this.#bytes += part.byteLength;
    if (this.#mode === "taken") return;
    this.#parts ??= [];
    this.#parts.push(part);
  }

  override _read(bytes: number): void {
    super._read(bytes);
    if (this.#mode !== "kept") return;
    this.#mode = "stream";
    for (const part of this.#parts ?? []) super.push(part);
    this.#parts = undefined;
    if (this.#isWhole) super.push(null);
  }

  /** Node closes the connection of a request whose body was not read as a stream. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (this.isAnswered) callback();
    else super._destroy(error, callback);
  }
}

const noBytes = Buffer.alloc(0);
