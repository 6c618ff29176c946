// Where grpc-js and Nest load the contract from.

export const protoFile = "rialto/order/v1/order_service.proto";
export const loaderOptions = {
  includeDirs: ["proto", "third_party"].map((folder) => new URL(`../../${folder}`, import.meta.url).pathname),
  longs: String,
  enums: String,
  defaults: true,
};
