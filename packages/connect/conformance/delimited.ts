/**
 * The runner's form of a stream of messages: each behind its size, in four bytes, big-endian. Throws where the stream
 * ends within a message.
 */
export async function* readDelimited(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer, undefined> {
  let held = Buffer.alloc(0);
  for await (const chunk of stream) {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 4 && held.length >= 4 + held.readUInt32BE()) {
      const end = 4 + held.readUInt32BE();
      yield held.subarray(4, end);
      held = held.subarray(end);
    }
  }
  if (held.length > 0) throw new Error(`the stream ended with ${held.length} bytes of a message`);
}

/** A message behind its size. */
export function delimited(message: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(message.length);
  return Buffer.concat([size, message]);
}
