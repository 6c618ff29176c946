export * from "../gen/rialto/user/v1/auth_pb.js";
export * from "../gen/rialto/user/v1/error_reason_pb.js";
export * from "../gen/rialto/user/v1/user_event_pb.js";
export * from "../gen/rialto/user/v1/user_pb.js";
