import {
  type DescMessage,
  type DescMethodUnary,
  fromJsonString,
  type JsonReadOptions,
  type JsonWriteOptions,
  type MessageShape,
  toJsonString,
} from "@bufbuild/protobuf";
import {
  createMethodSerializationLookup,
  type Serialization,
  type UniversalHandlerOptions,
} from "@connectrpc/connect/protocol";

/** A message as it is sent: bytes, or text that has no character above 127, one byte each. */
export type Encoded = Uint8Array | string;

/** Messages of one type, in one format. */
export interface MessageCodec<D extends DescMessage = DescMessage> {
  /** Throws a `ConnectError` where the bytes are no such message, or too many. */
  parse(bytes: Uint8Array): MessageShape<D>;
  /** Throws a `ConnectError` where the message cannot be written, or has too many bytes. */
  serialize(message: MessageShape<D>): Encoded;
}

/** The codecs of a method's messages. */
export interface MethodCodecs<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> {
  readonly input: (isBinary: boolean) => MessageCodec<I>;
  readonly output: (isBinary: boolean) => MessageCodec<O>;
}

/** What decides on formats and sizes, as in the official handlers and transports. */
export type CodecOptions = Pick<
  UniversalHandlerOptions,
  "binaryOptions" | "jsonOptions" | "readMaxBytes" | "writeMaxBytes"
>;

/**
 * Creates the codecs of a method. They are the official ones, which mean the same and throw the same; JSON has a
 * shorter way to them, for text that comes as UTF-8 and goes as ASCII.
 */
export function createMethodCodecs<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  o: CodecOptions,
): MethodCodecs<I, O> {
  const lookup = createMethodSerializationLookup(method, o.binaryOptions, o.jsonOptions, o);
  const binary = { input: plain(lookup.getI(true)), output: plain(lookup.getO(true)) };
  const json = {
    input: shortened(method.input, plain(lookup.getI(false)), o),
    output: shortened(method.output, plain(lookup.getO(false)), o),
  };
  return {
    input: (isBinary) => (isBinary ? binary.input : json.input),
    output: (isBinary) => (isBinary ? binary.output : json.output),
  };
}

/** Fields of bytes are parts of what is decoded: they are to be plain arrays, and no buffers of Node. */
function plain<D extends DescMessage>({ parse, serialize }: Serialization<MessageShape<D>>): MessageCodec<D> {
  return {
    parse: (bytes) =>
      parse(Buffer.isBuffer(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : bytes),
    serialize,
  };
}

/**
 * JSON without a text encoder and a text decoder, whose arrays live outside of the heap. Whatever is not plain success
 * goes to the official codec, which says what is wrong with it.
 */
function shortened<D extends DescMessage>(desc: D, official: MessageCodec<D>, o: CodecOptions): MessageCodec<D> {
  const { jsonOptions = {}, readMaxBytes, writeMaxBytes } = o;
  const readOptions = { ...jsonOptions, ignoreUnknownFields: jsonOptions.ignoreUnknownFields ?? true };
  const writeOptions = ofWriting(jsonOptions);
  return {
    parse(bytes) {
      // A mark of the byte order is no part of the text.
      if (bytes.byteLength > readMaxBytes || bytes[0] === 0xef) return official.parse(bytes);
      try {
        return fromJsonString(desc, textOf(bytes), readOptions);
      } catch {
        return official.parse(bytes);
      }
    },
    serialize(message) {
      let text: string;
      try {
        text = toJsonString(desc, message, writeOptions);
      } catch {
        return official.serialize(message);
      }
      const isAscii = Buffer.byteLength(text) === text.length;
      return isAscii && text.length <= writeMaxBytes ? text : official.serialize(message);
    },
  };
}

/** The options that matter for writing; undefined where there is none, which saves copies of them. */
function ofWriting(o: Partial<JsonReadOptions & JsonWriteOptions>): Partial<JsonWriteOptions> | undefined {
  const { ignoreUnknownFields: _, recursionLimit: __, ...written } = o;
  return Object.values(written).some((value) => value !== undefined && value !== false) ? written : undefined;
}

function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString();
}

/** The bytes of a message as it is sent. */
export function bytesOf(encoded: Encoded): Uint8Array {
  return typeof encoded === "string" ? Buffer.from(encoded, "latin1") : encoded;
}
