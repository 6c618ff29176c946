import { type DescMessage, equals, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { unstorableTexts } from "../bounds/storable-text.ts";

/**
 * Throws where a message would not arrive over the network as it is: encoding refuses what no message may hold, and
 * what it leaves out or changes differs after decoding. For tests: calls in one process skip both. Half of a surrogate
 * pair, which encoding changes, is left to the callee, which refuses it.
 */
export function assertUnchanged(schema: DescMessage, message: Message): void {
  if (equals(schema, message, fromBinary(schema, toBinary(schema, message)))) return;
  if (unstorableTexts(schema, message).length > 0) return;
  throw new Error(`${schema.typeName} is another message after it was encoded and decoded`);
}
