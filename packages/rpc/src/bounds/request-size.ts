import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { request_size } from "@rialto/contracts";
import { requestSizeDefault, requestSizeMax } from "../limits.ts";

/** The limits of a request of one method. */
export interface RequestSize {
  /** Bytes of the body, compressed and decompressed. */
  readonly bytes: number;
  /** Fields, list items and map entries, in the message and in all messages inside it. */
  readonly fields: number;
  /** How deep messages, lists and maps are nested. */
  readonly depth: number;
}

/**
 * Returns the limits of a method: the option `rialto.type.v1.request_size`, or the default. Throws where the option
 * exceeds `requestSizeMax`.
 */
export function requestSizeOf(method: DescMethod): RequestSize {
  if (!hasOption(method, request_size)) return requestSizeDefault;
  const asked = getOption(method, request_size);
  const figure = (name: keyof RequestSize) => {
    if (asked[name] >= 0 && asked[name] <= requestSizeMax[name]) return asked[name] || requestSizeDefault[name];
    throw new Error(
      `${method.parent.typeName}/${method.name}: request_size.${name} must be 0 to ${requestSizeMax[name]}`,
    );
  };
  return { bytes: figure("bytes"), fields: figure("fields"), depth: figure("depth") };
}
