// What reads a configuration, apart from the rest: it is loaded and read before what it configures.
export { type CallerName, callerNames, defaultPorts } from "../service-name.ts";
export { backendAddresses } from "./backend-addresses.ts";
export type { Config } from "./config.ts";
export {
  addressBlocks,
  baseUrl,
  emailAddress,
  flag,
  isTooWide,
  mailbox,
  nameList,
  oneOf,
  origins,
  privateKey,
  publicKeys,
  seconds,
  text,
  textOf,
  urlOf,
  wholeNumber,
} from "./kinds.ts";
export { ConfigurationError, type Values, type Variables, variable } from "./variable.ts";
