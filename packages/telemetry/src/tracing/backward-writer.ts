/** Texts up to this length are written faster by a loop than by a call into Node. */
const loopCharsMax = 48;
const asciiMax = 0x7f;
const msbFirst = 0x80;
const negativeBytes = 10;

/**
 * Writes protobuf from its end to its beginning. The length of a message stands before it and is known only when it is
 * written: so nothing is measured first, and nothing is moved.
 */
export class BackwardWriter {
  readonly #bytesMin: number;
  #bytes: Buffer;
  /** What was written begins here. */
  #at: number;

  constructor(bytesMin: number) {
    this.#bytesMin = bytesMin;
    this.#bytes = Buffer.allocUnsafeSlow(bytesMin);
    this.#at = bytesMin;
  }

  /** How much was written. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  /** Begins anew. */
  reset(): void {
    // What an export of the longest texts needed is not kept.
    if (this.#bytes.length > this.#bytesMin) this.#bytes = Buffer.allocUnsafeSlow(this.#bytesMin);
    this.#at = this.#bytes.length;
  }

  /** Returns a copy of what was written since `reset`. */
  copy(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(this.#at));
  }

  /** An integer below 2^63. */
  varint(value: number): void {
    if (value < 0) this.#negative(value);
    else if (value > asciiMax) this.#long(value);
    else {
      this.#reserve(1);
      this.#bytes[this.#at] = value;
    }
  }

  /** A varint of several bytes. By division, as the operators on bits see 32 of them only. */
  #long(value: number): void {
    let count = 1;
    for (let rest = value; rest > asciiMax; rest = Math.floor(rest / msbFirst)) count += 1;
    this.#reserve(count);
    let at = this.#at;
    let rest = value;
    for (; count > 1; count -= 1) {
      this.#bytes[at] = (rest % msbFirst) | msbFirst;
      at += 1;
      rest = Math.floor(rest / msbFirst);
    }
    this.#bytes[at] = rest;
  }

  /** All 64 bits of its complement, so that it has ten bytes. */
  #negative(value: number): void {
    const bits = BigInt.asUintN(64, BigInt(value));
    this.#reserve(negativeBytes);
    for (let index = 0; index < negativeBytes; index += 1) {
      const more = index < negativeBytes - 1 ? msbFirst : 0;
      this.#bytes[this.#at + index] = Number((bits >> BigInt(7 * index)) & BigInt(asciiMax)) | more;
    }
  }

  /** The length of what was written since there were `before` bytes, and the tag: what stands before a message. */
  lengthSince(before: number, tag: number): void {
    this.varint(this.length - before);
    this.varint(tag);
  }

  text(text: string, tag: number): void {
    const before = this.length;
    if (text.length > loopCharsMax || !this.#ascii(text)) {
      const count = Buffer.byteLength(text);
      this.#reserve(count);
      this.#bytes.write(text, this.#at, count, "utf8");
    }
    this.lengthSince(before, tag);
  }

  /** Returns false, and has written nothing, where it is more than ASCII. */
  #ascii(text: string): boolean {
    const { length } = text;
    this.#reserve(length);
    const [bytes, at] = [this.#bytes, this.#at];
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > asciiMax) {
        this.#at += length;
        return false;
      }
      bytes[at + index] = code;
    }
    return true;
  }

  /** Bytes that are given in lower-case hexadecimal digits. */
  hex(digits: string, tag: number): void {
    const count = digits.length / 2;
    this.#reserve(count);
    for (let index = 0; index < count; index += 1)
      this.#bytes[this.#at + index] = (nibble(digits, 2 * index) << 4) | nibble(digits, 2 * index + 1);
    this.varint(count);
    this.varint(tag);
  }

  fixed32(value: number, tag: number): void {
    this.#reserve(4);
    this.#bytes.writeUInt32LE(value, this.#at);
    this.varint(tag);
  }

  /** A number of 64 bits by its halves. */
  fixed64(low: number, high: number, tag: number): void {
    this.#reserve(8);
    this.#bytes.writeUInt32LE(low, this.#at);
    this.#bytes.writeUInt32LE(high, this.#at + 4);
    this.varint(tag);
  }

  double(value: number, tag: number): void {
    this.#reserve(8);
    this.#bytes.writeDoubleLE(value, this.#at);
    this.varint(tag);
  }

  #reserve(count: number): void {
    if (count > this.#at) this.#grow(count);
    this.#at -= count;
  }

  #grow(count: number): void {
    const { length } = this;
    const grown = Buffer.allocUnsafeSlow(2 * Math.max(this.#bytes.length, length + count));
    this.#bytes.copy(grown, grown.length - length, this.#at);
    this.#at = grown.length - length;
    this.#bytes = grown;
  }
}

const [digitZero, digitNine, letterOffset] = [48, 57, 87];

function nibble(digits: string, index: number): number {
  const code = digits.charCodeAt(index);
  return code <= digitNine ? code - digitZero : code - letterOffset;
}
