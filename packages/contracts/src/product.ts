export * from "../gen/rialto/product/v1/error_reason_pb.js";
export * from "../gen/rialto/product/v1/inventory_pb.js";
export * from "../gen/rialto/product/v1/product_pb.js";
